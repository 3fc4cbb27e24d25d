# Everything that CI runs is a target here; `make check` is all of it.

# The instruction sets that this machine has, as far as Linux tells, but for the fastest,
# which `make test` runs on, and the generic one, which `make purego` runs on.
ISAS ?= $(shell grep -qw avx512dq /proc/cpuinfo 2>/dev/null && echo avx2)
FUZZTIME ?= 3s

# A set that this processor has must not be skipped by a mistake in detection.
export BATCHRNN_REQUIRE_ISA ?= $(shell grep -qw avx2 /proc/cpuinfo 2>/dev/null && echo avx2)$(shell grep -qw avx512dq /proc/cpuinfo 2>/dev/null && echo ,avx512)$(shell grep -qw avx512_vnni /proc/cpuinfo 2>/dev/null && echo ,avx512vnni)
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Packages whose results depend on the engine that is picked.
ENGINE = ./kernels/... ./rnn/... ./bench/lm ./bench/lm/rnnlm ./bench/speed

# Packages that start goroutines, or whose values several of them share.
RACE = ./kernels/... ./rnn/... ./bench/lm ./bench/lm/spell ./bench/gradients ./bench/report/chart ./internal/... ./examples/serve

.PHONY: check format tidy vet staticcheck cross drift generate screens test isas purego module race fuzz bench models screenshots mutants peers-setup peers peers-check

check: format tidy vet staticcheck cross drift test isas purego module race peers-check fuzz

format:
	@out=$$(gofmt -l .); test -z "$$out" || { echo "gofmt would change:"; echo "$$out"; exit 1; }

tidy:
	go mod tidy -diff
	cd asm/_gen && go mod tidy -diff
	cd bench/peers && go mod tidy -diff

vet:
	go vet ./...
	go vet -tags purego ./...
	cd asm/_gen && go vet .

staticcheck:
	go run $(STATICCHECK) ./...
	go run $(STATICCHECK) -tags purego ./...

# Other systems and processors build, tests included.
cross:
	GOOS=linux GOARCH=arm64 go vet ./...
	GOOS=windows GOARCH=amd64 go build ./...
	GOOS=darwin GOARCH=arm64 go build ./...

# Rewrites the assembly and its declarations.
generate:
	cd asm/_gen && go run . ..

# Rewrites docs/screens.md. A test compares its shape with what the program shows.
screens:
	go test ./cmd/rnnbench -run Screens -update

# Fails where the generator would write anything else than what is committed, or lets a
# call destroy what is live.
drift:
	cd asm/_gen && go test .
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && cp asm/set.go "$$tmp" && \
	(cd asm/_gen && go run . "$$tmp") && rm "$$tmp/set.go" && \
	for f in "$$tmp"/* $$(ls asm/*_avx*_amd64.*); do \
		cmp "$$tmp/$$(basename $$f)" "asm/$$(basename $$f)" || { echo "run make generate"; exit 1; }; \
	done && echo "generated assembly: unchanged"

# With the trainings of the examples and long tests of the command line, which
# go test ./... leaves out.
test:
	BATCHRNN_LONG=1 go test ./...

# The tests again with each of the other instruction sets forced. Beside avx512vnni, avx512
# differs in int8 alone.
isas:
	@for isa in $(ISAS); do \
		echo "BATCHRNN_ISA=$$isa go test -count=1 $(ENGINE)"; \
		BATCHRNN_ISA=$$isa go test -count=1 $(ENGINE) || exit 1; \
	done
	@grep -qw avx512_vnni /proc/cpuinfo 2>/dev/null || exit 0; \
	echo "BATCHRNN_ISA=avx512 go test -count=1 -run 'Int8|Quantise' $(ENGINE)"; \
	BATCHRNN_ISA=avx512 go test -count=1 -run 'Int8|Quantise' $(ENGINE)

# The portable kernels alone: no assembly is built.
purego:
	BATCHRNN_REQUIRE_ISA= go test -tags purego ./asm/... $(ENGINE) ./bench/gradients ./examples/...

# The Go program of README.md, in a module of its own, made by the commands beside it. The
# copied go.sum spares it the network.
module:
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	sed -n '/^```go$$/,/^```$$/{/^```/!p}' README.md >"$$tmp/main.go"; \
	sed -n '/^    go mod init/,/^    go run \.$$/p' README.md | sed "s|=PATH|='$$PWD'|" >"$$tmp/commands"; \
	cp go.sum "$$tmp"; cd "$$tmp"; \
	test -z "$$(gofmt -l main.go)" || { echo "gofmt would change the program in README.md"; exit 1; }; \
	GOWORK=off sh -e commands >out; cat out; grep -q '^ello' out

# But for the other examples, which run nothing that the tests of rnn don't run.
race:
	go test -race $(RACE)
	go test -race ./cmd/rnnbench -run 'Interrupt|Stop|Signal|Hangup|Silent|Progress|EndToEnd|Readers|OneWriter'

# Before Go 1.27 the go command fails now and then as the time ends, with no input that
# fails (golang/go issue 75804).
fuzz:
	@set -e; out=$$(mktemp); trap 'rm -f "$$out"' EXIT; for pkg in $$(go list ./...); do \
		list=$$(go test -list '^Fuzz' $$pkg); \
		for f in $$(echo "$$list" | grep '^Fuzz'); do \
			echo "$$f in $$pkg"; \
			go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$pkg >$$out 2>&1 || { \
				cat $$out; \
				grep -q '^ *context deadline exceeded$$' $$out && ! grep -q 'Failing input' $$out || exit 1; \
			}; \
			tail -n 2 $$out; \
		done; \
	done

# All benchmarks, in the format of benchstat.
bench:
	go test -run '^$$' -bench . ./...

# Pictures of the page of a report that `rnnbench report` has left in REPORT.
screenshots:
	bench/report/screenshots.sh "$(REPORT)"

# Brings public models and ONNX Runtime, for tests that are skipped without them.
models:
	bench/models/fetch.sh

# A sample of small changes to these packages, and which of them their tests don't notice.
# MUTANTSFLAGS="-n 100 -seed 2" takes another sample.
MUTANTS ?= ./kernels ./rnn ./rnn/seq2seq ./bench/lm/...

mutants:
	go run ./internal/mutants $(MUTANTSFLAGS) $(MUTANTS)

# The same work on other libraries: see bench/peers/README.md.
peers-setup:
	bench/peers/setup.sh

peers:
	cd bench/peers && go run . $(PEERSFLAGS)

# Its tests need a C compiler, but none of the libraries.
peers-check:
	cd bench/peers && go vet . && go test .
