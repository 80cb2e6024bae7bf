package registry

import (
	"encoding/json"
	"reflect"
)

// serviceConfig is what grpc-go reads of a service config:
// https://github.com/grpc/grpc-proto/blob/master/grpc/service_config/service_config.proto
type serviceConfig struct {
	LoadBalancingPolicy policyName      `json:"loadBalancingPolicy"`
	LoadBalancingConfig policyList      `json:"loadBalancingConfig"`
	MethodConfig        []methodConfig  `json:"methodConfig"`
	RetryThrottling     retryThrottling `json:"retryThrottling"`
	HealthCheckConfig   struct {
		ServiceName string `json:"serviceName"`
	} `json:"healthCheckConfig"`
}

type methodConfig struct {
	Name                    []methodName     `json:"name"`
	WaitForReady            bool             `json:"waitForReady"`
	Timeout                 positiveDuration `json:"timeout"`
	MaxRequestMessageBytes  uint32           `json:"maxRequestMessageBytes"`
	MaxResponseMessageBytes uint32           `json:"maxResponseMessageBytes"`
	RetryPolicy             retryPolicy      `json:"retryPolicy"`
}

type methodName struct {
	Service string `json:"service"`
	Method  string `json:"method"`
}

type retryPolicy struct {
	MaxAttempts          maxAttempts      `json:"maxAttempts"`
	InitialBackoff       positiveDuration `json:"initialBackoff"`
	MaxBackoff           positiveDuration `json:"maxBackoff"`
	BackoffMultiplier    positiveNumber   `json:"backoffMultiplier"`
	RetryableStatusCodes statusCodes      `json:"retryableStatusCodes"`
}

type retryThrottling struct {
	MaxTokens  maxTokens      `json:"maxTokens"`
	TokenRatio positiveNumber `json:"tokenRatio"`
}

// grpcConfigs has the configs of grpc-go's own policies, from their sources at
// v1.85.0: most of the types there are not exported. Absent ones accept any
// field.
var grpcConfigs = map[string]reflect.Type{
	"pick_first": reflect.TypeFor[struct {
		ShuffleAddressList bool `json:"shuffleAddressList"`
	}](),
	"round_robin": reflect.TypeFor[struct{}](),
	"autosharding_experimental": reflect.TypeFor[struct {
		ChannelFactoryKey        string   `json:"channelFactoryKey"`
		AutoShardingTarget       string   `json:"autoshardingTarget"`
		KeyHeaderName            string   `json:"keyHeaderName"`
		EnableFallback           bool     `json:"enableFallback"`
		InitialAssignmentTimeout duration `json:"initialAssignmentTimeout"`
	}](),
	"grpclb": reflect.TypeFor[struct {
		ChildPolicy policyList `json:"childPolicy"`
		ServiceName string     `json:"serviceName"`
	}](),
	"least_request_experimental": reflect.TypeFor[struct {
		ChoiceCount uint32 `json:"choiceCount"`
	}](),
	"random_subsetting_experimental": reflect.TypeFor[struct {
		SubsetSize  uint32     `json:"subsetSize"`
		ChildPolicy policyList `json:"childPolicy"`
	}](),
	"ring_hash_experimental": reflect.TypeFor[struct {
		MinRingSize       uint64 `json:"minRingSize"`
		MaxRingSize       uint64 `json:"maxRingSize"`
		RequestHashHeader string `json:"requestHashHeader"`
	}](),
	// The child policies lack a field that rls adds: only rls can check them.
	"rls_experimental": reflect.TypeFor[struct {
		RouteLookupConfig                json.RawMessage `json:"routeLookupConfig"`
		RouteLookupChannelServiceConfig  serviceConfig   `json:"routeLookupChannelServiceConfig"`
		ChildPolicy                      json.RawMessage `json:"childPolicy"`
		ChildPolicyConfigTargetFieldName string          `json:"childPolicyConfigTargetFieldName"`
	}](),
	"weighted_round_robin": reflect.TypeFor[struct {
		EnableOOBLoadReport     bool     `json:"enableOobLoadReport"`
		OOBReportingPeriod      duration `json:"oobReportingPeriod"`
		BlackoutPeriod          duration `json:"blackoutPeriod"`
		WeightExpirationPeriod  duration `json:"weightExpirationPeriod"`
		WeightUpdatePeriod      duration `json:"weightUpdatePeriod"`
		ErrorUtilizationPenalty float64  `json:"errorUtilizationPenalty"`
	}](),
	"weighted_target_experimental": reflect.TypeFor[struct {
		Targets map[string]struct {
			Weight      uint32     `json:"weight"`
			ChildPolicy policyList `json:"childPolicy"`
		} `json:"targets"`
	}](),

	"cds_experimental": reflect.TypeFor[struct {
		Cluster   string `json:"cluster"`
		IsDynamic bool   `json:"isDynamic"`
	}](),
	"outlier_detection_experimental": reflect.TypeFor[struct {
		Interval            duration `json:"interval"`
		BaseEjectionTime    duration `json:"baseEjectionTime"`
		MaxEjectionTime     duration `json:"maxEjectionTime"`
		MaxEjectionPercent  uint32   `json:"maxEjectionPercent"`
		SuccessRateEjection struct {
			StdevFactor           uint32 `json:"stdevFactor"`
			EnforcementPercentage uint32 `json:"enforcementPercentage"`
			MinimumHosts          uint32 `json:"minimumHosts"`
			RequestVolume         uint32 `json:"requestVolume"`
		} `json:"successRateEjection"`
		FailurePercentageEjection struct {
			Threshold             uint32 `json:"threshold"`
			EnforcementPercentage uint32 `json:"enforcementPercentage"`
			MinimumHosts          uint32 `json:"minimumHosts"`
			RequestVolume         uint32 `json:"requestVolume"`
		} `json:"failurePercentageEjection"`
		ChildPolicy policyList `json:"childPolicy"`
	}](),
	"priority_experimental": reflect.TypeFor[struct {
		Children map[string]struct {
			Config                     policyList `json:"config"`
			IgnoreReresolutionRequests bool       `json:"ignoreReresolutionRequests"`
		} `json:"children"`
		Priorities []string `json:"priorities"`
	}](),
	"xds_cluster_impl_experimental": reflect.TypeFor[struct {
		Cluster     string     `json:"cluster"`
		ChildPolicy policyList `json:"childPolicy"`
	}](),
	"xds_cluster_manager_experimental": reflect.TypeFor[struct {
		Children map[string]struct {
			ChildPolicy policyList `json:"childPolicy"`
		} `json:"children"`
	}](),
	"xds_wrr_locality_experimental": reflect.TypeFor[struct {
		ChildPolicy policyList `json:"childPolicy"`
	}](),
}
