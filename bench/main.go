package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// config is what the command line says.
type config struct {
	out, plot, docs string
	rows            *regexp.Regexp
	quick           bool
	cpuProfile      string
}

// complete reports whether all rows are measured in full size.
func (c config) complete() bool { return !c.quick && c.rows.String() == "" }

func parseFlags(args []string, stderr io.Writer) (config, error) {
	var c config
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&c.out, "out", "", "write the results to this `file` (default bench/results.json, and nothing with -run or -quick)")
	fs.StringVar(&c.plot, "plot", "", "draw bring-up time against N into this `file`")
	fs.StringVar(&c.docs, "docs", "", "replace the table in this Markdown `file`")
	rows := fs.String("run", "", "measure only rows whose name/N match this `regexp`")
	fs.BoolVar(&c.quick, "quick", false, "small sizes, to see that everything works")
	fs.StringVar(&c.cpuProfile, "cpuprofile", "", "write a CPU profile to this `file`")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	var err error
	if c.rows, err = regexp.Compile(*rows); err != nil {
		return c, fmt.Errorf("bench: -run: %w", err)
	}
	if c.out == "" && c.complete() {
		c.out = "bench/results.json"
	}
	return c, nil
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	stop, err := startProfile(c.cpuProfile)
	if err != nil {
		return err
	}
	defer stop()
	start := time.Now()
	results, err := measureAll(ctx, c, stderr)
	if err != nil {
		return err
	}
	logf(stdout, "%s", newTable(results).Render())
	logf(stdout, "%d cores, %s, %.0f s; less is better, ratio is evenkeel / grpc-go",
		runtime.NumCPU(), runtime.Version(), time.Since(start).Seconds())
	return publish(c, results)
}

// publish writes the files that were asked for. The plot and the table are made
// from the results file, so that they show what it says.
func publish(c config, results []result) error {
	if c.out != "" {
		if err := writeResults(c.out, results); err != nil {
			return err
		}
		var err error
		if results, err = readResults(c.out); err != nil {
			return err
		}
	}
	if c.plot != "" {
		if err := drawPlot(c.plot, results); err != nil {
			return err
		}
	}
	if c.docs != "" {
		return updateDocs(c.docs, results)
	}
	return nil
}

// measureAll runs the experiments that have a row to show.
func measureAll(ctx context.Context, c config, progress io.Writer) ([]result, error) {
	grpcGo, evenkeel, err := sides()
	if err != nil {
		return nil, err
	}
	registerCensus(grpcGo, evenkeel)
	b, err := startBackend(ctx)
	if err != nil {
		return nil, err
	}
	defer b.stop()

	var all []result
	for _, e := range experiments(c, b) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		logf(progress, "%s, %s", e.metrics[0].name, count(e.n))
		results, err := e.measure(ctx, grpcGo, evenkeel)
		if err != nil {
			return nil, err
		}
		all = append(all, results...)
	}
	return selectRows(withGrowth(all), c.rows), nil
}

// experiments returns those of which any row is wanted.
func experiments(c config, b *backend) []experiment {
	s := fullScale
	if c.quick {
		s = quickScale
	}
	var wanted []experiment
	for _, list := range [][]experiment{stubExperiments(s), pickExperiments(s), channelExperiments(s, b)} {
		for _, e := range list {
			if e.matches(c.rows) {
				wanted = append(wanted, e)
			}
		}
	}
	return wanted
}

func (e experiment) matches(rows *regexp.Regexp) bool {
	for _, m := range e.metrics {
		if rows.MatchString(rowKey(m.name, e.n)) {
			return true
		}
	}
	return false
}

// selectRows returns the wanted rows, those of one name together.
func selectRows(all []result, rows *regexp.Regexp) []result {
	var wanted []result
	order := map[string]int{}
	for i, r := range all {
		if _, ok := order[r.Name]; !ok {
			order[r.Name] = i
		}
		if rows.MatchString(r.key()) {
			wanted = append(wanted, r)
		}
	}
	slices.SortStableFunc(wanted, func(a, b result) int { return cmp.Compare(order[a.Name], order[b.Name]) })
	return wanted
}

// startProfile returns what ends the profile.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

func logf(w io.Writer, format string, args ...any) {
	// What cannot be shown is no reason to stop.
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}
