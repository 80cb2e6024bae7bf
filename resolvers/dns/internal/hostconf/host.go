package hostconf

import (
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Local is the host that the process runs on.
var Local = New("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf")

// Host is a host's configuration.
type Host struct {
	resolv file[Resolv]
	hosts  file[map[string][]netip.Addr]
	nss    file[[]source]
}

// New returns the host with these files.
func New(resolv, hosts, nsswitch string) *Host {
	return &Host{
		resolv: file[Resolv]{path: resolv, parse: parseResolv},
		hosts:  file[map[string][]netip.Addr]{path: hosts, parse: parseHosts},
		nss:    file[[]source]{path: nsswitch, parse: parseNSSwitch},
	}
}

// Resolv returns what resolv.conf says.
func (h *Host) Resolv() Resolv {
	r, _ := h.resolv.get()
	return r
}

// Hosts returns the addresses that the hosts file has for a name, with or
// without a final dot, in the file's order. Nobody may change them.
func (h *Host) Hosts(name string) []netip.Addr {
	table, _ := h.hosts.get()
	return table[canonical(name)]
}

// Unsupported returns what the look-up of name needs that this project's client
// does not do, or "".
func (h *Host) Unsupported(name string) string {
	if own := []string{"linux", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos", "aix"}; !slices.Contains(own, runtime.GOOS) {
		return "the operating system " + runtime.GOOS
	}
	for _, env := range []string{"LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES"} {
		if os.Getenv(env) != "" {
			return "the environment variable " + env
		}
	}
	if _, ok := h.resolv.get(); !ok {
		return "a host without " + h.resolv.path
	}
	sources, _ := h.nss.get()
	if need := unsupported(sources, name); need != "" {
		return need + " in " + h.nss.path
	}
	return ""
}

// file is a parsed file that is read again when it has changed.
type file[T any] struct {
	// Set by New, then read-only.
	path  string
	parse func(text string) T

	mu     sync.Mutex // guards the fields below
	known  bool       // whether value holds for the state below
	exists bool
	time   time.Time
	size   int64
	value  T
}

// get returns what is in the file, and whether there is one.
func (f *file[T]) get() (T, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		f.set("", false)
		return f.value, false
	}
	if f.known && f.exists && info.ModTime().Equal(f.time) && info.Size() == f.size {
		return f.value, true
	}
	text, err := os.ReadFile(f.path)
	f.set(string(text), err == nil)
	f.time, f.size = info.ModTime(), info.Size()
	return f.value, f.exists
}

func (f *file[T]) set(text string, exists bool) {
	if f.known && !f.exists && !exists {
		return
	}
	f.known, f.exists = true, exists
	f.value = f.parse(text)
}
