# make help lists the targets. Every target works from a fresh clone.

# Every module of the workspace. The dependencies of tools, e2e/consul and
# e2e/coredns stay apart.
PACKAGES := ./... ./bench/... ./cmd/evenkeel/... ./conformance/... ./e2e/...
MODULES  := . ./bench ./cmd/evenkeel ./conformance ./e2e ./e2e/consul ./e2e/coredns ./tools

# The race detector needs a C compiler. Without one the tests still run.
CC_FOUND := $(shell command -v $${CC:-cc} || command -v gcc)
RACE     := $(if $(CC_FOUND),-race,)

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Watch a channel follow its backends in a real etcd
	go run ./cmd/evenkeel demo

.PHONY: test
test: .bin/gotestsum .bin/consul ## Run all modules' tests, with -race and shuffled
	@$(if $(RACE),,echo "make test: no C compiler found, so without -race" >&2)
	.bin/gotestsum --format pkgname --hide-summary skipped -- $(RACE) -shuffle=on -timeout 20m $(TESTFLAGS) $(PACKAGES)

.PHONY: test-full
test-full: .bin/consul ## Run the etcd and Consul tests at full length, with time limits (some 8 minutes)
	go test -timeout 20m -count=1 -v -run 'Etcd|Consul' ./e2e -full
	go test -run '^$$' -bench 'Etcd|Consul' ./e2e

# feed: grpc-go's own policies behind our feed. plugins: ours in their place.
.PHONY: conformance
conformance: ## Run a subset of grpc-go's own tests over our code
	go run ./conformance -quick -override=feed
	go run ./conformance -quick -override=plugins

.PHONY: conformance-full
conformance-full: ## Run all of grpc-go's tests that can notice (some 10 minutes)
	go run ./conformance -full -override=feed
	go run ./conformance -full -override=plugins

.PHONY: bench
bench: ## Measure against grpc-go, side by side (some 4 minutes)
	go run ./bench -plot docs/bring-up.svg -docs docs/benchmarks.md

.PHONY: lint
lint: .bin/golangci-lint ## Lint every module
	go vet $(PACKAGES)
	.bin/golangci-lint run $(PACKAGES)

.PHONY: fmt
fmt: .bin/golangci-lint ## Format every module
	.bin/golangci-lint fmt

.PHONY: tidy-check
tidy-check: ## Fail if a go.mod or go.sum is not tidy
	@for m in $(MODULES); do (cd $$m && GOWORK=off go mod tidy -diff) || exit 1; done

.PHONY: vuln
vuln: .bin/govulncheck ## Look up known vulnerabilities (needs the network)
	.bin/govulncheck ./...

# A real Consul for the tests in e2e. It takes minutes, once.
.bin/consul: e2e/consul/go.mod e2e/consul/go.sum
	cd e2e/consul && GOWORK=off go build -o ../../$@ github.com/hashicorp/consul
	@touch $@

# The tools are built outside the workspace: their versions are tools/go.mod's alone.
.bin/golangci-lint: PKG = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
.bin/gotestsum:     PKG = gotest.tools/gotestsum
.bin/govulncheck:   PKG = golang.org/x/vuln/cmd/govulncheck
.bin/golangci-lint .bin/gotestsum .bin/govulncheck: tools/go.mod tools/go.sum
	cd tools && GOWORK=off go build -o ../$@ $(PKG)
	@touch $@
