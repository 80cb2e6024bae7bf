package hostconf

import (
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// maxServers is how many name servers count, as everywhere.
const maxServers = 3

// Resolv is what resolv.conf says.
type Resolv struct {
	Servers  []string // host:port; never empty
	Search   []string
	Ndots    int
	Timeout  time.Duration
	Attempts int
	Rotate   bool
}

// Names returns the fully qualified names to look for, in order, if the user
// says name.
func (r Resolv) Names(name string) []string {
	c := dns.ClientConfig{Search: r.Search, Ndots: r.Ndots}
	return slices.DeleteFunc(c.NameList(name), func(n string) bool {
		_, ok := dns.IsDomainName(n)
		return !ok // with the suffix it is too long
	})
}

// parseResolv reads a resolv.conf. Whatever it does not say has its default.
func parseResolv(text string) Resolv {
	text = withoutComments(text)
	c, err := dns.ClientConfigFromReader(strings.NewReader(text))
	if err != nil {
		c = &dns.ClientConfig{Port: "53", Ndots: 1, Timeout: 5, Attempts: 2}
	}
	r := Resolv{
		Search:   slices.DeleteFunc(c.Search, func(s string) bool { return strings.Trim(s, ".") == "" }),
		Ndots:    c.Ndots,
		Timeout:  time.Duration(min(c.Timeout, 30)) * time.Second,
		Attempts: min(c.Attempts, 5),
		Rotate:   rotates(text),
	}
	servers := c.Servers[:min(len(c.Servers), maxServers)]
	if len(servers) == 0 {
		servers = []string{"127.0.0.1", "::1"}
	}
	for _, s := range servers {
		r.Servers = append(r.Servers, net.JoinHostPort(s, c.Port))
	}
	return r
}

// withoutComments drops what follows a # or ; in each line.
func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		b.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

// rotates looks for the one option that the library ignores.
func rotates(text string) bool {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "options" && slices.Contains(f[1:], "rotate") {
			return true
		}
	}
	return false
}
