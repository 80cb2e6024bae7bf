package hostconf

import (
	"net/netip"
	"slices"
	"strings"
)

// parseHosts reads a hosts file: an address and its names in each line. Lines
// that begin with anything else do not count.
func parseHosts(text string) map[string][]netip.Addr {
	table := map[string][]netip.Addr{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		for _, name := range fields[1:] {
			name = canonical(name)
			if !slices.Contains(table[name], addr.Unmap()) {
				table[name] = append(table[name], addr.Unmap())
			}
		}
	}
	return table
}

// canonical is the form in which names are compared.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
