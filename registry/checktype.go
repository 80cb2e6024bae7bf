package registry

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/evenkeel-grpc/evenkeel/internal/nearest"
	"github.com/evenkeel-grpc/evenkeel/registry/internal/jsonpos"
)

// The expected form of a service config is written as Go types, to which the
// prototypes of [WithConfig] join. A type may implement one of these to be
// stricter than its kind. The methods are called on the zero value.
type (
	// leaf checks a value altogether.
	leaf interface {
		check(c *checker, n *jsonpos.Node)
	}
	// object checks what spans several fields, after the fields themselves.
	object interface {
		verify(c *checker, n *jsonpos.Node)
	}
	// ignoring names fields that other implementations of gRPC know.
	ignoring interface {
		ignored() map[string]string // to what grpc-go does instead
	}
)

// check compares a value with what encoding/json would decode into t.
func (c *checker) check(n *jsonpos.Node, t reflect.Type) {
	t = deref(t)
	if l, ok := reflect.TypeAssert[leaf](reflect.Zero(t)); ok {
		l.check(c, n)
		return
	}
	if decodesItself(t) {
		c.decode(n, t)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		c.checkStruct(n, t)
	case reflect.Map:
		if n.Kind != jsonpos.Object {
			c.want(n, "an object")
		}
		for _, m := range n.Members {
			c.check(m.Value, t.Elem())
		}
	case reflect.Slice, reflect.Array:
		c.checkList(n, t)
	default:
		c.checkScalar(n, t)
	}
}

// decode asks a type that decodes itself what it thinks of a value.
func (c *checker) decode(n *jsonpos.Node, t reflect.Type) {
	if err := json.Unmarshal([]byte(n.Raw), reflect.New(t).Interface()); err != nil {
		c.findings = append(c.findings, finding{n.Path, n.Offset, fmt.Sprintf("%v, got %s", err, show(n)), err})
	}
}

// checkStruct checks an object. encoding/json would skip unknown keys, and would
// take known ones in any case.
func (c *checker) checkStruct(n *jsonpos.Node, t reflect.Type) {
	if n.Kind != jsonpos.Object {
		c.want(n, "an object")
		return
	}
	fields := fieldsOf(t)
	for _, m := range n.Members {
		ft, ok := fields[m.Key]
		switch {
		case !ok:
			c.unknownKey(m, t, slices.Sorted(maps.Keys(fields)))
		case m.Value.Kind != jsonpos.Null:
			c.check(m.Value, ft)
		}
	}
	if o, ok := reflect.TypeAssert[object](reflect.Zero(t)); ok {
		o.verify(c, n)
	}
}

// unknownKey reports a key of t's JSON object that is none of names.
func (c *checker) unknownKey(m jsonpos.Member, t reflect.Type, names []string) {
	if o, ok := reflect.TypeAssert[ignoring](reflect.Zero(t)); ok && o.ignored()[m.Key] != "" {
		c.reportKey(m, "grpc-go ignores %q: %s", m.Key, o.ignored()[m.Key])
		return
	}
	accepted := "no keys are accepted here"
	if len(names) > 0 {
		accepted = "accepted: " + strings.Join(names, ", ")
	}
	near := nearest.To(m.Key, names)
	switch {
	case near == "":
		c.reportKey(m, "unknown key %q with %s (%s)", brief(m.Key), show(m.Value), accepted)
	case strings.EqualFold(near, m.Key):
		c.reportKey(m, "key %q is in the wrong case: want %q", m.Key, near)
	default:
		c.reportKey(m, "unknown key %q with %s: did you mean %q? (%s)", brief(m.Key), show(m.Value), near, accepted)
	}
}

// checkList checks a list, or the base64 that encoding/json takes for bytes.
func (c *checker) checkList(n *jsonpos.Node, t reflect.Type) {
	if t.Elem().Kind() == reflect.Uint8 {
		if n.Kind != jsonpos.String {
			c.want(n, "a base64 string")
		}
		return
	}
	if n.Kind != jsonpos.Array {
		c.want(n, "a list")
	}
	for _, e := range n.Elements {
		c.check(e, t.Elem())
	}
}

// checkScalar checks a single value. Kinds that encoding/json cannot decode into
// are left to the policy's parser.
func (c *checker) checkScalar(n *jsonpos.Node, t reflect.Type) {
	switch k := t.Kind(); {
	case k == reflect.Bool && n.Kind != jsonpos.Bool:
		c.want(n, "true or false")
	case k == reflect.String && n.Kind != jsonpos.String:
		c.want(n, "a string")
	case reflect.Int <= k && k <= reflect.Int64:
		// encoding/json wants digits alone: 1.0 and 1e3 are no integers to it.
		if _, err := strconv.ParseInt(n.Raw, 10, t.Bits()); err != nil {
			c.want(n, fmt.Sprintf("a whole number of at most %d bits", t.Bits()-1))
		}
	case reflect.Uint <= k && k <= reflect.Uint64:
		if _, err := strconv.ParseUint(n.Raw, 10, t.Bits()); err != nil {
			c.want(n, fmt.Sprintf("a whole number from 0 on, of at most %d bits", t.Bits()))
		}
	case k == reflect.Float32 || k == reflect.Float64:
		if _, err := strconv.ParseFloat(n.Raw, t.Bits()); err != nil || n.Kind != jsonpos.Number {
			c.want(n, "a number")
		}
	}
}

// decodesItself reports whether encoding/json leaves t's values to t.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t == reflect.TypeFor[json.Number]() ||
		p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// fieldsOf returns the fields of a struct under their JSON names, those of
// embedded structs included.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for _, f := range reflect.VisibleFields(t) {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" || !f.IsExported() || name == "-" && opts == "" || !promoted(t, f.Index) {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields[name] = f.Type
		if slices.Contains(strings.Split(opts, ","), "string") {
			fields[name] = reflect.TypeFor[any]() // A number in quotes: let ParseConfig judge.
		}
	}
	return fields
}

// promoted reports whether all structs around a field are embedded without a
// JSON name, so that its own name is the key.
func promoted(t reflect.Type, index []int) bool {
	for i := 1; i < len(index); i++ {
		if name, _, _ := strings.Cut(t.FieldByIndex(index[:i]).Tag.Get("json"), ","); name != "" {
			return false
		}
	}
	return true
}
