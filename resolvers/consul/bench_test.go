package consul

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/hashicorp/consul/api"
)

// BenchmarkChoose makes endpoints of an answer that is already decoded, and
// compares them with the last ones.
func BenchmarkChoose(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := newSite(&query{name: "x"}, "")
			var entries []*api.ServiceEntry
			for i := range n {
				entry := fmt.Sprintf(`{"Node":{"Node":"n%d","Address":"10.0.0.1"},"Service":{"ID":"x%d","Port":%d,"Tags":["a","b"],"Meta":{"k":"v"}}}`, i%97, i, i+1)
				var e *api.ServiceEntry
				if err := json.Unmarshal([]byte(entry), &e); err != nil {
					b.Fatal(err)
				}
				entries = append(entries, e)
			}
			s.take(answer{entries: entries})
			b.ReportAllocs()
			for b.Loop() {
				if s.take(answer{entries: entries}) {
					b.Fatal("the same answer brought news")
				}
			}
		})
	}
}
