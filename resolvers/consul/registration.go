package consul

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	defaultTTL       = 15 * time.Second
	defaultCritical  = 10 * time.Minute
	defaultDrainWait = time.Second
	defaultInterval  = 10 * time.Second
)

// Registration is the entry of one server.
type Registration struct {
	// Service is the name that targets name.
	Service string

	// ID tells the instance from others on the agent. The default is Service-Addr,
	// so that a server that was started again takes over the entry that it left
	// behind.
	ID string

	// Addr is where clients reach the server: host:port. Without a host it is the
	// agent's.
	Addr string

	// Tags, Meta, Region and Zone are for clients to choose by. Resolvers of this
	// package have them in [Instance].
	Tags         []string
	Meta         map[string]string
	Region, Zone string

	// Weight is for when all checks pass, WarningWeight for when one warns. The
	// default of either is 1.
	Weight, WarningWeight int

	// TTL is how long the instance counts as healthy after the last heartbeat,
	// that is, after the server has crashed. Heartbeats come three times as
	// often. The default is 15 s. Negative means that there is no such check, but
	// only those in Checks.
	TTL time.Duration

	// Health, if not nil, is asked before each heartbeat. It must return once its
	// context is done, which is after the time between two heartbeats. While it
	// returns an error the instance is critical, and the error is shown in Consul.
	Health func(context.Context) error

	// Checks are what the agent is to check by itself, such as [GRPCCheck] and
	// [TCPCheck].
	Checks []*api.AgentServiceCheck

	// DeregisterCriticalServiceAfter is when the agent is to forget an instance
	// that has been critical all the time. Consul looks every 30 s, and takes no
	// less than 1 min. The default is 10 min; negative means never.
	DeregisterCriticalServiceAfter time.Duration

	// DrainWait is how long Drain waits between telling clients to stay away and
	// removing the entry. The default is 1 s; negative means not at all.
	DrainWait time.Duration

	// Namespace and Partition are for Consul Enterprise.
	Namespace, Partition string

	// Client is how to reach the agent. It stays the caller's. The default is a
	// client made from the environment, as Consul's own tools do.
	Client *api.Client

	// OnStatus, if not nil, is called on each change of the status, one call at a
	// time, from a goroutine of the registrar, which waits for it.
	OnStatus func(Status)
}

// State is how far a registration has come.
type State int

const (
	// Registering means that the agent has not been reached yet.
	Registering State = iota
	// Registered means that the entry is there: the agent has said so at the last
	// heartbeat.
	Registered
	// Retrying means that the entry is not there, or may not be, for the reason in
	// the status. It is being written again.
	Retrying
	// Draining means that clients are told to stay away, or that the entry is
	// being removed.
	Draining
	// Stopped means that the registrar has ended, and will do nothing more.
	Stopped
)

var stateNames = []string{"registering", "registered", "retrying", "draining", "stopped"}

// String returns the name in lower case.
func (s State) String() string { return stateNames[s] }

// Status is what a registrar knows of its entry.
type Status struct {
	State State

	// Err is why the last attempt did not work; nil while all is well.
	Err error
}

// GRPCCheck makes the agent call the standard health service of the server, with
// the given service name, which may be empty. The default interval is 10 s. Until
// the first call has succeeded the instance is critical.
func GRPCCheck(service string, interval time.Duration) *api.AgentServiceCheck {
	// A slash alone stands for the address, see checks.
	return &api.AgentServiceCheck{Name: "gRPC health", GRPC: "/" + service, Interval: text(interval)}
}

// TCPCheck makes the agent connect to the server. The default interval is 10 s.
// Until the first connection the instance is critical.
func TCPCheck(interval time.Duration) *api.AgentServiceCheck {
	return &api.AgentServiceCheck{Name: "TCP connection", TCP: "/", Interval: text(interval)}
}

func text(interval time.Duration) string {
	if interval <= 0 {
		interval = defaultInterval
	}
	return interval.String()
}

// complete checks a registration and fills in the defaults. The result shares
// nothing with it that a caller may change.
func (reg Registration) complete() (Registration, error) {
	if reg.Service == "" {
		return reg, errors.New("no service; want its name, such as payments")
	}
	if _, _, err := splitAddr(reg.Addr); err != nil {
		return reg, err
	}
	if reg.TTL < 0 && len(reg.Checks) == 0 {
		return reg, fmt.Errorf("TTL %v and no checks; want one of them, or nobody would notice a crash", reg.TTL)
	}
	if reg.TTL > 0 && reg.TTL < time.Second {
		return reg, fmt.Errorf("TTL %v: want 1s or more, or a negative one for no such check", reg.TTL)
	}
	if slices.Contains(reg.Checks, nil) {
		return reg, errors.New("a check that is nil")
	}
	if reg.Weight < 0 || reg.WarningWeight < 0 {
		return reg, fmt.Errorf("weights %d and %d: want none below 0", reg.Weight, reg.WarningWeight)
	}
	if reg.ID == "" {
		reg.ID = reg.Service + "-" + reg.Addr
	}
	fill(&reg.TTL, defaultTTL)
	fill(&reg.DeregisterCriticalServiceAfter, defaultCritical)
	fill(&reg.DrainWait, defaultDrainWait)
	fill(&reg.Weight, 1)
	fill(&reg.WarningWeight, 1)
	reg.Tags, reg.Meta, reg.Checks = slices.Clone(reg.Tags), maps.Clone(reg.Meta), slices.Clone(reg.Checks)
	return reg, nil
}

// fill sets a field that is zero.
func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("address %q: want host:port with a port of 1 to 65535", addr)
	}
	return host, port, nil
}

// heartbeat is the time between two.
func (reg Registration) heartbeat() time.Duration {
	if reg.TTL < 0 {
		return defaultTTL / 3
	}
	return reg.TTL / 3
}

// checkID is that of the TTL check.
func (reg Registration) checkID() string { return "service:" + reg.ID }

// service is the registration as Consul wants it. status is that of the TTL
// check.
func (reg Registration) service(status string) *api.AgentServiceRegistration {
	host, port, _ := splitAddr(reg.Addr)
	s := &api.AgentServiceRegistration{
		ID:        reg.ID,
		Name:      reg.Service,
		Address:   host,
		Port:      port,
		Tags:      reg.Tags,
		Meta:      reg.Meta,
		Weights:   &api.AgentWeights{Passing: reg.Weight, Warning: reg.WarningWeight},
		Checks:    reg.checks(status),
		Namespace: reg.Namespace,
		Partition: reg.Partition,
	}
	if reg.Region != "" || reg.Zone != "" {
		s.Locality = &api.Locality{Region: reg.Region, Zone: reg.Zone}
	}
	return s
}

// checks are the TTL check and the others, each with an ID, so that another
// registration finds them again.
func (reg Registration) checks(status string) api.AgentServiceChecks {
	var checks api.AgentServiceChecks
	if reg.TTL > 0 {
		checks = append(checks, &api.AgentServiceCheck{
			CheckID: reg.checkID(), Name: "heartbeat", TTL: reg.TTL.String(), Status: status,
		})
	}
	for i, c := range reg.Checks {
		check := *c
		fill(&check.CheckID, fmt.Sprintf("%s:%d", reg.checkID(), i+1))
		check.GRPC, check.TCP = reg.resolve(check.GRPC), reg.resolve(check.TCP)
		checks = append(checks, &check)
	}
	for _, c := range checks {
		if reg.DeregisterCriticalServiceAfter > 0 {
			fill(&c.DeregisterCriticalServiceAfter, reg.DeregisterCriticalServiceAfter.String())
		}
	}
	return checks
}

// resolve puts the server's address in front of what GRPCCheck and TCPCheck left
// open.
func (reg Registration) resolve(what string) string {
	if what == "" || what[0] != '/' {
		return what
	}
	host, port, _ := splitAddr(reg.Addr)
	if host == "" {
		host = "127.0.0.1"
	}
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	if what == "/" {
		return addr
	}
	return addr + what
}
