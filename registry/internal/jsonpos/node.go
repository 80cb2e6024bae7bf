package jsonpos

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is the type of a JSON value.
type Kind int

// The kinds of JSON values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String returns the kind as a noun, such as "number".
func (k Kind) String() string {
	return [...]string{"null", "boolean", "number", "string", "list", "object"}[k]
}

// Node is one JSON value and where it was written.
type Node struct {
	Kind Kind
	// Path leads from the root $ to the value: $.a[0]["odd key"].
	Path string
	// Offset is the value's first byte in the parsed text.
	Offset int
	// Raw is the value exactly as written, without surrounding space.
	Raw string
	// Text is the decoded value of a String, otherwise empty.
	Text string
	// Members of an Object and Elements of an Array, in the order of the text.
	Members  []Member
	Elements []*Node
}

// Member is one key and its value in an Object.
type Member struct {
	Key    string // decoded
	Offset int    // of the key's opening quote
	Value  *Node
}

// Get returns the value of the first member with that key, or nil if there is
// none or it is null: to grpc a null is the same as an absent value.
func (n *Node) Get(key string) *Node {
	for _, m := range n.Members {
		if m.Key == key && m.Value.Kind != Null {
			return m.Value
		}
	}
	return nil
}

// Position converts a byte offset into a line and column, both counted from 1.
// The column counts characters.
func Position(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[start:])
}

// SyntaxError says where and why a text is not JSON.
type SyntaxError struct {
	Path   string // of the innermost value that was being read
	Offset int
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("jsonpos: offset %d: %s", e.Offset, e.Reason)
}

// memberPath appends a key to a path, quoted unless it is a plain word.
func memberPath(path, key string) string {
	plain := key != "" && strings.Trim(key, "_-"+alphanumeric) == ""
	if plain {
		return path + "." + key
	}
	return path + "[" + strconv.Quote(key) + "]"
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func elementPath(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}
