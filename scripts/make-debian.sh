#!/usr/bin/env bash
# Makes an image of a minimal Debian 12 without a registry: make-debian.sh IMAGE
set -euo pipefail

image=$1
if [ "$(id -u)" != 0 ]; then
  echo "Making $image takes root: run \`sudo $0 $image\` once, or \`docker pull $image\` where a registry answers." >&2
  exit 1
fi
"$(dirname "$0")/system.sh" debootstrap

folder=$(mktemp -d)
log=$(mktemp)
trap 'rm -rf "$folder"' EXIT
fail() {
  tail -n 5 "$log" >&2
  echo "$1; the lines above say why. The log is $log" >&2
  exit 1
}

debootstrap --variant=minbase bookworm "$folder" >"$log" 2>&1 || fail "Debian could not be fetched"
# debootstrap names the archive it took; updates and security lie beside it.
archive=$(awk '$1 == "deb" { print $2; exit }' "$folder/etc/apt/sources.list")
cat >"$folder/etc/apt/sources.list" <<SOURCES
deb $archive bookworm main
deb $archive bookworm-updates main
deb ${archive%/debian*}/debian-security bookworm-security main
SOURCES
# What Debian's own image of this name leaves out, too.
cat >"$folder/etc/dpkg/dpkg.cfg.d/slim" <<'SLIM'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/info/*
SLIM
{
  chroot "$folder" apt-get -q update &&
    DEBIAN_FRONTEND=noninteractive chroot "$folder" apt-get -q upgrade --yes --no-install-recommends
} >>"$log" 2>&1 || fail "Debian's updates could not be installed"
find "$folder/usr/share/doc" ! -type d ! -name copyright -delete
rm -rf "$folder"/usr/share/{man,locale,info}/* "$folder"/var/cache/{apt,debconf}/* \
  "$folder"/var/lib/apt/lists/* "$folder"/var/log/* "$folder/etc/resolv.conf"
tar --directory "$folder" --create . | docker import --change 'CMD ["bash"]' - "$image" >>"$log" 2>&1 ||
  fail "$image could not be imported"
rm -f "$log"
