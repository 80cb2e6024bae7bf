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
	program *tea.Program
	ended   chan struct{}
}

// newLiveView takes over the terminal until close. interrupt is called when
// somebody presses Ctrl-C or q.
func newLiveView(out *os.File, interrupt func()) *liveView {
	m := model{interrupt: interrupt, width: 80}
	v := &liveView{
		program: tea.NewProgram(m, tea.WithOutput(out), tea.WithoutSignalHandler()),
		ended:   make(chan struct{}),
	}
	go func() {
		defer close(v.ended)
		_, _ = v.program.Run() // Without a terminal to draw on there is still the summary.
	}()
	return v
}

func (*liveView) interval() time.Duration { return 100 * time.Millisecond }

func (v *liveView) show(s snapshot) { v.program.Send(s) }

func (v *liveView) event(at time.Duration, addr, state, detail string) {
	v.program.Send(fmt.Sprintf("%5.1fs  %s %s: %s", at.Seconds(), addr, state, detail))
}

func (v *liveView) close() {
	v.program.Quit()
	<-v.ended
}

// model is what bubbletea draws.
type model struct {
	interrupt func()
	width     int
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
		m.width = msg.Width
	case tea.KeyPressMsg:
		if k := msg.String(); k == "ctrl+c" || k == "q" {
			m.interrupt()
		}
	}
	return m, nil
}

func (m model) View() tea.View { return tea.NewView(m.text()) }

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
	b.WriteString(m.table())
	b.WriteByte('\n')
	for _, e := range m.events {
		b.WriteString(lipgloss.NewStyle().MaxWidth(m.width).Render(e) + "\n")
	}
	b.WriteString(faint.Render("q or Ctrl-C ends the demo") + "\n")
	return b.String()
}

// withBars is the least width that has room for the bars.
const withBars = 80

func (m model) table() string {
	head := []string{"backend", "state", "RPCs", "share", "last change"}
	if m.width >= withBars {
		head = append(head, "")
	}
	t := table.New().Border(lipgloss.RoundedBorder()).BorderStyle(faint).Headers(head...).StyleFunc(m.style)
	for _, r := range m.snap.rows {
		line := []string{r.addr, r.state, strconv.Itoa(r.rpcs), fmt.Sprintf("%.1f %%", r.share), r.last, bar(r.share)}
		t.Row(line[:len(head)]...)
	}
	return t.Render()
}

// style aligns numbers to the right and dims what is gone.
func (m model) style(r, col int) lipgloss.Style {
	s := cell
	if col == 2 || col == 3 {
		s = number
	}
	if r >= 0 && r < len(m.snap.rows) && m.snap.rows[r].state != "up" {
		s = s.Faint(true)
	}
	return s
}

// bar draws a share, one block for each two percent.
func bar(percent float64) string {
	const most = 20
	return strings.Repeat("█", min(most, int(percent/2+0.5)))
}
