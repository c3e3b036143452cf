# The commands people type; CMake presets do the work underneath (CMakePresets.json).
PREFIX ?= /usr/local
BUILD := build

.PHONY: build run test install deb format check-format clean deps help

build: deps ## an optimised program at build/sluice
	@cmake --preset release >$(BUILD).configure.log 2>&1 || { cat $(BUILD).configure.log; rm -f $(BUILD).configure.log; exit 1; }
	@rm -f $(BUILD).configure.log
	@cmake --build --preset release

run: build ## talk to the bundled model
	@$(BUILD)/sluice chat

test: build ## every test
	@ctest --preset release --parallel $$(nproc)

install: build ## to PREFIX (default /usr/local)
	@cmake --install $(BUILD) --prefix "$(PREFIX)"

deb: build ## a Debian package in build/
	@cd $(BUILD) && cpack -G DEB

format: ## formats all sources
	@scripts/format

check-format:
	@scripts/format --check

deps: ## installs missing Debian packages (does nothing if there are none)
	@scripts/deps

clean:
	@rm -rf $(BUILD) build-*

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22
