package etcd

import (
	"testing"
	"time"
)

// sendAll plays a change each step for as long as d, and returns when something
// was published.
func sendAll(step, d time.Duration) []time.Duration {
	var p pace
	var due time.Time // of the timer in p.due
	var sent []time.Duration
	began := time.Now()
	for at := time.Duration(0); at < d; at += step {
		now := began.Add(at)
		free := p.changed(now)
		if !free && due.IsZero() {
			due = p.full.Add(-(paceBurst - 1) * paceInterval)
		}
		if free || !now.Before(due) {
			p.sent(now)
			due = time.Time{}
			sent = append(sent, at)
		}
	}
	return sent
}

func TestPaceAllowsTwentyInAnySecond(t *testing.T) {
	for _, step := range []time.Duration{time.Millisecond, 7 * time.Millisecond, 60 * time.Millisecond} {
		sent := sendAll(step, 20*time.Second)
		for i := range sent {
			if i+20 < len(sent) && sent[i+20]-sent[i] < time.Second {
				t.Fatalf("a change each %v: more than 20 lists between %v and %v", step, sent[i], sent[i+20])
			}
		}
		if n := len(sent); n < 190 {
			t.Errorf("a change each %v: %d lists in 20 s, want about 10 a second", step, n)
		}
	}
}

func TestPaceLetsRareChangesThrough(t *testing.T) {
	if n := len(sendAll(paceInterval, 10*time.Second)); n != 100 {
		t.Errorf("lists for 100 changes, one each %v: %d, want 100", paceInterval, n)
	}
	if sent := sendAll(time.Millisecond, time.Second); sent[paceBurst-1] != (paceBurst-1)*time.Millisecond {
		t.Errorf("lists after a quiet time were published after %v, want the first %d at once", sent, paceBurst)
	}
}

func TestPaceRemembersWhatIsLate(t *testing.T) {
	var p pace
	now := time.Now()
	for range paceBurst {
		if !p.changed(now) {
			t.Fatal("one of the first changes has to wait")
		}
		p.sent(now)
	}
	if p.late {
		t.Error("something is late after everything was sent")
	}
	if p.changed(now) || !p.late || p.due == nil {
		t.Errorf("after %d lists at once: %+v, want the next change to be late", paceBurst, p)
	}
}
