package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "google.golang.org/grpc/balancer/leastrequest"
	_ "google.golang.org/grpc/balancer/weightedtarget"

	"github.com/evenkeel-grpc/evenkeel/registry"
)

func ExampleCheckServiceConfig() {
	err := registry.CheckServiceConfig(`{
  "loadBalancingPolcy": "round_robin",
  "methodConfig": [{"name": [{}], "timeout": "100ms"}]
}`)
	fmt.Println(err)
	// Output:
	// registry: service config: $.loadBalancingPolcy (2:3): unknown key "loadBalancingPolcy" with string "round_robin": did you mean "loadBalancingPolicy"? (accepted: healthCheckConfig, loadBalancingConfig, loadBalancingPolicy, methodConfig, retryThrottling)
	// 	$.methodConfig[0].timeout (3:46): want a duration in seconds, such as "0.1s", got string "100ms"
}

func ExampleConfigError() {
	err := registry.CheckServiceConfig(`{"loadBalancingPolicy":"ROUND_ROBIN"}`)
	if bad, ok := errors.AsType[*registry.ConfigError](err); ok {
		p := bad.Problems[0]
		fmt.Println(p.Path, p.Line, p.Column, errors.Is(p.Err, registry.ErrUnknown))
	}
	// Output: $.loadBalancingPolicy 1 24 true
}

func TestCheckServiceConfigAccepts(t *testing.T) {
	tests := []struct{ name, js string }{
		{"an empty config", `{}`},
		{"a policy by name", `{"loadBalancingPolicy":"round_robin"}`},
		{"a policy with a config", ` {"loadBalancingConfig" : [ {"pick_first":{"shuffleAddressList":true}} ] } `},
		{"a fallback list", `{"loadBalancingConfig":[{"least_request_experimental":{"choiceCount":3}},{"round_robin":{}}]}`},
		{"a tree of policies", `{"loadBalancingConfig":[{"weighted_target_experimental":{"targets":{"a":{"weight":1,"childPolicy":[{"round_robin":{}}]}}}}]}`},
		{"nulls for absent values", `{"loadBalancingPolicy":null,"methodConfig":[{"name":[{"service":"s","method":null}],"retryPolicy":null}]}`},
		{"a health check", `{"healthCheckConfig":{"serviceName":""}}`},
		{"a full method config", `{
			"methodConfig": [{
				"name": [{"service":"a.B","method":"C"}, {"service":"a.B"}, {}],
				"waitForReady": true,
				"timeout": "1.000000001s",
				"maxRequestMessageBytes": 0,
				"maxResponseMessageBytes": 4294967295,
				"retryPolicy": {
					"maxAttempts": 7,
					"initialBackoff": "0.1s",
					"maxBackoff": "10s",
					"backoffMultiplier": 1e0,
					"retryableStatusCodes": ["UNAVAILABLE", 4, "CANCELLED"]
				}
			}],
			"retryThrottling": {"maxTokens": 1000, "tokenRatio": 0.1}
		}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := registry.CheckServiceConfig(tt.js); err != nil {
				t.Errorf("CheckServiceConfig(%s) = %v, want nil", tt.js, err)
			}
			if err := grpcAccepts(tt.js); err != nil {
				t.Errorf("grpc refuses %s: %v", tt.js, err)
			}
		})
	}
}

// refused are configs with the beginning of what the check says about each.
// grpc accepts about half of them.
var refused = []struct {
	name, js string
	want     []string
}{
	{"an empty string", ``, []string{`$ (1:1): empty text`}},
	{"a trailing comma", "{\n  \"loadBalancingPolicy\": \"round_robin\",\n}", []string{`$ (2:39): trailing comma before '}'`}},
	{"a trailing comma in a list", `{"loadBalancingConfig":[{"round_robin":{}},]}`, []string{`$.loadBalancingConfig (1:43): trailing comma before ']'`}},
	{"trailing data", `{}{}`, []string{`$ (1:3): data after the end of the value: '{'`}},
	{"a comment", `{/* all */}`, []string{`$ (1:2): JSON has no comments`}},
	{"a text that is not an object", `null`, []string{`$ (1:1): want an object, got null`}},
	{"a list for the config", `[]`, []string{`$ (1:1): want an object, got list []`}},

	{"an unknown top-level key", `{"x":1}`, []string{`$.x (1:2): unknown key "x" with number 1 (accepted: healthCheckConfig, loadBalancingConfig,`}},
	{"a key in the wrong case", `{"MethodConfig":[]}`, []string{`$.MethodConfig (1:2): key "MethodConfig" is in the wrong case: want "methodConfig"`}},
	{"a key in the proto's spelling", `{"method_config":[]}`, []string{`$.method_config (1:2): unknown key "method_config" with list []: did you mean "methodConfig"?`}},
	{"a duplicate key", `{"methodConfig":[],"methodConfig":[]}`, []string{`$.methodConfig (1:20): duplicate key "methodConfig": only the last one counts`}},
	{"a key that only others know", `{"connectionScaling":{}}`, []string{`$.connectionScaling (1:2): grpc-go ignores "connectionScaling": it has no connection scaling (gRFC A105)`}},
	{"a long value, which is cut", `{"x":"` + strings.Repeat("y", 1000) + `"}`, []string{`$.x (1:2): unknown key "x" with string "` + strings.Repeat("y", 59) + `... (accepted:`}},

	{"a policy in the wrong case", `{"loadBalancingPolicy":"ROUND_ROBIN"}`, []string{`$.loadBalancingPolicy (1:24): no balancer "ROUND_ROBIN", grpc would use pick_first: did you mean "round_robin"?`}},
	{"a policy that is no string", `{"loadBalancingPolicy":{"round_robin":{}}}`, []string{`$.loadBalancingPolicy (1:24): want a policy's name, got object {"round_robin":{}}`}},
	{"a policy that cannot do without a config", `{"loadBalancingPolicy":"weighted_target_experimental"}`, nil},
	{"a misspelt policy in a list", `{"loadBalancingConfig":[{"roundrobin":{}}]}`, []string{`$.loadBalancingConfig[0].roundrobin (1:26): no balancer "roundrobin", grpc would skip it: did you mean "round_robin"?`}},
	{"a misspelt policy before one that grpc would take", `{"loadBalancingConfig":[{"pick_frist":{}},{"round_robin":{}}]}`, []string{`$.loadBalancingConfig[0].pick_frist (1:26): no balancer "pick_frist", grpc would skip it: did you mean "pick_first"?`}},
	{"a policy that is not imported", `{"loadBalancingConfig":[{"ring_hash_experimental":{}}]}`, []string{`$.loadBalancingConfig[0].ring_hash_experimental (1:26): no balancer "ring_hash_experimental", grpc would skip it: its package is not imported, add import _ "google.golang.org/grpc/balancer/ringhash"`}},
	{"two policies in one entry", `{"loadBalancingConfig":[{"round_robin":{},"pick_first":{}}]}`, []string{`$.loadBalancingConfig[0] (1:25): 2 policies in one entry (round_robin, pick_first): want one in each, such as [{"round_robin":{}}]`}},
	{"no policy in an entry", `{"loadBalancingConfig":[{}]}`, []string{`$.loadBalancingConfig[0] (1:25): 0 policies in one entry: want one`}},
	{"an empty list of policies", `{"loadBalancingConfig":[]}`, []string{`$.loadBalancingConfig (1:24): empty list: want a policy, such as [{"round_robin":{}}]`}},
	{"policies that are no list", `{"loadBalancingConfig":{"round_robin":{}}}`, []string{`$.loadBalancingConfig (1:24): want a list of policies such as [{"round_robin":{}}], got object {"round_robin":{}}`}},
	{"a policy that is no object", `{"loadBalancingConfig":["round_robin"]}`, []string{`$.loadBalancingConfig[0] (1:25): want an object with one policy, such as {"round_robin":{}}, got string "round_robin"`}},
	{"a policy and a list of policies", `{"loadBalancingPolicy":"pick_first","loadBalancingConfig":[{"round_robin":{}}]}`, []string{`$.loadBalancingPolicy (1:24): grpc ignores string "pick_first" because loadBalancingConfig is given as well: keep only one`}},
	{"a config for a policy that has none", `{"loadBalancingConfig":[{"round_robin":{"foo":[1, 2]}}]}`, []string{`$.loadBalancingConfig[0].round_robin.foo (1:41): unknown key "foo" with list [1, 2] (no keys are accepted here)`}},
	{"a config that is no object", `{"loadBalancingConfig":[{"round_robin":123}]}`, []string{`$.loadBalancingConfig[0].round_robin (1:40): want the policy's config as an object, such as {}, got number 123`}},
	{"an unknown field of a policy", `{"loadBalancingConfig":[{"pick_first":{"shuffleAddresses":true}}]}`, []string{`$.loadBalancingConfig[0].pick_first.shuffleAddresses (1:40): unknown key "shuffleAddresses" with boolean true: did you mean "shuffleAddressList"? (accepted: shuffleAddressList)`}},
	{"a field of a policy in the wrong case", `{"loadBalancingConfig":[{"pick_first":{"ShuffleAddressList":true}}]}`, []string{`$.loadBalancingConfig[0].pick_first.ShuffleAddressList (1:40): key "ShuffleAddressList" is in the wrong case: want "shuffleAddressList"`}},
	{"a field of a policy with the wrong type", `{"loadBalancingConfig":[{"pick_first":{"shuffleAddressList":"yes"}}]}`, []string{`$.loadBalancingConfig[0].pick_first.shuffleAddressList (1:61): want true or false, got string "yes"`}},
	{"a value that the policy's parser refuses", `{"loadBalancingConfig":[{"least_request_experimental":{"choiceCount":1}}]}`, []string{`$.loadBalancingConfig[0].least_request_experimental (1:55): least_request_experimental refuses the config {"choiceCount":1}: least-request: lbConfig.choiceCount: 1, must be >= 2`}},
	{"a misspelt policy deep in a tree", `{"loadBalancingConfig":[{"weighted_target_experimental":{"targets":{"a b":{"childPolicy":[{"rr":{}}]}}}}]}`, []string{`$.loadBalancingConfig[0].weighted_target_experimental.targets["a b"].childPolicy[0].rr (1:92): no balancer "rr", grpc would skip it: registered:`}},

	{"a methodConfig that is no list", `{"methodConfig":{}}`, []string{`$.methodConfig (1:17): want a list, got object {}`}},
	{"a method config without a name", `{"methodConfig":[{"waitForReady":true},{"name":[]}]}`, []string{
		`$.methodConfig[0] (1:18): no name, so that grpc ignores the entry: want "name", such as`,
		`$.methodConfig[1] (1:40): no name, so that grpc ignores the entry: want "name", such as`,
	}},
	{"a method without a service", `{"methodConfig":[{"name":[{"method":"M"}]}]}`, []string{`$.methodConfig[0].name[0] (1:27): method without a service in object {"method":"M"}: want both, or neither for all methods`}},
	{"a service with a slash", `{"methodConfig":[{"name":[{"service":"/a.B"}]}]}`, []string{`$.methodConfig[0].name[0] (1:27): slash in object {"service":"/a.B"}, which no call matches: want names such as`}},
	{"a duplicate method", `{"methodConfig":[{"name":[{"service":"s","method":""}]},{"name":[{"service":"s"}]}]}`, []string{`$.methodConfig[1].name[0] (1:66): duplicate name object {"service":"s"}: want each method in one entry of methodConfig`}},
	{"a hedging policy", `{"methodConfig":[{"name":[{}],"hedgingPolicy":{}}]}`, []string{`$.methodConfig[0].hedgingPolicy (1:31): grpc-go ignores "hedgingPolicy": it has no hedging, use a retryPolicy`}},
	{"a number of seconds", `{"methodConfig":[{"name":[{}],"timeout":5}]}`, []string{`$.methodConfig[0].timeout (1:41): want a duration in seconds as a string, such as "1.5s", got number 5`}},
	{"a duration in Go's form", `{"methodConfig":[{"name":[{}],"timeout":"1m30s"}]}`, []string{`$.methodConfig[0].timeout (1:41): want a duration in seconds, such as "90s", got string "1m30s"`}},
	{"a duration that is too long", `{"methodConfig":[{"name":[{}],"timeout":"315576000001s"}]}`, []string{`$.methodConfig[0].timeout (1:41): want a duration of at most 315576000000 seconds, got string "315576000001s"`}},
	{"a timeout that always fails", `{"methodConfig":[{"name":[{}],"timeout":"0.0s"}]}`, []string{`$.methodConfig[0].timeout (1:41): want a duration above 0, got string "0.0s"`}},
	{"a negative timeout", `{"methodConfig":[{"name":[{}],"timeout":"-1s"}]}`, []string{`$.methodConfig[0].timeout (1:41): want a duration above 0, got string "-1s"`}},
	{"sizes out of range", `{"methodConfig":[{"name":[{}],"maxRequestMessageBytes":-1,"maxResponseMessageBytes":"4"}]}`, []string{
		`$.methodConfig[0].maxRequestMessageBytes (1:56): want a whole number from 0 on, of at most 32 bits, got number -1`,
		`$.methodConfig[0].maxResponseMessageBytes (1:85): want a whole number from 0 on, of at most 32 bits, got string "4"`,
	}},
	{"an empty retry policy", `{"methodConfig":[{"name":[{}],"retryPolicy":{}}]}`, []string{
		`$.methodConfig[0].retryPolicy (1:45): "maxAttempts" is missing: want maxAttempts, initialBackoff, maxBackoff, backoffMultiplier, retryableStatusCodes`,
		`$.methodConfig[0].retryPolicy (1:45): "initialBackoff" is missing`,
		`$.methodConfig[0].retryPolicy (1:45): "maxBackoff" is missing`,
		`$.methodConfig[0].retryPolicy (1:45): "backoffMultiplier" is missing`,
		`$.methodConfig[0].retryPolicy (1:45): "retryableStatusCodes" is missing`,
	}},
	{
		"a retry policy out of range",
		`{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":1,"initialBackoff":"0s","maxBackoff":"-1s","backoffMultiplier":0,"retryableStatusCodes":[]}}]}`,
		[]string{
			`$.methodConfig[0].retryPolicy.maxAttempts (1:60): want a whole number of attempts from 2 on, of which grpc makes at most 5, got number 1`,
			`$.methodConfig[0].retryPolicy.initialBackoff (1:79): want a duration above 0, got string "0s"`,
			`$.methodConfig[0].retryPolicy.maxBackoff (1:97): want a duration above 0, got string "-1s"`,
			`$.methodConfig[0].retryPolicy.backoffMultiplier (1:123): want a number above 0, got number 0`,
			`$.methodConfig[0].retryPolicy.retryableStatusCodes (1:148): want a list of status codes, such as ["UNAVAILABLE"], got list []`,
		},
	},
	{
		"status codes that are none",
		`{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":2,"initialBackoff":"1s","maxBackoff":"1s","backoffMultiplier":1,"retryableStatusCodes":["unavailable",17,0,"OK",null]}}]}`,
		[]string{
			`$.methodConfig[0].retryPolicy.retryableStatusCodes[0] (1:148): want the status code "UNAVAILABLE", got string "unavailable"`,
			`$.methodConfig[0].retryPolicy.retryableStatusCodes[1] (1:162): want a status code, 1 to 16 or one of CANCELLED, UNKNOWN,`,
			`$.methodConfig[0].retryPolicy.retryableStatusCodes[2] (1:165): OK is no failure to retry`,
			`$.methodConfig[0].retryPolicy.retryableStatusCodes[3] (1:167): OK is no failure to retry`,
			`$.methodConfig[0].retryPolicy.retryableStatusCodes[4] (1:172): want a status code, 1 to 16 or one of CANCELLED, UNKNOWN,`,
		},
	},
	{"throttling out of range", `{"retryThrottling":{"maxTokens":1001,"tokenRatio":-0.1}}`, []string{
		`$.retryThrottling.maxTokens (1:33): want a number above 0, up to 1000, got number 1001`,
		`$.retryThrottling.tokenRatio (1:51): want a number above 0, got number -0.1`,
	}},
	{"throttling without a ratio", `{"retryThrottling":{"maxTokens":10}}`, []string{`$.retryThrottling (1:20): "tokenRatio" is missing: want maxTokens, tokenRatio`}},
	{"a health check without quotes", `{"healthCheckConfig":{"serviceName":1}}`, []string{`$.healthCheckConfig.serviceName (1:37): want a string, got number 1`}},
}

func TestCheckServiceConfigRefuses(t *testing.T) {
	for _, tt := range refused {
		if tt.want == nil {
			continue // Only a seed for the fuzzing.
		}
		t.Run(tt.name, func(t *testing.T) {
			comparePrefixes(t, tt.js, registry.CheckServiceConfig(tt.js), tt.want)
		})
	}
}

// comparePrefixes compares the problems in err with the beginnings in want.
func comparePrefixes(tb testing.TB, js string, err error, want []string) {
	tb.Helper()
	bad, ok := errors.AsType[*registry.ConfigError](err)
	if !ok {
		tb.Fatalf("CheckServiceConfig(%s) = %v, want a ConfigError", js, err)
	}
	var got []string
	for i, p := range bad.Problems {
		s := p.String()
		if i < len(want) && strings.HasPrefix(s, want[i]) {
			s = want[i]
		}
		got = append(got, s)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("CheckServiceConfig(%s) (-want +got):\n%s", js, diff)
	}
}

func TestCheckServiceConfigUsesThePluginsOwnConfig(t *testing.T) {
	var r registry.Registry
	r.MustRegisterBalancer(fakeParser{fakeBalancer{"fake"}}, registry.WithConfig(&fakeConfig{}))
	r.MustRegisterBalancer(fakeBalancer{"round_robin"}) // Not grpc's, so any field goes.
	tests := []struct {
		name, js string
		want     []string
	}{
		{"every field", `{"fake":{"zone":"a","choices":2,"labels":["x"],"Untag":"","free":[{}],"own":{},"weights":{"x":255},"child":{"A":true},"number":1.5,"bytes":"eA==","ratio":1.5,"quoted":"1","at":"2026-01-02T15:04:05Z"}}`, nil},
		{"a policy whose config is not known", `{"round_robin":{"anything":1}}`, nil},
		{"fields that are not decoded", `{"fake":{"private":1,"LoadBalancingConfig":{},"common":{}}}`, []string{
			`$.loadBalancingConfig[0].fake.private (1:34): unknown key "private" with number 1 (accepted: Untag, at, bytes, child, choices, free, labels, number, own, quoted, ratio, weights, zone)`,
			`$.loadBalancingConfig[0].fake.LoadBalancingConfig (1:46): unknown key "LoadBalancingConfig"`,
			`$.loadBalancingConfig[0].fake.common (1:71): unknown key "common"`,
		}},
		{"wrong types at every depth", `{"fake":{"choices":1.5,"labels":[1],"weights":{"x":256},"child":{"B":1},"number":true,"bytes":[],"ratio":"1"}}`, []string{
			`$.loadBalancingConfig[0].fake.choices (1:44): want a whole number of at most 63 bits, got number 1.5`,
			`$.loadBalancingConfig[0].fake.labels[0] (1:58): want a string, got number 1`,
			`$.loadBalancingConfig[0].fake.weights.x (1:76): want a whole number from 0 on, of at most 8 bits, got number 256`,
			`$.loadBalancingConfig[0].fake.child.B (1:90): unknown key "B" with number 1: did you mean "A"?`,
			`$.loadBalancingConfig[0].fake.number (1:106): json: cannot unmarshal bool into Go value of type json.Number, got boolean true`,
			`$.loadBalancingConfig[0].fake.bytes (1:119): want a base64 string, got list []`,
			`$.loadBalancingConfig[0].fake.ratio (1:130): want a number, got string "1"`,
		}},
		{"a value that its own type refuses", `{"fake":{"at":"noon"}}`, []string{
			`$.loadBalancingConfig[0].fake.at (1:39): `,
		}},
		{"a value that ParseConfig refuses", `{"fake":{"choices":3}}`, []string{
			`$.loadBalancingConfig[0].fake (1:33): fake refuses the config {"choices":3}: choices must be even`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			js := `{"loadBalancingConfig":[` + tt.js + `]}`
			err := r.CheckServiceConfig(js)
			if tt.want == nil {
				if err != nil {
					t.Errorf("CheckServiceConfig(%s) = %v, want nil", js, err)
				}
				return
			}
			comparePrefixes(t, js, err, tt.want)
		})
	}
}

func TestConfigErrorWrapsTheCauses(t *testing.T) {
	var r registry.Registry
	r.MustRegisterBalancer(fakeParser{fakeBalancer{"fake"}})
	err := r.CheckServiceConfig(`{"loadBalancingConfig":[{"fake":{"choices":1}},{"fike":{}}]}`)
	for _, want := range []error{errChoices, registry.ErrUnknown} {
		if !errors.Is(err, want) {
			t.Errorf("errors.Is(%v, %v) = false, want true", err, want)
		}
	}
}
