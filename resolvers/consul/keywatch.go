package consul

import (
	"context"
	"math/rand/v2"

	"github.com/hashicorp/consul/api"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// keyWatch follows the key that holds the service config.
type keyWatch struct {
	query *query
	pacer *pacer
}

// follow tells what the key holds, and every change of it, until ctx is done.
func (k *keyWatch) follow(ctx context.Context, c *client, send func(context.Context, event)) {
	a := &asker{client: c, query: k.query}
	var index uint64
	var told *event
	for wait := watch.MinBackoff; ; {
		if k.pacer.wait(ctx) != nil {
			return
		}
		ans, err := a.value(ctx, index)
		if ctx.Err() != nil {
			return
		}
		e := event{config: valueOf(ans.pair), err: err}
		news := told == nil || told.config != e.config || (told.err == nil) != (err == nil)
		k.pacer.heard(news)
		if news {
			k.log(err)
			send(ctx, e)
			told = &e
		}
		if err == nil {
			index, wait = nextIndex(index, ans.meta.LastIndex), watch.MinBackoff
			continue
		}
		index = 0
		if sleep(ctx, wait/2+rand.N(wait)) != nil {
			return
		}
		wait = min(2*wait, watch.MaxBackoff)
	}
}

func (k *keyWatch) log(err error) {
	if err != nil {
		logger.Warningf("service %q: keeping the service config as it was: key %q: %v", k.query.name, k.query.configKey, err)
	}
}

func valueOf(pair *api.KVPair) string {
	if pair == nil {
		return ""
	}
	return string(pair.Value)
}
