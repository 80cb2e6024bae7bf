package watch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

const noEndpoints = "error fake: x: no endpoints"

func TestEmptyFirstAnswerIsAnErrorAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.answers("")
		expect(t, cc, noEndpoints)
		src.answers("")
		time.Sleep(time.Hour)
		expect(t, cc)
		src.answers("a")
		expect(t, cc, "list a")
	})
}

func TestEmptyAnswerSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.steps <- step{answer: watch.Snapshot{Detail: "3 are malformed"}}
		expect(t, cc, noEndpoints+": 3 are malformed")
	})
}

func TestEmptyAnswerAfterAListIsHeldBackForTheGracePeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.answers("a")
		cc.take()
		src.answers("")
		time.Sleep(59 * time.Second)
		src.answers("") // confirms, does not prolong
		expect(t, cc)
		time.Sleep(time.Second)
		expect(t, cc, "list ", noEndpoints)
		time.Sleep(time.Hour)
		expect(t, cc)
	})
}

func TestGraceOfZeroPublishesEmptyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := startGrace(t, src, 0)
		src.answers("a")
		src.answers("")
		expect(t, cc, "list a", "list ", noEndpoints)
	})
}

func TestListWithinTheGracePeriodEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.answers("a b")
		src.answers("")
		cc.take()
		time.Sleep(59 * time.Second)
		src.answers("a b")
		expect(t, cc) // the channel never noticed
		time.Sleep(time.Hour)
		expect(t, cc)

		src.answers("")
		time.Sleep(59 * time.Second)
		expect(t, cc) // a full period again
	})
}

func TestFailureWithinTheGracePeriodStartsItAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.answers("a")
		src.answers("")
		time.Sleep(59 * time.Second)
		src.fails("down")
		expect(t, cc, "list a", "error fake: x: down")
		time.Sleep(time.Hour)
		expect(t, cc) // nobody confirms that there is nothing

		src.answers("")
		expect(t, cc, "list a") // the error is over
		time.Sleep(59 * time.Second)
		expect(t, cc)
		time.Sleep(time.Second)
		expect(t, cc, "list ", noEndpoints)
	})
}

func TestFailureAfterAnEmptyListIsReportedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.answers("")
		src.fails("down")
		src.answers("")
		expect(t, cc, noEndpoints, "error fake: x: down", noEndpoints)
	})
}

func TestListAfterAnEmptyOneIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := startGrace(t, src, 0)
		src.answers("a")
		src.answers("")
		cc.take()
		src.answers("a")
		expect(t, cc, "list a")
	})
}
