package register

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// MinRepair is the first wait between two attempts, before jitter.
	MinRepair = 100 * time.Millisecond
	// MaxRepair is the longest, before jitter.
	MaxRepair = 2 * time.Second
)

// Keeper keeps one entry. Its methods are called one at a time.
type Keeper[D any] interface {
	// Attempt keeps the entry until something happens to it, and returns what; or
	// removes it, if it is to go, and returns nil when it is gone.
	Attempt(context.Context) error
	// Failed logs what Attempt returned, and returns what is known now.
	Failed(error) D
	// Leave removes the entry in a hurry: the registrar's own context is done, this
	// one never is.
	Leave(context.Context) (gone bool)
	// Close is called last, and once.
	Close()
}

// Start has the entry kept until ctx is done or it has been drained.
func (b *Book[W, D]) Start(ctx context.Context, k Keeper[D]) {
	go func() {
		defer close(b.done)
		b.run(ctx, k)
	}()
}

func (b *Book[W, D]) run(ctx context.Context, k Keeper[D]) {
	defer b.Note(func(s *Status[D]) { *s = Status[D]{State: Stopped, Err: s.Err} })
	defer k.Close()
	retry := &backoff.ExponentialBackOff{
		InitialInterval: MinRepair, MaxInterval: MaxRepair, Multiplier: 2, RandomizationFactor: 0.5,
	}
	for ctx.Err() == nil {
		started := time.Now()
		err := k.Attempt(ctx)
		if err == nil {
			b.note(func() { b.drained, b.status = true, Status[D]{State: Draining} })
			return
		}
		if ctx.Err() != nil {
			break
		}
		b.failed(err, k.Failed(err))
		if time.Since(started) >= MaxRepair {
			retry.Reset()
		}
		b.pause(ctx, retry.NextBackOff())
	}
	if k.Leave(context.WithoutCancel(ctx)) {
		b.note(func() { b.drained = true })
	}
}

func (b *Book[W, D]) failed(err error, detail D) {
	b.note(func() {
		b.status.Err, b.status.Detail = err, detail
		if !b.draining {
			b.status.State = Retrying
		}
	})
}

// pause waits for the next attempt, but not if the entry is to go now.
func (b *Book[W, D]) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-b.nudge:
			if _, _, draining := b.Wanted(); draining && b.Status().State != Draining {
				return
			}
		}
	}
}
