package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// newTable returns the results as a table, to be rendered as text or Markdown.
func newTable(results []result) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"what", "N", "grpc-go", "evenkeel", "ratio", "target", "met"})
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 2, Align: text.AlignRight}, {Number: 3, Align: text.AlignRight},
		{Number: 4, Align: text.AlignRight}, {Number: 5, Align: text.AlignRight},
	})
	for _, r := range results {
		t.AppendRow(tableRow(r))
	}
	return t
}

func tableRow(r result) table.Row {
	grpcGo, ratio, want, met := "not run", "", "", ""
	if r.GRPC != nil {
		grpcGo = quantity(*r.GRPC, r.Unit)
	}
	if r.Ratio != nil {
		ratio = ratioText(*r.Ratio)
	}
	if t, ok := targets[r.key()]; ok {
		want, met = t.text, "no"
		if t.met(r) {
			met = "yes"
		}
	}
	return table.Row{r.Name, count(r.N), grpcGo, quantity(r.Evenkeel, r.Unit), ratio, want, met}
}

// ratioText shows a small ratio as the fraction that it is.
func ratioText(ratio float64) string {
	if ratio > 0 && ratio < 0.1 {
		return fmt.Sprintf("1/%.0f", 1/ratio)
	}
	return fmt.Sprintf("%.2f", ratio)
}

func quantity(v float64, unit string) string {
	if unit == "" {
		return number(v)
	}
	return number(v) + " " + unit
}

// number shows three significant digits, or all of a large one's before the
// point.
func number(v float64) string {
	if v >= 100 {
		return count(int(v + 0.5))
	}
	return strconv.FormatFloat(mustRound(v), 'f', -1, 64)
}

func mustRound(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64) // it has just been formatted
	return r
}

// count groups the digits: 100,000.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// The table in the documentation is between these lines.
const (
	tableBegin = "<!-- table: go run ./bench -docs writes it -->\n"
	tableEnd   = "<!-- end of table -->\n"
)

// updateDocs replaces the table in a Markdown file.
func updateDocs(path string, results []result) error {
	old, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return err
	}
	head, rest, ok := bytes.Cut(old, []byte(tableBegin))
	_, tail, closed := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !closed {
		return fmt.Errorf("bench: %s: want a line %q and after it a line %q", path, tableBegin, tableEnd)
	}
	out := bytes.Join([][]byte{head, []byte(tableBegin), []byte("\n" + newTable(results).RenderMarkdown() + "\n\n"), []byte(tableEnd), tail}, nil)
	return os.WriteFile(path, out, 0o644) //nolint:gosec // documentation, for everyone to read
}
