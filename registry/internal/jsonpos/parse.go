package jsonpos

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep values may be nested.
const MaxDepth = 100

// Parse reads one JSON value, with nothing but space around it. Its error is
// always a [*SyntaxError].
func Parse(text string) (*Node, error) {
	p := &parser{text: text}
	root, err := p.document()
	if err != nil {
		return nil, err
	}
	return root, nil
}

// parser reads a text by recursive descent. Its methods start at pos and leave it
// behind what they read. A path given to them is where they are in the tree.
type parser struct {
	text string
	pos  int // of the next byte
}

// document reads the whole text.
func (p *parser) document() (*Node, *SyntaxError) {
	if i := invalidUTF8(p.text); i >= 0 {
		return nil, &SyntaxError{"$", i, "invalid UTF-8"}
	}
	if err := p.space("$"); err != nil {
		return nil, err
	}
	if p.peek() == 0 && p.pos == len(p.text) {
		return nil, p.fail("$", "empty text")
	}
	n, err := p.value("$", 0)
	if err != nil {
		return nil, err
	}
	if err := p.space("$"); err != nil {
		return nil, err
	}
	if p.pos < len(p.text) {
		return nil, p.fail("$", "data after the end of the value: "+p.here())
	}
	return n, nil
}

// value reads any value. The first byte tells which kind it is.
func (p *parser) value(path string, depth int) (*Node, *SyntaxError) {
	if depth == MaxDepth {
		return nil, p.fail(path, fmt.Sprintf("nested more than %d deep", MaxDepth))
	}
	n := &Node{Path: path, Offset: p.pos}
	var err *SyntaxError
	switch c := p.peek(); {
	case c == '{':
		n.Kind, err = Object, p.object(n, depth)
	case c == '[':
		n.Kind, err = Array, p.array(n, depth)
	case c == '"':
		n.Kind = String
		n.Text, err = p.str(path)
	case c == '-' || '0' <= c && c <= '9':
		n.Kind, err = Number, p.number(path)
	default:
		n.Kind, err = p.word(path)
	}
	n.Raw = p.text[n.Offset:p.pos]
	return n, err
}

// object reads the members of n.
func (p *parser) object(n *Node, depth int) *SyntaxError {
	return p.list(n.Path, '}', func() *SyntaxError {
		m := Member{Offset: p.pos}
		if p.peek() != '"' {
			return p.fail(n.Path, "want a key in double quotes, got "+p.here())
		}
		var err *SyntaxError
		if m.Key, err = p.str(n.Path); err != nil {
			return err
		}
		path := memberPath(n.Path, m.Key)
		if err := p.space(path); err != nil {
			return err
		}
		if p.peek() != ':' {
			return p.fail(path, "want a colon after the key, got "+p.here())
		}
		p.pos++
		if err := p.space(path); err != nil {
			return err
		}
		m.Value, err = p.value(path, depth+1)
		n.Members = append(n.Members, m)
		return err
	})
}

// array reads the elements of n.
func (p *parser) array(n *Node, depth int) *SyntaxError {
	return p.list(n.Path, ']', func() *SyntaxError {
		e, err := p.value(elementPath(n.Path, len(n.Elements)), depth+1)
		n.Elements = append(n.Elements, e)
		return err
	})
}

// list reads an opening bracket, items with commas between, and end.
func (p *parser) list(path string, end byte, item func() *SyntaxError) *SyntaxError {
	p.pos++
	for first := true; ; first = false {
		if err := p.space(path); err != nil {
			return err
		}
		if first && p.peek() == end {
			break
		}
		if err := item(); err != nil {
			return err
		}
		if err := p.space(path); err != nil {
			return err
		}
		if p.peek() == end {
			break
		}
		if err := p.comma(path, end); err != nil {
			return err
		}
	}
	p.pos++
	return nil
}

// comma reads the comma between two items, and refuses one before end.
func (p *parser) comma(path string, end byte) *SyntaxError {
	at := p.pos
	if p.peek() != ',' {
		return p.fail(path, fmt.Sprintf("want a comma or %q, got %s", end, p.here()))
	}
	p.pos++
	if err := p.space(path); err != nil {
		return err
	}
	if p.peek() == end {
		return &SyntaxError{path, at, fmt.Sprintf("trailing comma before %q", end)}
	}
	return nil
}

// str reads a string. Its extent is found here, its content by encoding/json,
// so that escapes mean the same to both.
func (p *parser) str(path string) (string, *SyntaxError) {
	start := p.pos
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '"':
			p.pos++
			var s string
			if json.Unmarshal([]byte(p.text[start:p.pos]), &s) != nil {
				return "", &SyntaxError{path, start, "invalid escape in a string"}
			}
			return s, nil
		case c == '\\':
			p.pos++ // Whatever is escaped, it does not end the string.
		case c < ' ':
			return "", p.fail(path, "control character in a string")
		}
	}
	p.pos = len(p.text) // A backslash may have stepped over the end.
	return "", &SyntaxError{path, start, "string without a closing quote"}
}

// These patterns match at the start of what is left to read.
var (
	numberPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`)
	numberChars   = regexp.MustCompile(`^[-+.0-9A-Za-z_]+`)
	wordPattern   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)
)

// number reads a number, and with it the letters that people put behind one, so
// that 5s is one mistake and not a 5 with something behind it.
func (p *parser) number(path string) *SyntaxError {
	all := numberChars.FindString(p.text[p.pos:])
	if numberPattern.FindString(all) != all {
		return p.fail(path, "invalid number "+brief(all))
	}
	p.pos += len(all)
	return nil
}

// word reads true, false or null.
func (p *parser) word(path string) (Kind, *SyntaxError) {
	w := wordPattern.FindString(p.text[p.pos:])
	kind, ok := map[string]Kind{"true": Bool, "false": Bool, "null": Null}[w]
	if !ok {
		return Null, p.fail(path, "want a value, got "+p.here())
	}
	p.pos += len(w)
	return kind, nil
}

// space skips white space. Comments are common in other dialects, so they get
// an error of their own.
func (p *parser) space(path string) *SyntaxError {
	rest := strings.TrimLeft(p.text[p.pos:], " \t\r\n")
	p.pos = len(p.text) - len(rest)
	if strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "/*") || strings.HasPrefix(rest, "#") {
		return p.fail(path, "JSON has no comments")
	}
	return nil
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// here describes what comes next, for an error.
func (p *parser) here() string {
	if p.pos == len(p.text) {
		return "the end of the text"
	}
	if w := wordPattern.FindString(p.text[p.pos:]); w != "" {
		return brief(w)
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.pos:])
	return fmt.Sprintf("%q", r)
}

// fail returns an error about the next byte.
func (p *parser) fail(path, reason string) *SyntaxError {
	return &SyntaxError{path, p.pos, reason}
}

// brief quotes the beginning of ASCII text.
func brief(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1. The
// replacement character itself, three bytes long, is fine.
func invalidUTF8(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}
