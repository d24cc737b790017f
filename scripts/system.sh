#!/usr/bin/env bash
# Makes sure that the programs named as arguments are there. As root on Debian or Ubuntu it
# installs what is missing, and says so (SETUP=0 forbids it); otherwise it prints the one
# command that does.
set -euo pipefail

declare -A package=(
  [python3]=python3 [venv]=python3-venv [git]=git [node]=nodejs [npm]=npm [chromium]="chromium fonts-dejavu-core"
  [docker]="docker.io iptables" [iptables]=iptables [debootstrap]="debootstrap debian-archive-keyring"
  [postgres]=postgresql [r]="r-base-core r-cran-irkernel"
)

has() {
  case "$1" in
    # Debian splits `venv` from Python: there the module imports, but can't make one with pip.
    venv) python3 -c 'import venv, ensurepip' 2>/dev/null || command -v uv >/dev/null ;;
    python3) python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ;;
    # An engine, and a client to speak to it; the client alone may come from elsewhere.
    docker) command -v dockerd >/dev/null && command -v docker >/dev/null && command -v iptables >/dev/null ;;
    # Debian keeps the server's programs off the PATH.
    postgres) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null ;;
    # R, and the package that makes a Jupyter kernel of it.
    r) command -v Rscript >/dev/null && Rscript --vanilla -e 'loadNamespace("IRkernel")' >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing=()
for tool in "$@"; do
  has "$tool" || missing+=("${package[$tool]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

install="apt-get install --yes --no-install-recommends ${missing[*]}"
if [ "${SETUP:-1}" = 0 ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "Missing on this machine: ${missing[*]}. On Debian or Ubuntu: sudo $install" >&2
  exit 1
fi
echo "Installing what is missing on this machine: ${missing[*]} (SETUP=0 forbids it)"
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update && $install; } >"$log" 2>&1; then
  tail -n 5 "$log" >&2
  echo "Could not install ${missing[*]}; the lines above say why. The log is $log" >&2
  exit 1
fi
rm -f "$log"
hash -r
for tool in "$@"; do
  if ! has "$tool"; then
    echo "$tool is still missing, or too old, after installing ${package[$tool]} (Python must be 3.11 or newer)." >&2
    exit 1
  fi
done
