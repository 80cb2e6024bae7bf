package registry

import (
	"net/url"
	"reflect"
	"runtime"
	"strings"
)

// ownPackage is this package's import path.
var ownPackage = reflect.TypeFor[Registry]().PkgPath()

// callerPackage returns the import path of the nearest caller outside this
// package, which for a plugin is the package whose init runs.
func callerPackage() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if pkg := functionPackage(f.Function); pkg != ownPackage {
			return pkg
		}
		if !more {
			return "an unknown package"
		}
	}
}

// functionPackage cuts the package's path from a function's full name, such as
// gopkg.in/yaml%2ev3.Marshal: dots in a path's last element are escaped.
func functionPackage(name string) string {
	slash := strings.LastIndexByte(name, '/') + 1
	if dot := strings.IndexByte(name[slash:], '.'); dot >= 0 {
		name = name[:slash+dot]
	}
	if path, err := url.PathUnescape(name); err == nil {
		return path
	}
	return name
}

// packageOf returns the import path of the package that defines v's type.
func packageOf(v any) string { return deref(reflect.TypeOf(v)).PkgPath() }

// isNil also recognises a nil pointer inside the interface, whose methods
// would most likely panic.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

// same compares two builders. Values of a type that == would panic on count as
// the same if their types are.
func same(a, b any) bool {
	if a == nil || b == nil || reflect.TypeOf(a) != reflect.TypeOf(b) {
		return a == b
	}
	return !reflect.ValueOf(a).Comparable() || !reflect.ValueOf(b).Comparable() || a == b
}
