package demo

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"
)

var shown = snapshot{
	elapsed: 4200 * time.Millisecond, total: 8 * time.Second, rpcs: 1000, errors: 0,
	rows: []row{
		{"127.0.0.1:1001", "up", 700, 70, "started"},
		{"127.0.0.1:1002", "gone", 300, 30, "crashed"},
	},
}

func TestPlainView(t *testing.T) {
	var out bytes.Buffer
	v := &plainView{out: &out}
	v.show(shown)
	v.event(4300*time.Millisecond, "127.0.0.1:1002", "crashed", "its lease lives on")
	v.close()
	want := "  4.2s  1 servers up, 1000 RPCs, 0 failed\n" +
		"  4.3s  127.0.0.1:1002 crashed: its lease lives on\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestLiveView(t *testing.T) {
	m := model{width: 80}
	update := func(msg tea.Msg) {
		next, _ := m.Update(msg)
		m, _ = next.(model)
	}
	if got := m.text(); !strings.HasPrefix(got, "starting") {
		t.Errorf("before the first snapshot: %q", got)
	}
	for range maxEvents + 3 {
		update("  4.3s  127.0.0.1:1002 crashed: its lease lives on, and this line is longer than sixty columns")
	}
	update(shown)
	for _, width := range []int{120, 80, 60} {
		update(tea.WindowSizeMsg{Width: width, Height: 24})
		text := m.text()
		for _, want := range []string{"4.2 of 8 s", "1000 RPCs", "0 failed", "127.0.0.1:1001", "70.0 %", "crashed"} {
			if !strings.Contains(text, want) {
				t.Errorf("at width %d the screen lacks %q:\n%s", width, want, text)
			}
		}
		for line := range strings.Lines(text) {
			if w := lipgloss.Width(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("at width %d a line is %d columns wide: %q", width, w, line)
			}
		}
		if got := strings.Count(text, "lease lives"); got > maxEvents {
			t.Errorf("events shown = %d, want the last %d", got, maxEvents)
		}
	}
}

func TestLiveViewText(t *testing.T) {
	m := model{width: 80, height: 24, snap: shown, events: []string{"  4.3s  127.0.0.1:1002 crashed: gone"}}
	want := `evenkeel demo  4.2 of 8 s, 1000 RPCs, 0 failed
╭────────────────┬───────┬──────┬────────┬─────────────┬──────────────────────╮
│ backend        │ state │ RPCs │  share │ last change │                      │
├────────────────┼───────┼──────┼────────┼─────────────┼──────────────────────┤
│ 127.0.0.1:1001 │ up    │  700 │ 70.0 % │ started     │ ████████████████████ │
│ 127.0.0.1:1002 │ gone  │  300 │ 30.0 % │ crashed     │ ███████████████      │
╰────────────────┴───────┴──────┴────────┴─────────────┴──────────────────────╯
  4.3s  127.0.0.1:1002 crashed: gone
`
	if diff := cmp.Diff(want, escapes.ReplaceAllString(m.text(), "")); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
}

// escapes matches what makes text bold, faint or red.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestLiveViewFitsTheTerminal(t *testing.T) {
	m := model{width: 80, snap: snapshot{total: time.Second}}
	for i := range 40 {
		m.snap.rows = append(m.snap.rows, row{addr: "server-" + strconv.Itoa(i), state: "up"})
	}
	for range maxEvents {
		m.events = append(m.events, "something happened")
	}
	for height := frame + 3; height < 60; height++ {
		m.height = height
		content := m.View().Content
		if got := lipgloss.Height(content); got > height {
			t.Errorf("at height %d the screen has %d lines", height, got)
		}
		for _, want := range []string{"evenkeel demo", "backend", "server-39", "something happened"} {
			if !strings.Contains(content, want) {
				t.Errorf("at height %d the screen lacks %q", height, want)
			}
		}
		if cut := !strings.Contains(content, "server-0 "); cut != strings.Contains(content, " more") {
			t.Errorf("at height %d rows are cut: %v, but the screen says otherwise", height, cut)
		}
	}
}

func TestKeysEndTheLiveView(t *testing.T) {
	for _, key := range []tea.KeyPressMsg{{Code: 'q', Text: "q"}, {Code: 'c', Mod: tea.ModCtrl}} {
		pressed := false
		model{interrupt: func() { pressed = true }}.Update(key)
		if !pressed {
			t.Errorf("%v did not interrupt the demo", key)
		}
	}
}
