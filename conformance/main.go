package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// config is what the command line says.
type config struct {
	override string
	quick    bool
	full     bool
	packages []string
	pattern  string // -run
	repo     string
	noCache  bool
	reruns   int
	race     bool
	parallel int
	timeout  time.Duration
	verbose  bool
}

func parseFlags(args []string, stderr io.Writer) (config, error) {
	var c config
	fs := flag.NewFlagSet("conformance", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&c.override, "override", overrideFeed, "what replaces grpc-go's round_robin, pick_first and dns: feed (its own policies, wrapped by scstate) or plugins")
	fs.BoolVar(&c.quick, "quick", false, "run the subset meant for every CI run (the default)")
	fs.BoolVar(&c.full, "full", false, "run every package whose tests can notice")
	fs.StringVar(&c.pattern, "run", "", "run only the tests that match, as in go test")
	fs.StringVar(&c.repo, "repo", "", "evenkeel checkout to test (default: the one around the current directory)")
	fs.BoolVar(&c.noCache, "no-cache", false, "run the baseline again instead of reading its cached results")
	fs.IntVar(&c.reruns, "reruns", 3, "how often a failing test is run again, alone, before it counts; 0 takes the first result")
	fs.BoolVar(&c.race, "race", false, "run with the race detector")
	fs.IntVar(&c.parallel, "p", 0, "packages to build and test at once (default: go test's)")
	fs.DurationVar(&c.timeout, "timeout", 3*time.Minute, "time limit of one package's tests")
	fs.BoolVar(&c.verbose, "v", false, "print the output of the tests that differ")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	c.packages = fs.Args()
	return c, c.check()
}

func (c config) check() error {
	if c.override != overrideFeed && c.override != overridePlugins {
		return fmt.Errorf("conformance: -override=%q: want %s or %s", c.override, overrideFeed, overridePlugins)
	}
	chosen := 0
	for _, b := range []bool{c.quick, c.full, len(c.packages) > 0} {
		if b {
			chosen++
		}
	}
	if chosen > 1 {
		return errors.New("conformance: want one of -quick, -full and a list of packages")
	}
	if c.pattern != "" && len(c.packages) == 0 {
		return errors.New("conformance: -run wants a list of packages")
	}
	return nil
}

// run is main without the process around it. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		var rep *report
		if rep, err = conform(ctx, c, stdout); err == nil {
			rep.write(stdout, c.verbose)
			return rep.exitStatus()
		}
	}
	_, _ = fmt.Fprintln(stderr, err)
	return 2
}

// conform prepares the copy of grpc, runs the tests both ways and compares.
func conform(ctx context.Context, c config, progress io.Writer) (*report, error) {
	start := time.Now()
	skips, err := parseSkips(skipFile)
	if err != nil {
		return nil, err
	}
	repo, err := findRepo(c.repo)
	if err != nil {
		return nil, err
	}
	tree, err := openTree(ctx, repo)
	if err != nil {
		return nil, err
	}
	defer tree.close()
	ov, err := newOverride(c.override, repo)
	if err != nil {
		return nil, err
	}
	suites, err := prepare(ctx, tree, ov, choose(c))
	if err != nil {
		return nil, err
	}
	r := &runner{dir: tree.dir, config: c, progress: progress}
	logf(progress, "grpc %s, %s, override %s: %s", tree.version, tree.goVersion, c.override, ov)

	base, err := runBaseline(ctx, r, tree, suites)
	if err != nil {
		return nil, err
	}
	skips = skips.forOverride(ov)
	logf(progress, "with the override")
	over, err := runOverride(ctx, r, suites, skips)
	if err != nil {
		return nil, err
	}
	rep := compare(suites, base, over, skips)
	if err := r.confirm(ctx, rep); err != nil {
		return nil, err
	}
	rep.elapsed = time.Since(start)
	return rep, nil
}

func logf(w io.Writer, format string, args ...any) {
	// Progress that cannot be written is no reason to stop.
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}
