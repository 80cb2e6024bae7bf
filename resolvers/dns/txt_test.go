package dns_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns"
)

const configAt = "_grpc_config.a.test."

// txt quotes a record, in strings of 200 bytes.
func txt(record string) string {
	var parts []string
	for chunk := range slices.Chunk([]byte(record), 200) {
		parts = append(parts, `"`+strings.ReplaceAll(strings.ReplaceAll(string(chunk), `\`, `\\`), `"`, `\"`)+`"`)
	}
	return strings.Join(parts, " ")
}

func configRecord(js string) string { return txt(`grpc_config=[{"serviceConfig":` + js + `}]`) }

func TestServiceConfigGoesWithTheAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1")
		long := `{"loadBalancingConfig":[{"` + strings.Repeat("x", 400) + `":{}}]}`
		h.set(configAt, 10, "TXT", txt("v=spf1"), configRecord(long))
		cc, _ := h.followWith(t, aTest, resolver.BuildOptions{})
		cc.expect(t, "list 10.0.0.1 config "+long)
		h.set(configAt, 10, "TXT", configRecord(`{"a":1}`))
		time.Sleep(11 * time.Second)
		cc.expect(t, `list 10.0.0.1 config {"a":1}`)
		time.Sleep(time.Hour)
		cc.expect(t)

		h.fails("TXT", errServFail) // no reason to drop the config
		time.Sleep(time.Hour)
		cc.expect(t)
		h.fails("TXT", nil)
		h.set(configAt, 10, "TXT")
		time.Sleep(time.Minute)
		cc.expect(t, "list 10.0.0.1")
	})
}

func TestServiceConfigIsNotAskedFor(t *testing.T) {
	for _, tt := range []struct {
		name, target, env string
		opts              resolver.BuildOptions
	}{
		{"when the channel disables it", aTest, "", resolver.BuildOptions{DisableServiceConfig: true}},
		{"when the environment disables it", aTest, "False", resolver.BuildOptions{}},
		{"for this host", "dns:///localhost", "", resolver.BuildOptions{}},
		{"for names below localhost", "dns:///x.LOCALHOST.", "", resolver.BuildOptions{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.env != "" {
				t.Setenv("GRPC_ENABLE_TXT_SERVICE_CONFIG", tt.env)
			}
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t)
				h.write(t, "hosts", "10.0.0.1 localhost x.localhost\n")
				h.set("a.test.", 10, "A", "10.0.0.1")
				h.set(configAt, 10, "TXT", configRecord(`{"a":1}`))
				cc, _ := h.followWith(t, tt.target, tt.opts)
				cc.expect(t, "list 10.0.0.1")
				if asked := strings.Join(h.take(), " "); strings.Contains(asked, "TXT") {
					t.Errorf("asked %s", asked)
				}
			})
		})
	}
}

func TestServiceConfigOfANameInTheHostsFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.write(t, "resolv.conf", "nameserver 10.0.0.53\nsearch ns.test\n")
		h.write(t, "hosts", "10.0.0.1 a\n")
		h.set("_grpc_config.a.ns.test.", 10, "TXT", configRecord(`{"a":1}`))
		cc, _ := h.followWith(t, "dns:///a", resolver.BuildOptions{})
		cc.expect(t, `list 10.0.0.1 config {"a":1}`)
	})
}

// A name server that swallows questions about TXT records must not keep RPCs
// from the addresses.
func TestAddressesDoNotWaitLongForTheServiceConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 600, "A", "10.0.0.1")
		h.set("a.test.", 600, "AAAA", "2001:db8::1")
		h.set(configAt, 600, "TXT", configRecord(`{"a":1}`))
		h.delay[configAt+" TXT"] = 3 * time.Second
		cc, _ := h.followWith(t, aTest, resolver.BuildOptions{})
		cc.expect(t)
		time.Sleep(dns.Patience)
		cc.expect(t, "list 10.0.0.1 [2001:db8::1]")
		time.Sleep(5 * time.Second)
		cc.expect(t, `list 10.0.0.1 [2001:db8::1] config {"a":1}`)
	})
}

func TestServiceConfigThatCannotBeLookedUp(t *testing.T) {
	for env, want := range map[string]string{
		"":      "list 10.0.0.1",
		"false": `list 10.0.0.1 config error dns: "a.test": service config: TXT record: 10.0.0.53:53: refused`,
	} {
		t.Run("GRPC_GO_IGNORE_TXT_ERRORS="+env, func(t *testing.T) {
			if env != "" {
				t.Setenv("GRPC_GO_IGNORE_TXT_ERRORS", env)
			}
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t)
				h.set("a.test.", 10, "A", "10.0.0.1")
				h.fails("TXT", errors.New("refused"))
				cc, _ := h.followWith(t, aTest, resolver.BuildOptions{})
				cc.expect(t, want)
				h.fails("TXT", nil)
				h.set(configAt, 10, "TXT", configRecord(`{"a":1}`))
				time.Sleep(2 * time.Second)
				cc.expect(t, `list 10.0.0.1 config {"a":1}`)
			})
		})
	}
}

func TestServiceConfigThatIsMalformedIsAnErrorOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1")
		h.set(configAt, 10, "TXT", txt("grpc_config={"))
		cc, _ := h.followWith(t, aTest, resolver.BuildOptions{})
		cc.expect(t, `list 10.0.0.1 config error dns: "a.test": service config: want a JSON array of choices: unexpected end of JSON input`)
	})
}

func TestChoice(t *testing.T) {
	const one, two = `{"a": 1}`, `{"a": 2}`
	for _, tt := range []struct {
		name, text string
		roll       int
		want       string
	}{
		{"the first", `[{"serviceConfig":` + one + `},{"serviceConfig":` + two + `}]`, 0, one},
		{"none", `[]`, 0, ""},
		{"none without a config", `[{"percentage":100},{"serviceConfig":null}]`, 0, ""},
		{"another language", `[{"clientLanguage":["java"],"serviceConfig":` + one + `},{"serviceConfig":` + two + `}]`, 0, two},
		{"this language", `[{"clientLanguage":["c++","GO"],"serviceConfig":` + one + `}]`, 0, one},
		{"no language", `[{"clientLanguage":[],"serviceConfig":` + one + `}]`, 0, ""},
		{"another host", `[{"clientHostName":["HERE"],"serviceConfig":` + one + `}]`, 0, ""},
		{"this host", `[{"clientHostName":["there","here"],"serviceConfig":` + one + `}]`, 0, one},
		{"within the percentage", `[{"percentage":30,"serviceConfig":` + one + `}]`, 29, one},
		{"beyond the percentage", `[{"percentage":30,"serviceConfig":` + one + `}]`, 30, ""},
		{"nobody", `[{"percentage":0,"serviceConfig":` + one + `}]`, 0, ""},
		{"everybody", `[{"percentage":100,"serviceConfig":` + one + `}]`, 99, one},
		{"all at once", `[{"percentage":50,"clientHostName":["here"],"clientLanguage":["go"],"serviceConfig":` + one + `}]`, 49, one},
		{"unknown members", `[{"colour":"red","serviceConfig":` + one + `}]`, 0, one},
	} {
		got, err := dns.Choose(tt.text, "here", tt.roll)
		if err != nil || got != tt.want {
			t.Errorf("%s: choose(%s) = %q, %v, want %q", tt.name, tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "{", `{"serviceConfig":{}}`, `[1]`, `[{"percentage":"x"}]`, `[{"clientLanguage":"go"}]`} {
		if got, err := dns.Choose(text, "here", 0); err == nil {
			t.Errorf("choose(%q) = %q, want an error", text, got)
		}
	}
}

// A channel that has drawn its lot keeps it: a config for some must not come and
// go with each look-up.
func TestPercentageIsDrawnOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1")
		half := func(n int) string {
			return txt(fmt.Sprintf(`grpc_config=[{"percentage":50,"serviceConfig":{"n":%d}}]`, n))
		}
		chosen := 0
		for range 100 {
			h.set(configAt, 10, "TXT", half(0))
			cc, r := h.followWith(t, aTest, resolver.BuildOptions{})
			first := strings.Contains(cc.take()[0], "config")
			for n := range 5 {
				h.set(configAt, 10, "TXT", half(n+1))
				time.Sleep(11 * time.Second)
				synctest.Wait()
				if got := cc.last.ServiceConfig != nil; got != first {
					t.Fatalf("chosen = %v, and then %v", first, got)
				}
			}
			if first {
				chosen++
			}
			r.Close()
		}
		if chosen < 25 || chosen > 75 {
			t.Errorf("a config for half of the clients reached %d of 100", chosen)
		}
	})
}

func TestClientHostNameIsThisHosts(t *testing.T) {
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1")
		h.set(configAt, 10, "TXT", txt(`grpc_config=[{"clientHostName":["`+own+`"],"serviceConfig":{"a":1}}]`))
		cc, _ := h.followWith(t, aTest, resolver.BuildOptions{})
		cc.expect(t, `list 10.0.0.1 config {"a":1}`)
	})
}

func FuzzServiceConfig(f *testing.F) {
	f.Add(`grpc_config=[{"serviceConfig":{}}]`, "grpc_config=", 50)
	f.Fuzz(func(t *testing.T, one, other string, roll int) {
		text, ok := dns.ConfigText([]string{one, other})
		swapped, _ := dns.ConfigText([]string{other, one})
		if text != swapped {
			t.Errorf("records %q and %q: %q or %q, depending on the order", one, other, text, swapped)
		}
		if !ok {
			return
		}
		if got, err := dns.Choose(text, "h", roll); err != nil && got != "" {
			t.Errorf("choose(%q) = %q and %v", text, got, err)
		}
	})
}
