#!/usr/bin/env bash
# Builds the images nb2prod/base and nb2prod/torch (or those named as arguments) where they are not
# up to date. TORCH_BACKEND=cu130, say, makes a torch for CUDA; BASE_IMAGE=… another Debian 12.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/image-build.sh

wanted=("$@")
[ $# -gt 0 ] || wanted=(base torch)
for name in "${wanted[@]}"; do
  case "$name" in
    base | torch) ;;
    *) stop "There is no image $name here; there are base and torch." ;;
  esac
done

timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
  stop "No Docker engine answers, so there is nothing to build images with. scripts/engine.sh starts one."

# One build at a time: what two would make is the same.
mkdir -p .images
exec 9>.images/lock
flock 9

started=$SECONDS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
context=$work/context
version=$(sed -nE 's/^version = "(.*)"/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
debian=${BASE_IMAGE:-debian:bookworm-slim}

gather
build_if_needed base "DEBIAN=$debian"
if [[ " ${wanted[*]} " == *" torch "* ]]; then
  gather_torch
  build_if_needed torch "DEBIAN=$debian" "TORCH_BACKEND=${TORCH_BACKEND:-cpu}"
fi
[ "$has_built" = no ] || echo "The images took $((SECONDS - started)) s"
