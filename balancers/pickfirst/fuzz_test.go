package pickfirst_test

import (
	"encoding/json"
	"testing"

	"google.golang.org/grpc/balancer"

	"github.com/evenkeel-grpc/evenkeel/balancers/pickfirst"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

// FuzzParseConfig holds this package to accepting exactly the configs that
// grpc-go's pick_first accepts.
func FuzzParseConfig(f *testing.F) {
	old, ok := registry.Default.ReplacedBalancer(pickfirst.Name)
	if !ok {
		f.Fatal("grpc-go's own pick_first was not there to be replaced")
	}
	theirs, ok := old.(balancer.ConfigParser)
	if !ok {
		f.Fatal("grpc-go's pick_first parses no configs")
	}
	for _, seed := range []string{
		`{}`, `null`, ``, `[]`, `{"shuffleAddressList":true}`, `{"ShuffleAddressList":1}`, `{"failback":"30s"}`,
		`{"failback":30}`, `{"FAILBACK":{"a":[]}}`, `{"failback":"30s","failback":null}`, `{"shuffleAddressList":true,}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, js []byte) {
		_, wantErr := theirs.ParseConfig(json.RawMessage(js))
		_, err := parser(t).ParseConfig(json.RawMessage(js))
		if (err == nil) != (wantErr == nil) {
			t.Errorf("ParseConfig(%q) = %v, grpc-go's = %v", js, err, wantErr)
		}
	})
}
