# The commands of the repository; `make help` lists them.
SHELL := /bin/bash
# The interpreter in use where it has the test packages or may install them; PYTHON=... names
# another.
PYTHON ?= $(shell [ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)
JOBS ?= $(shell nproc)
NPM := node_modules/.bin
C_SOURCES := $(wildcard wasm_ext/*.cpp wasm_ext/*.h wasm_ext/eager/*.cpp wasm_ext/eager/*.h tests/hosts/*.c tests/bench/*.c tests/engines/*.c)
CLANG_FORMAT = $(PYTHON) -c 'from clang_format import clang_format; clang_format()'

.PHONY: help test test-fast engines native sanitizers ext bench docs lint lint-python lint-js lint-types lint-cpp format \
  setup setup-python setup-npm setup-chromium setup-gpu

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf 'make %-15s %s\n' "$$name" "$$text"; done

test: setup native sanitizers ## install what is missing, build the native library, run every test (ARGS: pytest's options)
	@$(PYTHON) -m tests $(ARGS)

test-fast: setup-python native ## the native tests, under two minutes
	$(PYTHON) -m pytest -m "fast and not slow and not alone" -n $(JOBS) --dist worksteal
	$(PYTHON) -m pytest -m "fast and not slow and alone"

engines: setup native ## the walk through the page in Chromium, Firefox and WebKitGTK (root, Debian; ARGS: pytest's options)
	bash tests/engines/install.sh
	$(PYTHON) -m pytest tests/engines -n 2 --dist loadgroup --no-loadscope-reorder -rs $(ARGS)

native: ## the C++ as a shared library for CPython
	cmake -S wasm_ext -B wasm_ext/build/native -DCMAKE_BUILD_TYPE=Release >/dev/null
	cmake --build wasm_ext/build/native -j $(JOBS)

sanitizers: ## the same with ASan and UBSan, and with TSan
	for kind in address:asan thread:tsan; do \
	  cmake -S wasm_ext -B wasm_ext/build/$${kind#*:} -DSANITIZE=$${kind%:*} >/dev/null \
	  && cmake --build wasm_ext/build/$${kind#*:} -j $(JOBS) || exit 1; done

ext: ## the extension for the page (public/ext)
	bash wasm_ext/build.sh

bench: setup native ## the table of docs/performance.md
	$(PYTHON) -m tests.bench

docs: setup-python ## the API pages, from the docstrings (build/api)
	$(PYTHON) -m tools.api_docs build/api

lint: lint-python lint-js lint-types lint-cpp ## all of the checks below

lint-python: setup-python ## Python: ruff's rules and format
	$(PYTHON) -m ruff check --quiet .
	$(PYTHON) -m ruff format --check --quiet .

lint-js: setup-npm ## JavaScript: biome's rules and format
	$(NPM)/biome check --error-on-warnings

lint-types: setup-python setup-npm ## types: tsc where a file says @ts-check, pyright
	$(NPM)/tsc --project tsconfig.json
	$(NPM)/pyright --pythonpath "$$($(PYTHON) -c 'import sys; print(sys.executable)')"

lint-cpp: setup-python ## C++ and C: clang-format
	$(CLANG_FORMAT) --dry-run -Werror $(C_SOURCES)

format: setup-python setup-npm ## rewrite Python, JavaScript and C++ in the format that lint checks
	$(PYTHON) -m ruff format --quiet .
	$(NPM)/biome check --write --error-on-warnings
	$(CLANG_FORMAT) -i $(C_SOURCES)

setup: setup-python setup-npm setup-chromium setup-gpu ## what the tests need: packages, Chromium, GPUs in software

# Into .venv where the interpreter's own packages are not ours to change (Debian's, since PEP 668).
setup-python:
	@bash .ci/install-python "$(PYTHON)"

setup-npm:
	@cmp -s package-lock.json node_modules/.tinygpt-lock && [ -x node_modules/node/bin/node ] \
	  || { rm -f node_modules/.tinygpt-* && npm ci --no-audit --no-fund && cp package-lock.json node_modules/.tinygpt-lock; }

setup-chromium:
	@[ -n "$$TINYGPT_CHROMIUM" ] || command -v chromium google-chrome >/dev/null \
	  || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }

# The GPUs of the tests are drivers in software: SwiftShader, which Chromium brings, and lavapipe.
# Dawn in Node looks for libvulkan.
setup-gpu: setup-chromium
	@ldconfig -p | grep -q libvulkan.so.1 \
	  || { apt-get update -qq && apt-get install -y -qq --no-install-recommends libvulkan1; }
	@bash tests/hosts/install_lavapipe.sh
