package demo

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
)

// liveView redraws a table on a terminal.
type liveView struct {
	out     *os.File
	program *tea.Program
	ended   chan struct{}
	last    tea.Model // set when ended is closed
}

// newLiveView takes over the terminal until close. interrupt is called when
// somebody presses Ctrl-C or q.
func newLiveView(out *os.File, interrupt func()) *liveView {
	m := model{interrupt: interrupt, width: 80}
	v := &liveView{
		out:     out,
		program: tea.NewProgram(m, tea.WithOutput(out), tea.WithoutSignalHandler()),
		ended:   make(chan struct{}),
	}
	go func() {
		defer close(v.ended)
		v.last, _ = v.program.Run() // Without a terminal to draw on there is still the summary.
	}()
	return v
}

func (*liveView) interval() time.Duration { return 100 * time.Millisecond }

func (v *liveView) show(s snapshot) { v.program.Send(s) }

func (v *liveView) event(at time.Duration, addr, state, detail string) {
	v.program.Send(fmt.Sprintf("%5.1fs  %s %s: %s", at.Seconds(), addr, state, detail))
}

// close gives the terminal back and leaves the last state on it.
func (v *liveView) close() {
	v.program.Quit()
	<-v.ended
	if m, ok := v.last.(model); ok && m.snap.total > 0 {
		m.height = 0
		_, _ = lipgloss.Fprint(v.out, m.text()) // The summary reports what is wrong with out.
	}
}

// model is what bubbletea draws.
type model struct {
	interrupt func()
	width     int
	height    int // 0 is unlimited
	snap      snapshot
	events    []string // newest last
}

var _ tea.Model = model{}

// maxEvents is how many lines are kept below the table.
const maxEvents = 8

func (model) Init() tea.Cmd { return nil }

func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case snapshot:
		m.snap = msg
	case string:
		m.events = append(slices.Clip(m.events), msg)
		m.events = m.events[max(0, len(m.events)-maxEvents):]
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		if k := msg.String(); k == "ctrl+c" || k == "q" {
			m.interrupt()
		}
	}
	return m, nil
}

func (m model) View() tea.View {
	v := tea.NewView(m.text() + faint.Render("q or Ctrl-C ends the demo"))
	v.AltScreen = true // Inline, a table that no longer fits after a resize leaves pieces.
	return v
}

var (
	faint  = lipgloss.NewStyle().Faint(true)
	strong = lipgloss.NewStyle().Bold(true)
	alarm  = lipgloss.NewStyle().Foreground(lipgloss.Red)
	cell   = lipgloss.NewStyle().Padding(0, 1)
	number = cell.Align(lipgloss.Right)
)

// text returns the screen.
func (m model) text() string {
	if m.snap.total == 0 {
		return "starting etcd and the servers ...\n"
	}
	var b strings.Builder
	failed := fmt.Sprintf("%d failed", m.snap.errors)
	if m.snap.errors > 0 {
		failed = alarm.Render(failed)
	}
	fmt.Fprintf(&b, "%s  %.1f of %.0f s, %d RPCs, %s\n", strong.Render("evenkeel demo"),
		m.snap.elapsed.Seconds(), m.snap.total.Seconds(), m.snap.rpcs, failed)
	hidden, events := m.fit()
	b.WriteString(m.table(m.snap.rows[hidden:]))
	b.WriteByte('\n')
	if hidden > 0 {
		b.WriteString(faint.Render(fmt.Sprintf("  and %d more", hidden)) + "\n")
	}
	for _, e := range m.events[len(m.events)-events:] {
		b.WriteString(lipgloss.NewStyle().MaxWidth(m.width).Render(e) + "\n")
	}
	return b.String()
}

// frame is how many lines there are besides rows and events: the title, the
// table's head and borders, the help.
const frame = 6

// fit returns how many rows to hide and how many events to show, so that the
// screen is not taller than the terminal. The first rows are hidden: those that
// changed come last.
func (m model) fit() (hidden, events int) {
	rows, events := len(m.snap.rows), len(m.events)
	if m.height == 0 || rows+events+frame <= m.height {
		return 0, events
	}
	space := max(m.height-frame, 3) // a row, how many are hidden, an event
	events = min(events, max(space-rows, 1, space/3))
	if rows+events > space {
		hidden = min(rows+events+1-space, rows-1) // One line says how many.
	}
	return max(hidden, 0), events
}

// withBars is the least width that has room for the bars.
const withBars = 80

func (m model) table(rows []row) string {
	head := []string{"backend", "state", "RPCs", "share", "last change"}
	if m.width >= withBars {
		head = append(head, "")
	}
	t := table.New().Border(lipgloss.RoundedBorder()).BorderStyle(faint).Headers(head...).StyleFunc(style(rows))
	for _, r := range rows {
		line := []string{r.addr, r.state, strconv.Itoa(r.rpcs), fmt.Sprintf("%.1f %%", r.share), r.last, bar(r.share)}
		t.Row(line[:len(head)]...)
	}
	return t.Render()
}

// style aligns numbers to the right, and sets off what is not up.
func style(rows []row) table.StyleFunc {
	return func(r, col int) lipgloss.Style {
		s := cell
		if col == 2 || col == 3 {
			s = number
		}
		if r < 0 || r >= len(rows) {
			return s
		}
		switch rows[r].state {
		case "up":
			return s
		case "crashed":
			return s.Foreground(lipgloss.Red)
		default:
			return s.Faint(true)
		}
	}
}

// bar draws a share, one block for each two percent.
func bar(percent float64) string {
	const most = 20
	return strings.Repeat("█", min(most, int(percent/2+0.5)))
}
