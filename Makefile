# make test        install what is missing, build the native library and the extension's builds, run every test (ARGS: pytest's options)
# make test-fast   native only, under two minutes
# make native      the C++ as a shared library for CPython     make sanitizers   the same with ASan+UBSan and TSan
# make ext         the extension for the page (public/ext)     make bench        the speed curve     make lint
SHELL := /bin/bash
# The interpreter in use where it has the test packages or may install them; PYTHON=... names another.
PYTHON ?= $(shell [ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)
JOBS ?= $(shell nproc)
PACKAGES = torch==2.13.0 numpy pytest pytest-xdist ruff playwright safetensors

.PHONY: test test-fast native sanitizers ext bench lint setup setup-python setup-npm setup-chromium setup-gpu

test: setup native sanitizers
	@$(PYTHON) -m tests $(ARGS)

test-fast: setup-python native
	$(PYTHON) -m pytest -m "fast and not slow"

setup: setup-python setup-npm setup-chromium setup-gpu

# Into .venv where the interpreter's own packages are not ours to change (Debian's, since PEP 668).
setup-python:
	@$(PYTHON) -c 'import torch, numpy, pytest, xdist, playwright, safetensors; assert torch.__version__.split("+")[0] == "2.13.0"' 2>/dev/null \
	  && $(PYTHON) -m ruff --version >/dev/null 2>&1 || bash .ci/install-python "$(PYTHON)" $(PACKAGES)

setup-npm:
	@cmp -s package-lock.json node_modules/.tinygpt-lock && [ -x node_modules/node/bin/node ] \
	  || { npm ci --no-audit --no-fund && cp package-lock.json node_modules/.tinygpt-lock; }

setup-chromium:
	@[ -n "$$TINYGPT_CHROMIUM" ] || command -v chromium google-chrome >/dev/null \
	  || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }

# The GPUs of the tests are drivers in software: SwiftShader, which Chromium brings, and lavapipe. Dawn in Node looks for libvulkan.
setup-gpu: setup-chromium
	@ldconfig -p | grep -q libvulkan.so.1 \
	  || { apt-get update -qq && apt-get install -y -qq --no-install-recommends libvulkan1; }
	@bash tests/hosts/install_lavapipe.sh

native:
	cmake -S wasm_ext -B wasm_ext/build/native -DCMAKE_BUILD_TYPE=Release >/dev/null
	cmake --build wasm_ext/build/native -j $(JOBS)

ext:
	bash wasm_ext/build.sh

bench: setup native
	$(PYTHON) -m tests.bench

lint:
	$(PYTHON) -m ruff check .

sanitizers:
	for kind in address:asan thread:tsan; do \
	  cmake -S wasm_ext -B wasm_ext/build/$${kind#*:} -DSANITIZE=$${kind%:*} >/dev/null \
	  && cmake --build wasm_ext/build/$${kind#*:} -j $(JOBS) || exit 1; done
