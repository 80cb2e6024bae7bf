package registry

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/evenkeel-grpc/evenkeel/registry/internal/jsonpos"
)

var (
	_ leaf = duration{}
	_ leaf = positiveDuration{}
	_ leaf = positiveNumber{}
	_ leaf = maxAttempts{}
	_ leaf = maxTokens{}
)

// duration is proto3's JSON form of google.protobuf.Duration, such as "1.5s".
type duration struct{}

func (duration) check(c *checker, n *jsonpos.Node) { checkDuration(c, n) }

// positiveDuration is a duration above 0.
type positiveDuration struct{}

// check refuses a timeout of 0 although grpc does not: every RPC would end at
// once. For a backoff of 0 it would refuse the config.
func (positiveDuration) check(c *checker, n *jsonpos.Node) {
	if s, ok := checkDuration(c, n); ok && (strings.HasPrefix(s, "-") || !strings.ContainsAny(s, "123456789")) {
		c.want(n, "a duration above 0")
	}
}

// durationPattern takes the seconds, in the first group, and up to nanoseconds.
var durationPattern = regexp.MustCompile(`^-?([0-9]+)(?:\.[0-9]{1,9})?s$`)

// checkDuration checks the form of a duration, and returns it if it is good.
// grpc-go also takes sloppy forms such as ".5s" and "+1s", other languages do not.
func checkDuration(c *checker, n *jsonpos.Node) (text string, ok bool) {
	const maxSeconds = 315_576_000_000 // of a google.protobuf.Duration
	if n.Kind != jsonpos.String {
		c.want(n, `a duration in seconds as a string, such as "1.5s"`)
		return "", false
	}
	m := durationPattern.FindStringSubmatch(n.Text)
	if m == nil {
		// People write Go's form. Tell them the same duration in ours.
		example := "1.5s"
		if d, err := time.ParseDuration(n.Text); err == nil {
			example = strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
		}
		c.want(n, fmt.Sprintf("a duration in seconds, such as %q", example))
		return "", false
	}
	if s, err := strconv.ParseInt(m[1], 10, 64); err != nil || s > maxSeconds {
		c.want(n, fmt.Sprintf("a duration of at most %d seconds", int64(maxSeconds)))
		return "", false
	}
	return n.Text, true
}

// positiveNumber is a number above 0.
type positiveNumber struct{}

func (positiveNumber) check(c *checker, n *jsonpos.Node) {
	if f, ok := number(n); !ok || f <= 0 {
		c.want(n, "a number above 0")
	}
}

// maxTokens is a number above 0, up to 1000.
type maxTokens struct{}

func (maxTokens) check(c *checker, n *jsonpos.Node) {
	if f, ok := number(n); !ok || f <= 0 || f > 1000 {
		c.want(n, "a number above 0, up to 1000")
	}
}

// number returns the value as grpc would decode it.
func number(n *jsonpos.Node) (float64, bool) {
	if n.Kind != jsonpos.Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(n.Raw, 64)
	return f, err == nil
}

// maxAttempts is a whole number from 2 on.
type maxAttempts struct{}

func (maxAttempts) check(c *checker, n *jsonpos.Node) {
	if i, err := strconv.Atoi(n.Raw); err != nil || i < 2 {
		c.want(n, "a whole number of attempts from 2 on, of which grpc makes at most 5")
	}
}
