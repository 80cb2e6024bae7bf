package registry

// known is a plugin that this version of evenkeel has heard of, whether or not
// the program imports it.
type known struct {
	kind    Kind
	name    string
	imports string // the package whose import registers it
	summary string // for one that was registered with grpc directly
}

const (
	grpcPath     = "google.golang.org/grpc"
	evenkeelPath = "github.com/evenkeel-grpc/evenkeel"
)

// knownPlugins lists evenkeel's plugins and those in grpc v1.85.0. The names
// that end in _experimental, cds_ and xds_ included, are grpc's own.
var knownPlugins = []known{
	{KindBalancer, "pick_first", evenkeelPath + "/balancers/pickfirst", "sends all RPCs to the first address that connects"},
	{KindBalancer, "v1adapter", evenkeelPath + "/balancers/v1adapter", "runs a balancer written for grpc-go's removed v1 API"},
	{KindBalancer, "round_robin", evenkeelPath + "/balancers/roundrobin", "gives RPCs to all connected endpoints in turn"},
	{KindBalancer, "autosharding_experimental", grpcPath + "/balancer/autosharding", "sends RPCs by key to the endpoint that a sharding service names"},
	{KindBalancer, "grpclb", grpcPath + "/balancer/grpclb", "asks a look-aside balancer for backends (deprecated)"},
	{KindBalancer, "least_request_experimental", grpcPath + "/balancer/leastrequest", "samples endpoints, picks the one with the fewest RPCs"},
	{KindBalancer, "random_subsetting_experimental", grpcPath + "/balancer/randomsubsetting", "balances over a random subset of the endpoints"},
	{KindBalancer, "ring_hash_experimental", grpcPath + "/balancer/ringhash", "consistent hashing by request"},
	{KindBalancer, "rls_experimental", grpcPath + "/balancer/rls", "asks a route lookup service where to send an RPC"},
	{KindBalancer, "weighted_round_robin", grpcPath + "/balancer/weightedroundrobin", "in turn, weighted by the load that endpoints report"},
	{KindBalancer, "weighted_target_experimental", grpcPath + "/balancer/weightedtarget", "splits RPCs over child policies by weight"},
	{KindBalancer, "cds_experimental", grpcPath + "/xds", "part of xDS: follows a cluster"},
	{KindBalancer, "outlier_detection_experimental", grpcPath + "/xds", "ejects endpoints that fail more than the others"},
	{KindBalancer, "priority_experimental", grpcPath + "/xds", "uses the first child policy that works"},
	{KindBalancer, "xds_cluster_impl_experimental", grpcPath + "/xds", "part of xDS: drops, load reports and limits of a cluster"},
	{KindBalancer, "xds_cluster_manager_experimental", grpcPath + "/xds", "part of xDS: one child policy per cluster"},
	{KindBalancer, "xds_wrr_locality_experimental", grpcPath + "/xds", "part of xDS: splits RPCs over localities by weight"},

	{KindResolver, "consul", evenkeelPath + "/resolvers/consul", "follows a Consul service"},
	{KindResolver, "dns", evenkeelPath + "/resolvers/dns", "looks up a host name"},
	{KindResolver, "etcd", evenkeelPath + "/resolvers/etcd", "follows a key prefix in etcd"},
	{KindResolver, "google-c2p", grpcPath + "/xds/googledirectpath", "DirectPath, for Google Cloud APIs"},
	{KindResolver, "passthrough", grpcPath, "hands the endpoint to the dialer as it is"},
	{KindResolver, "unix", grpcPath, "a Unix domain socket"},
	{KindResolver, "unix-abstract", grpcPath, "a Unix domain socket in the abstract namespace"},
	{KindResolver, "xds", grpcPath + "/xds", "follows an xDS management server"},
}

// knownImports maps the known names of one kind to what has to be imported.
func knownImports(kind Kind) map[string]string {
	m := make(map[string]string)
	for _, k := range knownPlugins {
		if k.kind == kind {
			m[k.name] = k.imports
		}
	}
	return m
}
