# SPDX-License-Identifier: GPL-2.0
#
# What people call. Each target is a script; Kbuild, not this file, tells the kernel's
# make how to build the module.

MAKEFLAGS += --no-builtin-rules --no-print-directory
ARCH ?= amd64
BUILD ?= $(CURDIR)/build
export BUILD KVER MIRROR KDIR TOOLCHAIN

.DEFAULT_GOAL := help

help: ## this list
	@echo "make TARGET [ARCHES=\"amd64 arm64\"] [KVER=7.3.N] [MIRROR=URL] [BUILD=FOLDER]"
	@sed -n 's/^\([a-z-]*\):.*## /  \1 	/p' $(MAKEFILE_LIST) | expand -t 18

demo: ## from nothing to a picture: unmap a test process's folios on both architectures
	@scripts/demo

check: ## the whole test suite, all three kernels (ARCHES=; GROUPS="a b": only these groups)
	@scripts/check $(GROUPS)

quick: ## a few tests of each kind, both architectures: the loop while editing (ARCHES=)
	@ARCHES="$${ARCHES:-amd64 arm64}" scripts/check quick

repeat: ## the test suite again and again: are its verdicts always the same? (RUNS=20, GROUPS=, ARCHES=)
	@scripts/repeat $(GROUPS)

results: ## what the last whole make check found, as a table
	@scripts/results-table

check-debug: ## the test suite on kernels with KASAN, lockdep and the like (ARCH=, GROUPS=, CONFIG=kcsan)
	@scripts/check-debug $(GROUPS)

ci: ## what continuous integration runs: make check, then a part of make check-debug (ARCHES=)
	@scripts/ci

check-mutants: ## try the tests on modules that are broken on purpose (NAMES="a b")
	@scripts/check-mutants $(NAMES)

check-live: ## live mode under real workloads, for an hour or so (ARCHES="arm64", TIMES=, DURATION=)
	@scripts/check-live $(ARCHES)

fuzz: ## scenarios from new seeds (SECONDS=60, SEED=N, ARCHES="arm64"), or one: PLAN="..."
	@LIMIT='$(SECONDS)' SEED='$(SEED)' PLAN='$(PLAN)' scripts/fuzz

hostile: ## hostile requests by the million, shared out among LIVE="0 1 both" (REQUESTS=1000000, SEED=N, ARCHES="arm64")
	@REQUESTS='$(REQUESTS)' SEED='$(SEED)' FIRST='$(FIRST)' LIVE='$(LIVE)' scripts/hostile

soak: ## pressure, switching and random plans for long (MINUTES=30, ARCHES="amd64-debug", SEED=N)
	@MINUTES='$(MINUTES)' SEED='$(SEED)' scripts/soak

bench: ## what unmapping costs by either path: tables, JSON and plots (ARCHES=, SIZES=, CASES=, OUT=, PATCH=)
	@scripts/bench $(ARCHES)

bench-compare: ## two results of make bench side by side (A=old.json B=new.json)
	@scripts/bench-compare "$(A)" "$(B)"

shell: prepare-$(ARCH) ## a prompt in a guest with the module and the tools (ARCH=)
	@qemu/run $(ARCH) --interactive

module: ## only the .ko (ARCH=amd64|arm64|arm64-16k, and KDIR= for any prepared kernel tree)
	@scripts/module $(ARCH)

toolchain: ## the compilers, QEMU and all kernels, nothing built yet
	@scripts/prepare

rust-analyzer: ## rust-project.json for editors (ARCH=)
	@scripts/rust-analyzer $(ARCH)

fmt: ## format the Rust code as the kernel does
	@scripts/lint fmt

lint: ## rustfmt, clippy, checkpatch, shellcheck; and mutants/ has to apply
	@scripts/lint

clean: ## remove what was built here; toolchain and kernels stay
	@scripts/clean

distclean: ## remove the build folder
	@scripts/clean all

# Everything that a guest of one architecture needs.
prepare-%:
	@scripts/build $*

.PHONY: help demo check quick repeat results check-debug ci check-mutants check-live fuzz hostile soak bench bench-compare shell module toolchain rust-analyzer fmt lint clean distclean
