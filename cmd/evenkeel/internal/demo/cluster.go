package demo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// cluster is an etcd of one member in this process, and a client of it for the
// servers to register with.
type cluster struct {
	dir    string
	server *embed.Etcd
	client *clientv3.Client
	host   string // host:port for clients
}

func startCluster(ctx context.Context) (c *cluster, err error) {
	c = &cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting etcd: %w", err), c.close())
		}
	}()
	if c.dir, err = os.MkdirTemp("", "evenkeel-demo-"); err != nil {
		return c, err
	}
	free := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg := embed.NewConfig()
	cfg.Dir = c.dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{free}, []url.URL{free}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{free}, []url.URL{free}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	cfg.UnsafeNoFsync = true // It need not survive this process.
	if c.server, err = embed.StartEtcd(cfg); err != nil {
		return c, err
	}
	select {
	case <-c.server.Server.ReadyNotify():
	case err := <-c.server.Err():
		return c, err
	case <-ctx.Done():
		return c, ctx.Err()
	}
	c.host = c.server.Clients[0].Addr().String()
	c.client, err = clientv3.New(clientv3.Config{Endpoints: []string{c.host}, Logger: zap.NewNop()})
	return c, err
}

// close stops what was started and removes the folder.
func (c *cluster) close() error {
	var err error
	if c.client != nil {
		err = c.client.Close()
	}
	if c.server != nil {
		c.server.Close()
		<-c.server.Server.StopNotify()
	}
	return errors.Join(err, os.RemoveAll(c.dir))
}
