#!/usr/bin/env bash
# Builds the WebAssembly extension into public/ext, and manifest.json with the hashes of sources and
# artefacts.
#
#   wasm_ext/build.sh            build all variants
#   wasm_ext/build.sh --check    fail if the committed build does not belong to the sources; where
#                                the compiler of the manifest is installed, also rebuild and compare
#                                bytes
#
# Variants: relaxed-mt, simd-mt, simd-st, relaxed64-mt (64-bit addresses, for models past 4 GiB) and
# paired-mt (for engines that join pairs of vectors to 256 bits: simd_wasm.h). Compiler: emcc from
# PATH, else emsdk's (EMSDK), else the one of install-emscripten.sh, which the build runs where
# there is none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
OUT=../public/ext
JOBS=${JOBS:-2}
PREFIX=${EMSCRIPTEN_PREFIX:-$HOME/.cache/tinygpt-emscripten}

sources() { ls ./*.cpp ./*.h build.sh | sed 's|^\./||' | grep -v '^test_' | LC_ALL=C sort; }

find_compiler() {  # puts emcc on the PATH; with the argument "install", installs one where there is none
  command -v emcc >/dev/null && return 0
  local env
  for env in "${EMSDK:-/nonexistent}/emsdk_env.sh" "$PREFIX/env.sh"; do
    if [ -f "$env" ]; then EMSDK_QUIET=1 . "$env"; command -v emcc >/dev/null && return 0; fi
  done
  [ "${1:-}" = install ] || return 1
  ./install-emscripten.sh "$PREFIX"
  . "$PREFIX/env.sh"
}

compiler() { emcc --version | sed -n '1s/.*) \([0-9][0-9.]*\).*/emscripten \1/p'; }

COMPILE="-std=gnu++17 -O3 -Wall -Wextra -ffp-contract=off -fno-exceptions -fno-rtti -msimd128"
LINK="-O3 -sDEFAULT_TO_CXX=0 -sMODULARIZE -sEXPORT_ES6 -sENVIRONMENT=web,worker,node -sFILESYSTEM=0 -sSTACK_SIZE=512KB
  -sALLOW_MEMORY_GROWTH -sINITIAL_MEMORY=64MB"
METHODS=wasmMemory,UTF8ToString
# The workers of the pool are created with the module (poolSize comes from the bridge): so a thread
# can start while thread 0 waits.
THREADS="-sPTHREAD_POOL_SIZE=Module[\"poolSize\"] -sPTHREAD_POOL_SIZE_STRICT=2
  -sDEFAULT_PTHREAD_STACK_SIZE=512KB -Wno-pthreads-mem-growth"

build() {  # folder: all variants into it
  local variant flags maximum_memory methods threads source objects
  for variant in relaxed-mt simd-mt simd-st relaxed64-mt paired-mt; do
    flags="" maximum_memory=4GB methods=$METHODS threads="" objects="$1/$variant"
    case $variant in relaxed*) flags="-mrelaxed-simd" ;; paired*) flags="-mrelaxed-simd -DPAIRED=1" ;; esac
    case $variant in *64-*) flags="$flags -m64" maximum_memory=16GB ;; esac
    case $variant in *-mt) flags="$flags -pthread" methods=$METHODS,PThread threads=$THREADS ;; esac
    mkdir -p "$objects"
    for source in *.cpp; do case $source in test_*) ;; *) echo "$source" ;; esac; done |
      xargs -P "$JOBS" -I{} em++ $COMPILE $flags -c {} -o "$objects/{}.o"
    emcc $LINK -sMAXIMUM_MEMORY=$maximum_memory -sEXPORTED_RUNTIME_METHODS=$methods $flags $threads \
      $(printf '%s\n' "$objects"/*.o | LC_ALL=C sort) -o "$1/tinygpt-$variant.mjs"
    echo "tinygpt-$variant.wasm: $(stat -c %s "$1/tinygpt-$variant.wasm") bytes"
  done
}

manifest() {  # folder of artefacts
  python3 - "$1" "$(compiler)" $(sources) <<'P'
import hashlib, json, pathlib, sys
folder, compiler, *sources = sys.argv[1:]
sha = lambda p: hashlib.sha256(pathlib.Path(p).read_bytes()).hexdigest()
artefacts = sorted(p for p in pathlib.Path(folder).iterdir() if p.suffix in (".mjs", ".wasm"))
hashes = {"sources": {s: sha(s) for s in sources}, "artefacts": {p.name: sha(p) for p in artefacts}}
print(json.dumps({"compiler": compiler, **hashes}, indent=1))
P
}

case "${1:-}" in
  "")
    find_compiler install
    work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
    build "$work"
    mkdir -p "$OUT"
    cp "$work"/tinygpt-*.mjs "$work"/tinygpt-*.wasm "$OUT"
    chmod 644 "$OUT"/tinygpt-*
    manifest "$OUT" >"$OUT/manifest.json"
    ;;
  --check)
    python3 - $(sources) <<'P'
import hashlib, json, pathlib, sys
out = pathlib.Path("../public/ext")
try:
    manifest = json.loads((out / "manifest.json").read_text())
except OSError:
    sys.exit("public/ext/manifest.json is missing: run wasm_ext/build.sh")
sha = lambda p: hashlib.sha256(p.read_bytes()).hexdigest() if p.exists() else "missing"
names = sorted(set(manifest["sources"]) | set(sys.argv[1:]))
wrong = ["source " + n for n in names if manifest["sources"].get(n) != sha(pathlib.Path(n))]
wrong += ["build " + n for n, h in manifest["artefacts"].items() if sha(out / n) != h]
if wrong:
    message = "public/ext does not belong to the sources (%s): run wasm_ext/build.sh and commit the result"
    sys.exit(message % ", ".join(wrong))
P
    recorded=$(python3 -c 'import json; print(json.load(open("../public/ext/manifest.json"))["compiler"])')
    if find_compiler && [ "$(compiler)" = "$recorded" ]; then
      work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
      build "$work"
      for file in "$work"/tinygpt-*.mjs "$work"/tinygpt-*.wasm; do
        cmp "$file" "$OUT/${file##*/}" && continue
        echo "a rebuild with $recorded gives other bytes for ${file##*/}" >&2
        exit 1
      done
      echo "public/ext is what $recorded makes of these sources, byte for byte"
    else
      echo "public/ext belongs to these sources (hashes; $recorded is not installed for a rebuild)"
    fi
    ;;
  *) echo "usage: build.sh [--check]" >&2; exit 2 ;;
esac
