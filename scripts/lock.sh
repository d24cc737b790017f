#!/usr/bin/env bash
# Writes requirements/*.txt anew from pyproject.toml: all extras, hashes, no index addresses.
set -euo pipefail

uv=$(command -v uv || echo .uv/bin/uv)
options=(--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url
  --no-header --no-annotate --upgrade)
$uv pip compile "${options[@]}" --all-extras pyproject.toml --output-file requirements/lock.txt
echo uv | $uv pip compile "${options[@]}" - --output-file requirements/uv.txt
