#!/usr/bin/env bash
# install.sh: the browsers of tests/engines on a Debian machine (root). Where one cannot be had it
# says so in a sentence, and the walk skips that one.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
commands=(chromium chromedriver firefox-esr gcc WebKitWebDriver Xvfb)
here=$(dirname "${BASH_SOURCE[0]}") current=$HOME/.cache/tinygpt-firefox
[ "$(command -v "${commands[@]}" | wc -l)" = ${#commands[@]} ] && [ -x "$current/firefox" ] && exit 0
left_out() { echo "tests/engines/install.sh: $1; the walk goes through the engines that are installed."; }
command -v apt-get >/dev/null || { left_out "there is no apt-get here"; exit 0; }
[ "$(id -u)" = 0 ] || { left_out "apt-get needs root"; exit 0; }
apt-get update -qq
for packages in "chromium chromium-driver" firefox-esr "gcc libc6-dev webkit2gtk-driver xvfb"; do
  apt-get install -y -qq $packages >/dev/null || left_out "apt-get install $packages failed"
done
if ! [ -x "$current/firefox" ] && ! timeout 300 bash "$here/install_current_firefox.sh" "$current" >/dev/null; then
  rm -rf "$current"
  left_out "the newest Firefox cannot be had or started"
fi
