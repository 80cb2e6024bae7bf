package dns_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/resolver"
)

func TestSearchDomainsAreTriedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.write(t, "resolv.conf", "nameserver 10.0.0.53\nsearch ns.test cluster.test\noptions ndots:2\n")
		h.set("a.cluster.test.", 60, "A", "10.0.0.1")
		h.set("a.", 60, "A", "10.0.0.2")
		cc, _ := h.follow(t, "dns:///a")
		cc.expect(t, "list 10.0.0.1")
		want := []string{"a.cluster.test. A", "a.cluster.test. AAAA", "a.ns.test. A", "a.ns.test. AAAA"}
		if got := h.take(); !slices.Equal(got, want) {
			t.Errorf("asked %q, want %q", got, want)
		}
		rooted, _ := h.follow(t, "dns:///a.")
		rooted.expect(t, "list 10.0.0.2")
	})
}

func TestDenialOfAllNamesIsTheFirstOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.write(t, "resolv.conf", "nameserver 10.0.0.53\nsearch ns.test\n")
		h.set("a.ns.test.", 60, "MX", "1 b.test.")
		cc, _ := h.follow(t, "dns:///a")
		cc.expect(t, `error dns: "a": no endpoints: 10.0.0.53:53 answered that there are no such records (NODATA)`)
	})
}

// A search domain whose servers are broken must not hide the names after it, as
// long as the name was never there.
func TestNameThatFailsIsPassedOverUnlessItWasThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.write(t, "resolv.conf", "nameserver 10.0.0.53\nsearch ns.test\n")
		for _, kind := range []string{"A", "AAAA"} {
			h.fails("a.ns.test. "+kind, errServFail)
		}
		h.set("a.", 10, "A", "10.0.0.2")
		cc, _ := h.follow(t, "dns:///a")
		cc.expect(t, "list 10.0.0.2")

		h.fails("a.ns.test. A", nil)
		h.fails("a.ns.test. AAAA", nil)
		h.set("a.ns.test.", 10, "A", "10.0.0.1")
		time.Sleep(time.Minute)
		cc.expect(t, "list 10.0.0.1")

		h.fails("a.ns.test. A", errServFail) // the other one may be somebody else
		time.Sleep(time.Minute)
		cc.expect(t, `error dns: "a": A record: 10.0.0.53:53: answered SERVFAIL`)
	})
}

func TestHostsFileComesFirstAndIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.write(t, "hosts", "10.0.0.9 A.test\n::1 a.test\n")
		h.set("a.test.", 60, "A", "10.0.0.1")
		cc, _ := h.follow(t, aTest)
		cc.expect(t, "list 10.0.0.9 [::1]")
		if got := h.take(); len(got) != 0 {
			t.Errorf("asked %q for a name in the hosts file", got)
		}
		h.write(t, "hosts", "10.0.0.10 a.test\n")
		time.Sleep(5 * time.Second)
		cc.expect(t, "list 10.0.0.10")
		if err := os.Remove(filepath.Join(h.dir, "hosts")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		cc.expect(t, "list 10.0.0.1")
	})
}

func TestResolvConfIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1")
		cc, _ := h.follow(t, aTest)
		cc.expect(t, "list 10.0.0.1")
		h.fails("10.0.0.53:53", errors.New("moved"))
		h.write(t, "resolv.conf", "nameserver 10.0.0.54\n")
		h.set("a.test.", 10, "A", "10.0.0.2")
		time.Sleep(11 * time.Second)
		cc.expect(t, "list 10.0.0.2")
	})
}

func TestAuthorityIsAskedInsteadOfTheHostsServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.write(t, "resolv.conf", "nameserver 10.0.0.53\nsearch ns.test\n")
		h.set("a.ns.test.", 10, "A", "10.0.0.1")
		h.fails("10.1.1.1:53", errServFail)
		cc, _ := h.follow(t, "dns://10.1.1.1,10.1.1.2:54/a")
		cc.expect(t, "list 10.0.0.1")
		h.mu.Lock()
		defer h.mu.Unlock()
		if slices.Contains(h.servers, "10.0.0.53:53") || !slices.Contains(h.servers, "10.1.1.2:54") {
			t.Errorf("asked %q", h.servers)
		}
	})
}

func TestGroupHostMakesOneEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.2", "10.0.0.1")
		h.set("a.test.", 10, "AAAA", "2001:db8::1")
		cc, _ := h.follow(t, aTest+"?group=host")
		cc.expect(t, "list [2001:db8::1]+10.0.0.2+10.0.0.1")
		h.set("a.test.", 10, "A", "10.0.0.1", "10.0.0.2")
		time.Sleep(time.Minute)
		cc.expect(t)
	})
}

// Lists in one order for all would send every pick_first client of a fleet to
// the same backend.
func TestChannelsHaveOrdersOfTheirOwnAndKeepThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
		first := map[string]int{}
		for range 200 {
			cc, r := h.follow(t, aTest)
			synctest.Wait()
			before := cc.last.Endpoints
			first[before[0].Addresses[0].Addr]++
			r.Close()
		}
		for addr, n := range first {
			if n < 20 || n > 85 {
				t.Errorf("%s comes first for %d of 200 channels, want about 50", addr, n)
			}
		}
		if len(first) != 4 {
			t.Errorf("first are %v, want each of the four addresses", first)
		}
		cc, _ := h.follow(t, aTest)
		synctest.Wait()
		before := cc.last.Endpoints
		h.set("a.test.", 10, "A", "10.0.0.4", "10.0.0.3", "10.0.0.2", "10.0.0.1", "10.0.0.5")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		after := slices.DeleteFunc(slices.Clone(cc.last.Endpoints), func(e resolver.Endpoint) bool { return e.Addresses[0].Addr == "10.0.0.5:443" })
		for i := range before {
			if before[i].Addresses[0].Addr != after[i].Addresses[0].Addr {
				t.Errorf("the order was %v, and with one more %v", before, after)
				break
			}
		}
	})
}
