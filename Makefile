# Every word a change needs before it is offered. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
PART ?=
TARGET ?=

.PHONY: help setup build demo test bench fuzz soak crash schemathesis asan tsan lint format docs install clean

help:            ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup:           ## install packages and build the Wasmtime library (once)
	@scripts/setup.sh

build: setup     ## the command and the libraries, in build/release
	@cmake --preset release > build-configure.log 2>&1 || { cat build-configure.log; exit 1; }; rm -f build-configure.log
	@cmake --build --preset release -j $(JOBS)

demo: build      ## untrusted modules and containers do real work, try everything and are stopped; a fleet loses nothing; a runaway beside healthy ones
	@demos/capability/run.sh build/release/fusebox
	@demos/containers/run.sh build/release/fusebox
	@demos/fleet/run.sh build/release/fusebox
	@demos/runaway/run.sh build/release

test: build      ## every test (PART=engine for one folder)
	@ctest --test-dir build/release --output-on-failure $(if $(PART),-R '^test_$(PART)$$')
	@$(if $(PART),,tail -n 1 build/release/edge-size/report.txt)

bench: build     ## the benchmark table and build/bench.json (PART=name filters)
	@build/release/fusebox_bench --json build/bench.json $(if $(PART),--only $(PART))

fuzz: setup      ## every fuzz target for SECONDS=60 each (TARGET=meter for one)
	@cmake --preset fuzz > /dev/null && cmake --build --preset fuzz -j $(JOBS)
	@scripts/fuzz.sh build/fuzz $(if $(SECONDS),$(SECONDS),60) $(TARGET)

soak: build      ## a container started and ended CYCLES=100000 times: nothing grows
	@FUSEBOX_CYCLES=$(or $(CYCLES),100000) build/release/test_container --gtest_filter=Hostile.StartAndExitOverAndOverGrowsNothing

crash: build     ## kill -9 at every durable step of the control plane, with SQLite and with PostgreSQL; about six minutes
	@python3 tests/fleet_force/crash.py build/release/fusebox build/release/images all

schemathesis: build ## a schema fuzzer (from the Python package index) against the live control plane
	@scripts/schemathesis.sh build/release/fusebox

asan: setup      ## every test under the address and undefined-behaviour sanitizers
	@cmake --preset asan > /dev/null && cmake --build --preset asan -j $(JOBS)
	@ctest --test-dir build/asan --output-on-failure $(if $(PART),-R '^test_$(PART)$$')

tsan: setup      ## every test under the thread sanitizer
	@cmake --preset tsan > /dev/null && cmake --build --preset tsan -j $(JOBS)
	@ctest --test-dir build/tsan --output-on-failure $(if $(PART),-R '^test_$(PART)$$')

lint: setup      ## formatting, clang-tidy, shell syntax
	@scripts/lint.sh

format: setup    ## format every source file in place
	@git ls-files '*.h' '*.cc' '*.c' | xargs clang-format-22 -i

docs: build      ## check that the README's tour and the generated pages are what the command prints
	@scripts/docs.sh build/release/fusebox

install: build   ## install to PREFIX=/usr/local (DESTDIR is honoured)
	@DESTDIR=$(DESTDIR) cmake --install build/release --prefix $(PREFIX)

clean:           ## remove the build folders
	@rm -rf build
