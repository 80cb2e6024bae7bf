package consul

import (
	"strings"
	"time"

	"github.com/evenkeel-grpc/evenkeel/internal/secret"
)

// config is what a target says. Its parts can be compared: channels share a
// client if they have the same access, and a query if that is the same too.
type config struct {
	access     access
	query      query
	grace      time.Duration
	maxBackoff time.Duration
}

// access is how to reach Consul. What is empty comes from the environment or
// from the builder's config.
type access struct {
	addr   string // host or host:port
	scheme string // http or https

	user     string
	password secret.Text
	token    secret.Text

	// Paths of files, read when a client is made; tokenFile at every request.
	tokenFile, caFile, certFile, keyFile string

	serverName string // that the certificate must have
	insecure   bool   // whether any certificate will do

	exposed bool // whether the target had a secret in the clear
}

// open returns the secret in a part of a target, sealed or not.
func (a *access) open(text string) secret.Text {
	s := secret.Open(text)
	a.exposed = a.exposed || s != secret.Text{} && s == secret.New(text)
	return s
}

// isZero tells whether the target leaves everything to others.
func (a access) isZero() bool { return a == access{} }

var noSecret secret.Text

// query is what to ask Consul for, and how.
type query struct {
	name      string // of the service or prepared query
	prepared  bool
	connect   bool // only instances that can be reached through Connect
	tags      list // all of which an instance must have, sorted
	dcs       list // in the order of preference; empty means the agent's own
	ns        string
	partition string
	near      string
	filter    string

	health   health // the worst that is good enough
	fallback bool   // whether worse ones are better than none
	limit    int    // of endpoints, 0 if there is none
	addr     string // which of an instance's addresses; empty means the usual one

	reads     reads
	wait      time.Duration // how long Consul may hold an answer back; 0 means the default
	timeout   time.Duration // how much longer an answer may take
	configKey string        // of a service config; empty if there is none
}

// health is how well an instance is, the best first.
type health int

const (
	passing health = iota
	warning
	critical // anything worse, maintenance included
)

func (h health) String() string { return [...]string{"passing", "warning", "critical"}[h] }

// reads is a consistency mode of Consul's.
type reads int

const (
	readDefault reads = iota
	readStale
	readConsistent
	readCached
)

// list is several texts in one that can be compared.
type list string

func newList(texts []string) list { return list(strings.Join(texts, "\x00")) }

func (l list) split() []string {
	if l == "" {
		return nil
	}
	return strings.Split(string(l), "\x00")
}

const (
	// defaultWait is Consul's own default.
	defaultWait = 5 * time.Minute
	// maxWait is the longest that Consul grants.
	maxWait = 10 * time.Minute
	// pollInterval is the default between two executions of a prepared query.
	pollInterval = 10 * time.Second
	// defaultTimeout is long enough for a large list over a slow line.
	defaultTimeout = 5 * time.Second
	// defaultMaxBackoff keeps the longest gap between two attempts to connect
	// below 2 s, also if packets are dropped.
	defaultMaxBackoff = 600 * time.Millisecond
)
