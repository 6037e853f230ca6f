#!/usr/bin/env bash
# install_current_firefox.sh FOLDER: the newest Firefox that Debian has (its suite sid), with all
# that it needs, in a root of its own: FOLDER/root. FOLDER/firefox starts it there. Nothing of this
# machine changes. Needs apt-get and root; about 350 MB are fetched.
set -euo pipefail
folder=$1 root=$1/root apt=$1/apt
packages="firefox mesa-vulkan-drivers fonts-dejavu-core libglib2.0-bin dash libc-bin coreutils"
rm -rf "$folder"
mkdir -p "$apt"/{lists,cache/archives}/partial "$root"/usr/{bin,sbin,lib,lib64} "$root"/{etc,proc,dev,tmp,run,root,sys}
for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done

# apt with a state of its own: it believes that nothing is installed.
: >"$apt/status"
mirror=$(apt-get indextargets --format '$(SITE)' | grep -v security | head -1)
key=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$key] $mirror sid main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<CONF
Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
Dir::Etc::SourceList "$apt/sources.list"; Dir::Etc::SourceParts "/dev/null"; Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null"; Acquire::Languages "none"; APT::Install-Recommends "false"; APT::Sandbox::User "";
Acquire::Retries "4"; Acquire::Check-Valid-Until "false"; Debug::NoLocking "true";
CONF
export APT_CONFIG=$apt/apt.conf
apt-get update -qq
apt-get install -y -qq --download-only $packages >/dev/null
unset APT_CONFIG

for package in "$apt"/cache/archives/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink; done
rm -rf "$apt"
for name in passwd group hosts resolv.conf nsswitch.conf; do
  if [ -e "/etc/$name" ]; then cp -L "/etc/$name" "$root/etc/"; fi
done
ldconfig -r "$root"
chroot "$root" glib-compile-schemas /usr/share/glib-2.0/schemas
# A mount namespace of its own: the mounts go with the browser. It sees the folder that it is
# started in, whose files a test may give to a page.
cat >"$folder/firefox" <<'RUN'
#!/bin/bash
export FIREFOX_ROOT=$(dirname "$(readlink -f "$0")")/root
exec unshare --mount bash -c 'set -e
for name in /dev /proc /sys "${TMPDIR:-/tmp}" "$PWD"; do
  [ "$name" != / ] || continue
  mkdir -p "$FIREFOX_ROOT$name"
  mount --rbind "$name" "$FIREFOX_ROOT$name"
done
exec chroot "$FIREFOX_ROOT" /usr/lib/firefox/firefox "$@"' firefox "$@"
RUN
chmod +x "$folder/firefox"
"$folder/firefox" --version
