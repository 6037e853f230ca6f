#!/usr/bin/env bash
# install_lavapipe.sh [FOLDER]: Mesa's software Vulkan driver, lavapipe, version 25, and a Chromium
# whose WebGPU runs on it, both in FOLDER (default ~/.cache/tinygpt-lavapipe). For the tests: of the
# software drivers only this one has shader-f16, and it is five times SwiftShader.
#
# Debian 12 has Mesa 22, whose lavapipe Dawn refuses; Mesa 25 is in its backports. The packages are
# unpacked into FOLDER; the system gets the libraries that they need (apt-get, as root), and keeps
# its own Mesa. Needs chromium and gcc. Does nothing when all is there.
#   mesa/lvp.json, mesa/usr/lib/...   the driver
#   chromium/                         links to Chromium's files, with the shim over the driver as
#                                     its SwiftShader
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:-${TINYGPT_LAVAPIPE:-$HOME/.cache/tinygpt-lavapipe}}
export DEBIAN_FRONTEND=noninteractive
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

install_driver() {
  local release mirror apt packages dependencies library
  release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  [ -n "$release" ] && command -v apt-get >/dev/null || { echo "install_lavapipe.sh: needs Debian (apt-get)" >&2; exit 1; }
  [ -n "$(apt-get indextargets)" ] || apt-get update -qq
  mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' "Created-By: Packages" | awk -v r="$release" '$2 == r { print $1; exit }')
  # A list of sources of its own, so that the system's stays as it is.
  apt=$folder/apt
  rm -rf "$apt" "$folder/mesa"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$folder/mesa"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release-backports main" > "$apt/sources.list"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" >> "$apt/sources.list"
  local options=(-qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root -t "$release-backports")
  apt-get "${options[@]}" update
  packages=(mesa-vulkan-drivers libdrm2 libdrm-amdgpu1)
  (cd "$apt" && apt-get "${options[@]}" download "${packages[@]}")
  # What these packages need besides one another, from the system's own release.
  dependencies=$(dpkg-deb -f "$apt"/mesa-vulkan-drivers_*.deb Depends | tr ',' '\n' | sed 's/[(|].*//; s/ //g' | grep -v '^libdrm')
  if ! dpkg -s $dependencies >/dev/null 2>&1; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends $dependencies >/dev/null
  fi
  for package in "$apt"/*.deb; do dpkg-deb -x "$package" "$folder/mesa"; done
  find "$folder/mesa" -type f -name 'libvulkan_*.so' ! -name libvulkan_lvp.so -delete  # drivers of graphics cards: 60 MB
  library=$(find "$folder/mesa/usr/lib" -name libvulkan_lvp.so)
  printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.4.305"}}\n' "$library" > "$folder/mesa/lvp.json"
  rm -rf "$apt"
}

install_chromium() {
  local chromium source library
  chromium=${TINYGPT_CHROMIUM:-$(command -v chromium || command -v google-chrome)}
  source=$(dirname "$(readlink -f "$chromium")")
  [ -e "$source/libvk_swiftshader.so" ] || source=/usr/lib/chromium  # Debian's command is a script elsewhere
  [ -e "$source/libvk_swiftshader.so" ] || { echo "install_lavapipe.sh: no libvk_swiftshader.so beside $chromium" >&2; exit 1; }
  rm -rf "$folder/chromium"
  # Hard links cost no space, but only within one file system.
  cp -al "$source" "$folder/chromium" 2>/dev/null || { rm -rf "$folder/chromium"; cp -a "$source" "$folder/chromium"; }
  library=$(find "$folder/mesa/usr/lib" -name libvulkan_lvp.so)
  rm "$folder/chromium/libvk_swiftshader.so"
  gcc -O2 -Wall -shared -fPIC -fvisibility=hidden -DDRIVER="\"$library\"" "$here/lavapipe_shim.c" -o "$folder/chromium/libvk_swiftshader.so" -ldl
  version "$chromium" > "$folder/chromium/made-from"
}

version() { "$1" --version 2>/dev/null; cat "$here/lavapipe_shim.c"; }

[ -s "$folder/mesa/lvp.json" ] || install_driver
chromium=${TINYGPT_CHROMIUM:-$(command -v chromium || command -v google-chrome)}
version "$chromium" | cmp -s - "$folder/chromium/made-from" || install_chromium
echo "lavapipe: $folder"
