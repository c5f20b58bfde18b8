# Plain `make` lists the targets. Nothing is needed but Go and make; a C compiler for the race detector is installed when
# it is missing.

GO ?= go
FUZZTIME ?= 30s
# SQLite is C that was translated to Go: the race detector finds nothing there and makes it ten times as slow. Packages that use generic types of
# the standard library, such as sync.Map, must not be named here: the linker may take their copy, which is not watched, for all.
UNWATCHED := -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false
# These start hundreds of processes to kill them, or measure memory. The race detector would make that dear, and what they do side by side other
# tests do, too. TestModel has 100 runs with the race detector and 3,000 without; make torture plays 30,000.
KILLS := ^Test(TortureCrash|CrashAtEachStep|CrashInRetries|TableKilled|TableTwo|TableCut|FileCrash|FileMemory|ExportKilled|CSVLongestRecord|CSVLargeFile|CSVMemoryIsFlat|ParquetMemory|RangesMemory|Lanes)$$

.DEFAULT_GOAL := help
.PHONY: help build test check lint compiler bench microbench fuzz torture conformance

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/migrate: one static binary, stripped
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/migrate ./cmd/migrate

test: lint compiler ## gofmt, vet, staticcheck, and every test, with the race detector but for those below
	CGO_ENABLED=1 $(GO) test -race $(UNWATCHED) -skip '$(KILLS)' -timeout 15m ./...
	$(GO) test -run '^TestModel$$|$(KILLS)' ./pkg/pipeline ./pkg/sinks ./pkg/sources ./cmd/migrate
	@cd benchmarks && BENCH=1 BENCH_QUICK=1 $(GO) test -run '^TestTable$$' -count 1

check: ## exactly what the build server runs
	@.ci/run

lint: ## gofmt, vet and staticcheck alone
	@bad="$$("$$($(GO) env GOROOT)/bin/gofmt" -l .)" || exit 1; \
	if [ -n "$$bad" ]; then echo "not formatted, run gofmt -w on:"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

bench: ## the table of benchmarks/: whole runs beside other clients and the limit; BENCH_QUICK=1 for a small one
	cd benchmarks && BENCH=1 $(GO) test -run '^TestTable$$' -count 1 -timeout 6h

microbench: ## the benchmarks beside the code
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m ./...

fuzz: ## each fuzz target for FUZZTIME (default 30s)
	@find . -name '*_test.go' -not -path './.*' -exec grep -Eo '^func Fuzz[A-Za-z0-9_]*' {} + | sort | \
	while IFS=: read -r file func; do \
		$(GO) test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" || exit 1; \
	done

torture: ## the long tests: killed at random moments, large files, every fault
	MIGRATE_TORTURE=1 $(GO) test -run Torture -count 1 -v -timeout 60m ./...

conformance: ## the local org against the Salesforce CLI and jsforce, which come from npm
	@if ! command -v npm >/dev/null; then \
		echo "conformance: SKIPPED, npm is not installed: the local org was not held against real clients"; \
	else \
		MIGRATE_CONFORMANCE=1 $(GO) test -count 1 -v -timeout 20m ./conformance; \
	fi

# The race detector needs cgo, and cgo a C compiler with the C library's headers. They are tried, not looked up by name.
compiler:
	@works() { printf '#include <stdlib.h>\n' | "$$($(GO) env CC)" -x c -fsyntax-only - 2>/dev/null; }; \
	works && exit 0; \
	if [ "$$(id -u)" = 0 ]; then as=""; elif sudo -n true 2>/dev/null; then as="sudo -n"; else as="nobody"; fi; \
	if [ "$$as" != nobody ] && command -v apt-get >/dev/null; then \
		echo "installing gcc for the race detector"; \
		$$as apt-get update -q; \
		$$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends gcc libc6-dev; \
		works && exit 0; \
	fi; \
	echo "the race detector needs a C compiler and the C library's headers;" >&2; \
	echo "install them (Debian, Ubuntu: apt-get install gcc libc6-dev) and call make again" >&2; \
	exit 1
