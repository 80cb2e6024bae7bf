// Command evenkeel shows what the SDK does.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/evenkeel-grpc/evenkeel/cmd/evenkeel/internal/demo"
)

// exitInterrupted is what a shell reports for a program ended by SIGINT.
const exitInterrupted = 130

func main() {
	// A pipe whose reader has left is a write error. It must not end the process,
	// which would leave the files of its etcd behind.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := newRoot().ExecuteContext(ctx)
	interrupted := ctx.Err() != nil || errors.Is(err, demo.ErrInterrupted)
	stop()
	switch {
	case interrupted:
		os.Exit(exitInterrupted)
	case err != nil:
		fmt.Fprintln(os.Stderr, "evenkeel:", err)
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "evenkeel",
		Short:         "balancers and resolvers for grpc-go",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (%s --help lists what is accepted)", err, cmd.CommandPath())
	})
	root.AddCommand(newDemo())
	return root
}

func newDemo() *cobra.Command {
	cfg := demo.DefaultConfig()
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "watch a channel follow its backends in a real etcd",
		Long: "demo starts an etcd, greeter servers that register in it, and a channel that finds\n" +
			"them there. While RPCs run, it adds two servers, drains one and crashes one.\n" +
			"The exit status is 0 only if every RPC succeeded.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo.Run(cmd.Context(), cfg, os.Stdout)
		},
	}
	f := cmd.Flags()
	f.IntVar(&cfg.Backends, "backends", cfg.Backends, "servers to start with, 3 to 100")
	f.StringVar(&cfg.Policy, "policy", cfg.Policy, "load-balancing policy of the channel")
	f.DurationVar(&cfg.Duration, "duration", cfg.Duration, "how long RPCs run, 5s to 1h")
	f.Float64Var(&cfg.Rate, "rate", cfg.Rate, "RPCs per second; 0 is as fast as one worker goes")
	f.BoolVar(&cfg.JSON, "json", cfg.JSON, "print one JSON object with the figures instead of progress")
	return cmd
}
