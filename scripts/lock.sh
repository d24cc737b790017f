#!/usr/bin/env bash
# Writes requirements/*.txt anew from pyproject.toml and images/*.in: hashes, no index addresses.
# What images and this machine have in common is the same version in both.
set -euo pipefail

uv=$(command -v uv || echo .uv/bin/uv)
options=(--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url
  --no-header --no-annotate)

# `add` keeps every version that is locked already, and resolves only what is new in pyproject.toml.
upgrade=(--upgrade)
[ "${1:-}" = add ] && upgrade=()
if [ "${1:-}" != images ]; then
  $uv pip compile "${options[@]}" "${upgrade[@]}" --all-extras pyproject.toml --output-file requirements/lock.txt
  echo uv | $uv pip compile "${options[@]}" "${upgrade[@]}" - --output-file requirements/uv.txt
fi

for_images=("${options[@]}" --constraint requirements/lock.txt)
$uv pip compile "${for_images[@]}" --excludes images/server-without.in --extra lab pyproject.toml \
  images/server.in --output-file requirements/image-server.txt
$uv pip compile "${for_images[@]}" images/kernel.in --output-file requirements/image-kernel.txt
# nb2prod/torch lies on top of nb2prod/base: what is in /opt/kernel already is not listed again.
mapfile -t present < <(sed -nE 's/^([a-z0-9._-]+)==.*/--no-emit-package=\1/p' requirements/image-kernel.txt)
$uv pip compile "${for_images[@]}" --constraint requirements/image-kernel.txt "${present[@]}" \
  images/torch.in --output-file requirements/image-torch.txt
