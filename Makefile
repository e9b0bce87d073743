# Aeraki: what there is to do. "make help" lists it.
SHELL := /bin/bash
GO    ?= go
BIN   := bin
PKGS  := ./...
# Without libc and gRPC's trace pages the proxy has 19 MB resident instead of 26
# (docs/benchmarks.md).
BUILDFLAGS := -trimpath -tags grpcnotrace

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.PHONY: build
build: ## bin/aeraki and bin/aeraki-proxy
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build $(BUILDFLAGS) -ldflags='-s -w' -o $(BIN)/ ./cmd/aeraki ./cmd/aeraki-proxy

.PHONY: demo
demo: ## the main job on loopback, live; ONCE=1 unattended, KEEP=1 resumes
	@cd demo && $(GO) run . $(if $(ONCE),-once) $(if $(KEEP),-keep)

.PHONY: check
check: ## the daily loop: Go only, nothing installed, under two minutes warm
	$(GO) vet $(PKGS)
	$(GO) test -short $(PKGS)

.PHONY: test
test: ## everything, with real peers; installs what it needs and says what
	tools/test.sh

.PHONY: sim
sim: ## simulated meshes with random seeds until stopped
	$(GO) test ./internal/engine/simtest -run TestSimulation -sim.forever -timeout 0 -v

FUZZ ?= 0
.PHONY: fuzz
fuzz: ## fuzz every decoder in turn, for ever; FUZZ=30s each once
	tools/fuzz.sh $(FUZZ)

.PHONY: bench
bench: build ## what a request costs, against Envoy and HAProxy: docs/benchmarks.md
	cd test/bench && $(GO) run . -out ../../docs/benchmarks.md

.PHONY: golden
golden: ## rewrite the golden files; review the diff
	$(GO) test ./internal/control/compile ./internal/control/translate/... ./internal/lint ./cmd/aeraki ./test/docs -update

.PHONY: generate
generate: ## protobuf code; needs protoc (Debian: protobuf-compiler)
	@mkdir -p $(BIN)
	$(GO) build -o $(BIN)/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
	PATH=$(CURDIR)/$(BIN):$$PATH protoc -I api/proxy/v1 --go_out=api/proxy/v1 --go_opt=paths=source_relative api/proxy/v1/proxy.proto

.PHONY: lint
lint: ## gofmt, vet for Linux and macOS, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go' | grep -v /gen/))" || { gofmt -l $$(git ls-files '*.go' | grep -v /gen/); exit 1; }
	$(GO) vet $(PKGS)
	GOOS=darwin GOARCH=arm64 $(GO) vet ./cmd/... ./proxy/... ./internal/...
	$(GO) tool staticcheck $(PKGS)

.PHONY: clean
clean: ## remove what was built and cached here
	rm -rf $(BIN) .cache .demo
