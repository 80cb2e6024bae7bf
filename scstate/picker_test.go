package scstate_test

import (
	"errors"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/metadata"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// fakePicker always gives the same answer.
type fakePicker struct {
	res balancer.PickResult
	err error
}

func (p *fakePicker) Pick(balancer.PickInfo) (balancer.PickResult, error) { return p.res, p.err }

func TestAPickersSubConnIsTranslated(t *testing.T) {
	p, cc := &fakePolicy{}, &fakeClientConn{}
	build(t, p, cc)
	sc, fake := p.newSubConn(t, "sc")
	var done bool
	p.cc.UpdateState(balancer.State{Picker: &fakePicker{res: balancer.PickResult{
		SubConn:  sc,
		Done:     func(balancer.DoneInfo) { done = true },
		Metadata: metadata.Pairs("k", "v"),
	}}})
	res, err := cc.last(t).Picker.Pick(balancer.PickInfo{})
	if err != nil || res.SubConn != balancer.SubConn(fake) {
		t.Errorf("Pick = %v, %v, want grpc's SubConn", res.SubConn, err)
	}
	if res.Done(balancer.DoneInfo{}); !done || len(res.Metadata.Get("k")) != 1 {
		t.Error("Pick lost Done or Metadata")
	}
}

func TestWhatAPickerReturnsWithoutASubConnOfTheFeedIsKept(t *testing.T) {
	p, cc := &fakePolicy{}, &fakeClientConn{}
	build(t, p, cc)
	foreign := &fakeSubConn{addr: "foreign"}
	for _, want := range []fakePicker{
		{err: errors.New("x")},
		{err: balancer.ErrNoSubConnAvailable},
		{res: balancer.PickResult{SubConn: foreign}},
	} {
		p.cc.UpdateState(balancer.State{Picker: &want})
		res, err := cc.last(t).Picker.Pick(balancer.PickInfo{})
		if !errors.Is(err, want.err) || res.SubConn != want.res.SubConn {
			t.Errorf("Pick = %v, %v, want %v, %v", res.SubConn, err, want.res.SubConn, want.err)
		}
	}
}

func TestADirectPickerReachesGrpcUntouched(t *testing.T) {
	p, cc := &fakePolicy{}, &fakeClientConn{}
	build(t, p, cc)
	sc, fake := p.newSubConn(t, "sc")
	picker := &fakePicker{res: balancer.PickResult{SubConn: scstate.Base(sc)}}
	p.cc.UpdateState(balancer.State{Picker: scstate.Direct(picker)})
	got := cc.last(t).Picker
	if got != balancer.Picker(picker) {
		t.Errorf("picker = %v, want the one given to Direct", got)
	}
	if res, err := got.Pick(balancer.PickInfo{}); err != nil || res.SubConn != balancer.SubConn(fake) {
		t.Errorf("Pick = %v, %v, want grpc's SubConn", res.SubConn, err)
	}
}

func TestANilPickerStaysNil(t *testing.T) {
	p, cc := &fakePolicy{}, &fakeClientConn{}
	build(t, p, cc)
	p.cc.UpdateState(balancer.State{})
	if got := cc.last(t).Picker; got != nil {
		t.Errorf("picker = %v, want nil", got)
	}
	p.cc.UpdateState(balancer.State{Picker: scstate.Direct(nil)})
	if got := cc.last(t).Picker; got != nil {
		t.Errorf("picker for Direct(nil) = %v, want nil", got)
	}
}

func TestBaseOfAForeignSubConnIsItself(t *testing.T) {
	foreign := &fakeSubConn{}
	if got := scstate.Base(foreign); got != balancer.SubConn(foreign) {
		t.Errorf("Base(foreign) = %v, want the same", got)
	}
	if got := scstate.Base(nil); got != nil {
		t.Errorf("Base(nil) = %v, want nil", got)
	}
}

func TestAPickDoesNotAllocate(t *testing.T) {
	p, cc := &fakePolicy{}, &fakeClientConn{}
	build(t, p, cc)
	sc, _ := p.newSubConn(t, "sc")
	p.cc.UpdateState(balancer.State{Picker: &fakePicker{res: balancer.PickResult{SubConn: sc}}})
	picker := cc.last(t).Picker
	if got := testing.AllocsPerRun(100, func() { _, _ = picker.Pick(balancer.PickInfo{}) }); got != 0 {
		t.Errorf("allocations per translated Pick = %v, want 0", got)
	}
}
