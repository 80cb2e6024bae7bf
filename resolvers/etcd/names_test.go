package etcd_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

func TestTargetNamesAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEtcd()
		f.set(1, "x/1", "a:1")
		client := f.client(t)
		if err := etcd.RegisterClient("main", client); err != nil {
			t.Fatal(err)
		}
		defer etcd.UnregisterClient("main")
		if err := etcd.RegisterClient("main", client); err == nil || !strings.Contains(err.Error(), `there is a client "main" already`) {
			t.Errorf("the second RegisterClient = %v, want an error with the name", err)
		}

		cc := &fakeChannel{}
		r, err := resolver.Get(etcd.Scheme).Build(target(t, "etcd:///x?client=main"), cc, resolver.BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		<-f.opened
		cc.expect(t, "list a:1")
		build(t, client, "etcd:///x").expect(t, "list a:1") // the same client: the same watch

		_, err = resolver.Get(etcd.Scheme).Build(target(t, "etcd:///x?client=mian"), cc, resolver.BuildOptions{})
		if err == nil || !strings.Contains(err.Error(), `no client "mian" (did you mean "main"? registered through RegisterClient: main)`) {
			t.Errorf("Build with a slip of the pen = %v, want the name that was meant", err)
		}
	})
}

func TestRegisterClientRejects(t *testing.T) {
	if err := etcd.RegisterClient("x", nil); err == nil {
		t.Error("RegisterClient without a client = nil, want an error")
	}
	if err := etcd.RegisterClient("", newFakeEtcd().client(t)); err == nil {
		t.Error("RegisterClient without a name = nil, want an error")
	}
}
