package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/channelz/grpc_channelz_v1"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/evenkeel-grpc/evenkeel"
	"github.com/evenkeel-grpc/evenkeel/internal/held"
)

// TestConsulSecretsAreNowhere runs [TestConsulSecretUser] in a process of its
// own, with all of grpc's logs on, and looks for the secrets in what it writes.
func TestConsulSecretsAreNowhere(t *testing.T) {
	s := startConsul(t, acls)
	s.register(t, "x", startBackend(t))
	token, _ := s.newToken(t, readAll)
	const wrong = "99999999-8888-7777-6666-555555555555"
	password := "pa55w0rd-of-jane"

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestConsulSecretUser$", "-test.v")
	cmd.Env = append(os.Environ(),
		"EVENKEEL_SECRET_TARGETS="+strings.Join([]string{
			s.target("x", "token="+token),
			s.target("x", "token="+wrong),
			s.target("x", "tok%65n="+wrong, "dc=nowhere"),
			"consul://jane:" + password + "@" + s.http + "/x?token=" + token,
			"consul://jane:" + password + "@" + held.Refusing(t) + "/x?token=" + token,
			"consul://jane:" + password + "@" + s.http + "/x?scheme=https&token=" + token,
			"consul://jane:" + password + "@" + s.http + "/x?nope&token=" + token,
			"consul://jane:" + password + "@" + s.http + "/a/b?token=" + token,
			s.target("x", "tokn="+token),
			s.target("x", "token="+token+";near=x"),
			s.target("x") + "#" + token,
		}, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text := string(out)
	for _, secret := range []string{token, wrong, password} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("a secret is shown: %.400s", text[max(0, i-200):])
		}
	}
	for _, sign := range []string{
		"original dial target is:",                                     // grpc's log
		"sealed-1",                                                     // in the target that it shows
		"ACL not found", "No path to datacenter", "connection refused", // errors of RPCs
		"unknown parameter", "name without slashes", // and of NewClient
		"channelz has the target consul://",
	} {
		if !strings.Contains(text, sign) {
			t.Errorf("the output lacks %q, so it is not what was to be searched:\n%.2000s", sign, text)
		}
	}
}

// TestConsulSecretUser is a program that has secrets in its targets.
func TestConsulSecretUser(t *testing.T) {
	targets := os.Getenv("EVENKEEL_SECRET_TARGETS")
	if targets == "" {
		t.Skip("runs only as a part of TestConsulSecretsAreNowhere")
	}
	// Nothing of grpc runs in this process yet.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2WithVerbosity(os.Stderr, os.Stderr, os.Stderr, 99))
	server := grpc.NewServer()
	channelz.RegisterChannelzServiceToServer(server)
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(lis) }()
	defer server.Stop()

	creds := grpc.WithTransportCredentials(insecure.NewCredentials())
	for target := range strings.SplitSeq(targets, "\n") {
		cc, err := evenkeel.NewClient(target, creds, evenkeel.WithServiceConfig(roundRobin))
		if err != nil {
			fmt.Println(err)
			continue
		}
		defer func() { _ = cc.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		addr, err := call(ctx, cc)
		fmt.Println(cc.Target(), addr, err)
	}
	cc := dialPlain(t, "passthrough:///"+lis.Addr().String())
	channels, err := grpc_channelz_v1.NewChannelzClient(cc).GetTopChannels(t.Context(), &grpc_channelz_v1.GetTopChannelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range channels.GetChannel() {
		fmt.Println("channelz has the target", c.GetData().GetTarget())
	}
	fmt.Println(prototext.Format(channels))
}
