package watch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// model says what a channel should hear, from the rules in the package
// documentation alone: it knows neither timers nor goroutines.
type model struct {
	grace time.Duration
	told  []string

	list string        // that the channel has
	err  string        // that the channel was told since
	held time.Duration // how long an empty answer has been held, -1 if none is
}

func (m *model) answer(list string) {
	switch {
	case list == "" && m.list != "" && m.grace > 0:
		if m.held < 0 {
			m.held = 0
		}
		list = m.list // as far as the channel is concerned
	default:
		m.held = -1
	}
	if list == m.list && m.err == "" && list != "" {
		return
	}
	if list != "" || m.list != "" {
		m.told = append(m.told, "list "+list)
		m.list, m.err = list, ""
	}
	if list == "" {
		m.fail("no endpoints")
	}
}

func (m *model) fail(text string) {
	m.held = -1
	if text != m.err {
		m.told = append(m.told, "error fake: x: "+text)
		m.err = text
	}
}

func (m *model) wait(d time.Duration) {
	if m.held < 0 {
		return
	}
	if m.held += d; m.held >= m.grace {
		m.held = -1
		m.told = append(m.told, "list ")
		m.list, m.err = "", ""
		m.fail("no endpoints")
	}
}

// TestRandomHistories plays random answers, failures and waits, and compares
// what the channel hears with the model after each of them.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			grace := []time.Duration{0, time.Second, time.Minute}[rnd.IntN(3)]
			src := newFakeSource()
			w, cc := startGrace(t, src, grace)
			m := &model{grace: grace, held: -1}
			var history []string
			for range 60 {
				history = append(history, play(rnd, src, m))
				got := cc.take()
				if !slices.Equal(got, m.told) {
					t.Fatalf("seed %d, grace %v, after %s:\nthe channel was told %q, want %q",
						seed, grace, strings.Join(history, ", "), got, m.told)
				}
				m.told = nil
			}
			w.Close()
		})
	}
}

func play(rnd *rand.Rand, src *fakeSource, m *model) string {
	lists := []string{"", "", "a", "a b", "a{1} b", "c"}
	errs := []string{"down", "down", "refused"}
	switch n := rnd.IntN(10); {
	case n < 5:
		list := lists[rnd.IntN(len(lists))]
		src.answers(list)
		m.answer(list)
		return fmt.Sprintf("answer %q", list)
	case n < 7:
		text := errs[rnd.IntN(len(errs))]
		src.fails(text)
		m.fail(text)
		return fmt.Sprintf("failure %q", text)
	default:
		// Never a sum that could be exactly the grace period.
		d := time.Duration(rnd.IntN(40_000))*time.Millisecond + 7*time.Microsecond
		time.Sleep(d)
		m.wait(d)
		return d.String()
	}
}
