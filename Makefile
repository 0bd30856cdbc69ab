# lxcfs: "make help" lists the targets.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
PREFIX  ?= /usr
DESTDIR ?=
OUT     ?= out

GO      ?= go
LDFLAGS  = -s -w -X lxcfs/cmd/internal/version.stamp=$(VERSION)
LINT     = bin/golangci-lint
LINT_VERSION = v2.15.0

# Flags for go test: make test TESTFLAGS=-race
TESTFLAGS ?=
FUZZTIME  ?= 30

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Building

.PHONY: build
build: ## static bin/lxcfs and bin/lxcfsctl
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/lxcfs ./cmd/lxcfsctl

.PHONY: demo
demo: build ## this host beside a 256 MiB, 1 CPU container on it (root and /dev/fuse; otherwise of a fake kernel)
	bin/lxcfsctl demo

.PHONY: man
man: build ## out/lxcfs.8, the manual page, from the flags
	@mkdir -p $(OUT)
	bin/lxcfs --man > $(OUT)/lxcfs.8

## Checking

.PHONY: test
test: ## every test that needs neither root nor /dev/fuse
	$(GO) test $(TESTFLAGS) ./...

.PHONY: race
race: ## the same under the race detector
	$(GO) test -race ./...

.PHONY: lint
lint: $(LINT) ## golangci-lint and shellcheck
	$(LINT) config verify
	$(LINT) run
	shellcheck $$(scripts/shell-files.sh)

# In bin/, at a pinned version: what passes here passes in CI.
$(LINT):
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

.PHONY: cover
cover: ## statement coverage of kernelfs and core; fails under 85 %
	@mkdir -p $(OUT)
	$(GO) test -coverpkg=./kernelfs/...,./core/... -coverprofile=$(OUT)/cover.out ./...
	scripts/cover.sh $(OUT)/cover.out 85 lxcfs/kernelfs lxcfs/core

.PHONY: golden
golden: ## the answers of every host of testdata/hosts anew: read git diff testdata/hosts
	$(GO) test ./cmd/internal/archive -run TestHosts -update

.PHONY: golden-clean
golden-clean: ## fails if "make golden" changes anything
	@before=$$(cat testdata/hosts/*.txtar | sha256sum) && \
	$(MAKE) -s golden && \
	[ "$$before" = "$$(cat testdata/hosts/*.txtar | sha256sum)" ] || { git --no-pager diff --stat -- testdata/hosts; exit 1; }

.PHONY: check
check: lint race golden-clean ## what a change must pass before it is proposed (the import rules are part of race)

.PHONY: fuzz
fuzz: ## every fuzz target for about FUZZTIME (30) seconds each
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: mutate
mutate: ## would the tests notice a mistake: 40 in each of kernelfs, core and the verbs of fakekernel, nine in ten must be noticed
	$(GO) run ./scripts/mutate -n 40 -min 90

## On real mounts: root and /dev/fuse; scripts/testbed/setup.sh installs what else is needed

INTEGRATION = ./cmd/lxcfs ./fuse/... ./core ./cmd/internal/bench ./scripts/integration

.PHONY: integration
integration: build ## real mounts, cgroups and containers of four runtimes on this kernel
	LXCFS_BIN=$(CURDIR)/bin/lxcfs $(GO) test -tags integration -count=1 -p 1 -timeout 30m $(TESTFLAGS) $(INTEGRATION)

.PHONY: compare
compare: build ## the same files from LXCFS and from us, each difference an entry of the deviations table
	LXCFS_BIN=$(CURDIR)/bin/lxcfs $(GO) test -tags integration -count=1 -timeout 30m $(TESTFLAGS) ./scripts/compare

# Debian suite, kernel and cgroup layout: LXCFS 5, 6 and 7.
PEERS ?= bookworm:6.1:v1 trixie:6.12:v2 sid:6.12:v2

.PHONY: vm-compare
vm-compare: build ## the same with LXCFS 5, 6 and 7 in guests, on v1 and v2; PEERS="sid:6.12:v2" for your own
	LXCFS_BIN=$(CURDIR)/bin/lxcfs OUT=$(OUT) scripts/testbed/vm-compare.sh $(PEERS)

CELLS ?= rotate 2

.PHONY: vm
vm: build ## two cells of kernel x cgroup layout x runtime in guests, others each day; CELLS="6.12:v2:crun" for your own
	LXCFS_BIN=$(CURDIR)/bin/lxcfs OUT=$(OUT) scripts/testbed/vm-matrix.sh $(CELLS)

.PHONY: vm-all
vm-all: ## all of them
	$(MAKE) vm CELLS=all

.PHONY: conformance
conformance: ## the same scenarios on the fake and on this machine's kernel: what containers see must agree, field by field
	$(GO) test -tags integration -count=1 -timeout 30m -v $(TESTFLAGS) ./scripts/conformance

CONFORMANCE ?= 6.12:v2

.PHONY: vm-conformance
vm-conformance: ## the same in guests; CONFORMANCE="6.18:v2 5.10:v1" for your own
	OUT=$(OUT) scripts/testbed/vm-conformance.sh $(CONFORMANCE)

KILLS    ?= 1000
UPGRADES ?= 200
WORST    ?= 10

.PHONY: chaos
chaos: build ## kill and upgrade workers under readers: nothing may fail; without recovery, it must
	@mkdir -p $(OUT)
	CGO_ENABLED=0 $(GO) build -o $(OUT)/chaos ./scripts/chaos
	$(OUT)/chaos -lxcfs bin/lxcfs -kills $(KILLS) -upgrades $(UPGRADES) -worst $(WORST)
	for tag in nojournal noresend; do \
		CGO_ENABLED=0 $(GO) build -tags $$tag -o $(OUT)/lxcfs-$$tag ./cmd/lxcfs && \
		$(OUT)/chaos -lxcfs $(OUT)/lxcfs-$$tag -kills $$(($(KILLS) / 10)) -upgrades $$(($(UPGRADES) / 10)) -worst $(WORST) || exit 1; \
	done
	CGO_ENABLED=0 $(GO) build -tags norecovery -o $(OUT)/lxcfs-norecovery ./cmd/lxcfs
	$(OUT)/chaos -lxcfs $(OUT)/lxcfs-norecovery -want-failure

CHAOS_CELLS ?=

.PHONY: vm-chaos
vm-chaos: build ## the same in guests: the systemd unit with its store, and kernels before 6.9 on v1, hybrid and v2
	LXCFS_BIN=$(CURDIR)/bin/lxcfs OUT=$(OUT) KILLS=$$(($(KILLS) / 10)) UPGRADES=$$(($(UPGRADES) / 10)) WORST=$(WORST) scripts/testbed/vm-chaos.sh $(CHAOS_CELLS)

PEER  ?= lxcfs
BENCH ?=

.PHONY: bench-mount
bench-mount: build ## latency, throughput and cost of a read: us, LXCFS (PEER), a null file system, the host
	bin/lxcfsctl bench --ours bin/lxcfs --peer "$(PEER)" --null "bin/lxcfs --null" --host --out $(OUT)/bench $(BENCH)

.PHONY: bench-soak
bench-soak: build ## does anything grow over 10 million reads, and while containers come and go (12 minutes)
	bin/lxcfsctl bench --peer "" --null "" --suite soak --row reads --soak-reads 10000000
	bin/lxcfsctl bench --peer "" --null "" --suite soak --row come

.PHONY: vm-bench
vm-bench: build ## cost of a read on cgroup v2, in a guest: emulated, so only the ratios count
	OUT=$(OUT) scripts/testbed/vm.sh -k 6.12 -c v2 -n 1 -I -t 1500 -- $(CURDIR)/bin/lxcfsctl bench --suite cost,depth --round 400ms --rounds 4 \
		--ours $(CURDIR)/bin/lxcfs --peer "$(PEER)" --null "$(CURDIR)/bin/lxcfs --null"

## Installing

.PHONY: install
install: build ## into DESTDIR/PREFIX: programs, manual page, systemd unit, LXC hooks, completions
	install -D -m 0755 bin/lxcfs $(DESTDIR)$(PREFIX)/bin/lxcfs
	install -D -m 0755 bin/lxcfsctl $(DESTDIR)$(PREFIX)/bin/lxcfsctl
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/share/lxcfs scripts/lxc/lxc.mount.hook scripts/lxc/lxc.reboot.hook
	install -d $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/lxc/config/common.conf.d $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -d $(DESTDIR)/var/lib/lxcfs
	bin/lxcfs --man > $(DESTDIR)$(PREFIX)/share/man/man8/lxcfs.8
	sed 's|@PREFIX@|$(PREFIX)|g' scripts/lxc/00-lxcfs.conf > $(DESTDIR)$(PREFIX)/share/lxc/config/common.conf.d/00-lxcfs.conf
	sed 's|@PREFIX@|$(PREFIX)|g' scripts/systemd/lxcfs.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/lxcfs.service
	bin/lxcfsctl completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lxcfsctl
	bin/lxcfsctl completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_lxcfsctl
	bin/lxcfsctl completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/lxcfsctl.fish

.PHONY: clean
clean: ## remove what was built, but for the linter
	rm -rf bin/lxcfs bin/lxcfsctl $(OUT)
