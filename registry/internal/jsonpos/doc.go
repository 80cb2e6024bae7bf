// Package jsonpos parses JSON into a tree in which every value knows where it
// was written: its path, such as $.methodConfig[0].name, and its byte offset.
//
// # Use
//
// [Parse] a text, walk the [Node] tree, and give an offset to [Position] for
// the line and column that an editor would show.
//
// # Guarantees
//
// Whatever Parse accepts, encoding/json accepts, with the same meaning. The
// order of members is kept, and so are duplicate keys.
//
// # Failure
//
// Parse stops at the first mistake with a [*SyntaxError]. It is stricter than
// encoding/json in two ways: the text must be valid UTF-8, and values may be
// nested [MaxDepth] deep only.
package jsonpos
