package dns_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/resolver"
)

const service = "_grpc._tcp.a.test."

func TestServices(t *testing.T) {
	for _, tt := range []struct {
		name, params string
		srv          []string
		want         string
	}{
		{"ports and addresses of the targets", "", []string{"0 0 81 b.test.", "0 0 82 d.test."},
			"list 10.0.0.1:81 10.0.0.4:82"},
		{"only the first priority", "", []string{"2 0 82 c.test.", "1 0 81 b.test."}, "list 10.0.0.1:81"},
		{"the next priority when the first has no address", "", []string{"1 0 81 gone.test.", "1 0 81 v.test.", "2 0 82 b.test."}, "list 10.0.0.1:82"},
		{"one port each of one target", "", []string{"0 0 81 b.test.", "0 0 82 b.test."}, "list 10.0.0.1:81 10.0.0.1:82"},
		{"weights", "", []string{"0 10 81 b.test.", "0 30 81 d.test."}, "list 10.0.0.1:81*10 10.0.0.4:81*30"},
		{"equal weights", "", []string{"0 10 81 b.test.", "0 10 81 d.test."}, "list 10.0.0.1:81 10.0.0.4:81"},
		{"zero beside others", "", []string{"0 0 81 b.test.", "0 30 81 d.test."}, "list 10.0.0.1:81*1 10.0.0.4:81*3000"},
		{"addresses share the weight of their target", "", []string{"0 10 81 b.test.", "0 30 81 c.test."},
			"list 10.0.0.1:81*1000 10.0.0.2:81*1500 10.0.0.3:81*1500"},
		{"addresses share also when all are zero", "", []string{"0 0 81 b.test.", "0 0 81 d.test.", "0 0 81 c.test."},
			"list 10.0.0.1:81*100 10.0.0.2:81*50 10.0.0.3:81*50 10.0.0.4:81*100"},
		{"one endpoint per target", "group=host", []string{"0 10 81 b.test.", "0 30 81 c.test."},
			"list 10.0.0.1:81*10 10.0.0.3:81+10.0.0.2:81*30"},
		{"names of the targets for TLS", "servername=target", []string{"0 0 81 B.test.", "0 0 81 d.test."},
			"list 10.0.0.1:81(b.test) 10.0.0.4:81(d.test)"},
		{"a service that is not available", "", []string{"0 0 0 ."},
			`error dns: "_grpc._tcp.a.test": no endpoints: the service is not available here: the target is "."`},
		{"targets that do not exist", "", []string{"0 0 81 gone.test."},
			`error dns: "_grpc._tcp.a.test": no endpoints: 10.0.0.53:53 answered NXDOMAIN`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t)
				h.set("b.test.", 60, "A", "10.0.0.1")
				h.set("c.test.", 60, "A", "10.0.0.2", "10.0.0.3")
				h.set("d.test.", 60, "A", "10.0.0.4")
				h.set("v.test.", 60, "MX", "1 b.test.")
				h.set(service, 60, "SRV", tt.srv...)
				cc, _ := h.follow(t, "dns:///_grpc._tcp.a.test?"+tt.params)
				cc.expect(t, tt.want)
			})
		})
	}
}

func TestServiceAtAnyName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 60, "SRV", "0 0 81 b.test.")
		h.set("b.test.", 60, "A", "10.0.0.1")
		cc, _ := h.follow(t, "dns:///a.test?srv=1")
		cc.expect(t, "list 10.0.0.1:81")
	})
}

func TestTargetsAreLookedUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		var srv []string
		for i := range 20 {
			name := string(rune('b'+i)) + ".test."
			srv = append(srv, "0 0 81 "+name)
			h.set(name, 60, "A", "10.0.1."+string(rune('0'+i%10)))
			h.delay[name+" A"] = time.Second / 2
		}
		h.set(service, 60, "SRV", srv...)
		cc, _ := h.follow(t, "dns:///_grpc._tcp.a.test")
		time.Sleep(time.Second / 2)
		if got := cc.take(); len(got) != 1 {
			t.Errorf("after the time of one look-up the channel was told %q, want a list", got)
		}
	})
}

func TestServicesAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set(service, 10, "SRV", "1 0 81 b.test.", "2 0 81 d.test.")
		h.set("b.test.", 10, "A", "10.0.0.1")
		h.set("d.test.", 10, "A", "10.0.0.4")
		cc, _ := h.follow(t, "dns:///_grpc._tcp.a.test")
		cc.expect(t, "list 10.0.0.1:81")

		h.set("b.test.", 10, "A", "10.0.0.2") // a target moves
		time.Sleep(11 * time.Second)
		cc.expect(t, "list 10.0.0.2:81")

		h.set("b.test.", 10, "A") // it goes: the next priority takes over
		time.Sleep(11 * time.Second)
		cc.expect(t, "list 10.0.0.4:81")

		h.set("b.test.", 10, "A", "10.0.0.1") // and back, when the denial's TTL is over
		time.Sleep(22 * time.Second)
		cc.expect(t, "list 10.0.0.1:81")

		h.fails("b.test. A", errServFail) // a failure is no reason to go down
		h.fails("b.test. AAAA", errServFail)
		time.Sleep(time.Hour)
		cc.expect(t)

		h.fails("SRV", errServFail)
		time.Sleep(time.Hour)
		cc.expect(t, `error dns: "_grpc._tcp.a.test": SRV record: 10.0.0.53:53: answered SERVFAIL`)

		h.fails("SRV", nil)
		h.set(service, 10, "SRV", "1 0 82 d.test.")
		time.Sleep(time.Minute)
		cc.expect(t, "list 10.0.0.4:82")
		h.take()
		time.Sleep(time.Minute)
		if slices.Contains(h.take(), "b.test. A") {
			t.Error("a target is still looked up that is no more")
		}
	})
}

func TestTargetThatFailsAtFirstDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set(service, 60, "SRV", "1 0 81 b.test.", "1 0 81 d.test.")
		h.set("b.test.", 60, "A", "10.0.0.1")
		h.set("d.test.", 60, "A", "10.0.0.4")
		h.fails("d.test. A", errServFail)
		h.fails("d.test. AAAA", errServFail)
		cc, _ := h.follow(t, "dns:///_grpc._tcp.a.test")
		cc.expect(t, "list 10.0.0.1:81")
		h.fails("d.test. A", nil)
		time.Sleep(2 * time.Second) // it is asked again soon
		cc.expect(t, "list 10.0.0.1:81 10.0.0.4:81")
	})
}

func TestWeightsDecideTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set(service, 60, "SRV", "0 10 81 b.test.", "0 30 81 d.test.")
		h.set("b.test.", 60, "A", "10.0.0.1")
		h.set("d.test.", 60, "A", "10.0.0.4")
		heavy := 0
		for range 400 {
			cc, r := h.follow(t, "dns:///_grpc._tcp.a.test")
			synctest.Wait()
			if cc.last.Endpoints[0].Addresses[0].Addr == "10.0.0.4:81" {
				heavy++
			}
			r.Close()
		}
		if heavy < 260 || heavy > 340 {
			t.Errorf("the target with three quarters of the weight comes first for %d of 400 channels, want about 300", heavy)
		}
	})
}

// What changes with a weight must not replace connections, so it is in no
// address's own attributes.
func TestWeightIsInTheAttributesForPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set(service, 60, "SRV", "0 10 81 b.test.", "0 30 81 d.test.")
		h.set("b.test.", 60, "A", "10.0.0.1")
		h.set("d.test.", 60, "A", "10.0.0.4")
		cc, _ := h.follow(t, "dns:///_grpc._tcp.a.test")
		cc.expect(t, "list 10.0.0.1:81*10 10.0.0.4:81*30")
		var list []resolver.Endpoint
		for _, a := range cc.last.Addresses {
			list = append(list, resolver.Endpoint{Addresses: []resolver.Address{a}, Attributes: a.BalancerAttributes})
		}
		if got, want := show(list), "10.0.0.1:81*10 10.0.0.4:81*30"; got != want {
			t.Errorf("addresses for policies that know no endpoints = %s, want %s", got, want)
		}
		for _, a := range slices.Concat(cc.last.Addresses, flat(cc.last.Endpoints)) {
			if a.Attributes != nil {
				t.Errorf("address %s has attributes %v", a.Addr, a.Attributes)
			}
		}
	})
}

func flat(list []resolver.Endpoint) []resolver.Address {
	var all []resolver.Address
	for _, e := range list {
		all = append(all, e.Addresses...)
	}
	return all
}
