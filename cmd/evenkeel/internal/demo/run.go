package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/evenkeel-grpc/evenkeel"
)

// Run runs the demo and writes to out: a live table if it is a terminal, plain
// lines if not, and a summary; with cfg.JSON nothing but one line of JSON.
func Run(ctx context.Context, cfg Config, out io.Writer) error {
	if err := cfg.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &scenario{cfg: cfg, tally: newTally(), events: make(map[string]change)}
	s.view = newView(cfg, out, cancel)
	err := s.run(ctx)
	s.view.close()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded):
		return ErrInterrupted // Other errors are its consequence.
	case cause != nil:
		return cause // as they are of this
	case err != nil:
		return err
	}
	return s.publish(out)
}

// newView chooses how to show progress. The view may call end to end the demo.
func newView(cfg Config, out io.Writer, end context.CancelCauseFunc) view {
	f, isFile := out.(*os.File)
	switch {
	case cfg.JSON:
		return noView{}
	case isFile && term.IsTerminal(int(f.Fd())):
		return newLiveView(f, func() { end(ErrInterrupted) })
	default:
		return &plainView{out: out, end: end}
	}
}

// run brings everything up, plays the scenario, and takes everything down.
func (s *scenario) run(ctx context.Context) (err error) {
	if s.cluster, err = startCluster(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.cluster.close()) }()
	defer s.close()
	if err := s.start(ctx); err != nil {
		return err
	}
	target := "etcd://" + s.cluster.host + "/" + prefix
	cc, err := s.dial(target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cc.Close()) }()

	loading, stop := context.WithCancel(ctx)
	var worker sync.WaitGroup
	worker.Go(func() { load(loading, cc, s.cfg.Rate, s.tally) })
	err = s.play(ctx)
	stop()
	worker.Wait()
	if err == nil {
		s.finish(target)
	}
	return err
}

func (s *scenario) dial(target string) (*grpc.ClientConn, error) {
	config, err := s.cfg.serviceConfig()
	if err != nil {
		return nil, err
	}
	return evenkeel.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		evenkeel.WithServiceConfig(config))
}

// publish writes the report. RPCs that failed make it an error.
func (s *scenario) publish(out io.Writer) error {
	if s.cfg.JSON {
		js, err := json.Marshal(s.report)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s\n", js); err != nil {
			return err
		}
	} else if err := s.report.summarise(out); err != nil {
		return err
	}
	if _, failed, last := s.tally.totals(); failed > 0 {
		return fmt.Errorf("%d of %d RPCs failed, the last with: %w", failed, s.report.RPCs, last)
	}
	return nil
}
