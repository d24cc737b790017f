#!/usr/bin/env bash
# Makes .venv with exactly the packages of requirements/lock.txt (checked by hash), a CPU build
# of torch for the examples, and nb2prod itself, editable.
set -euo pipefail

needed_mb=4000
free_mb=$(df --output=avail --block-size=1M . | tail -n 1 | tr -d ' ')
if [ "$free_mb" -lt "$needed_mb" ]; then
  echo "No space left: setting up needs about $needed_mb MB in $PWD, and $free_mb MB are free." >&2
  exit 1
fi

echo "Setting up the virtual environment .venv (a minute or two, once)"
if command -v uv >/dev/null; then
  uv=uv
else
  [ -x .uv/bin/uv ] || {
    python3 -m venv .uv
    .uv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
  }
  uv=.uv/bin/uv
fi

# Bytecode is compiled here, once, so that nothing that follows pays for it at each start.
unset PYTHONDONTWRITEBYTECODE
export VIRTUAL_ENV=$PWD/.venv UV_LINK_MODE=${UV_LINK_MODE:-clone}
$uv venv --quiet --allow-existing --python "$(command -v python3)" .venv
$uv pip sync --quiet --compile-bytecode --require-hashes requirements/lock.txt
# torch is apart: which build fits is the machine's matter. A folder of wheels comes first.
if [ -n "${PIP_FIND_LINKS:-}" ]; then
  source=(--find-links "$PIP_FIND_LINKS")
else
  source=(--torch-backend cpu)
fi
$uv pip install --quiet --compile-bytecode --no-deps "${source[@]}" --requirement requirements/torch.txt
$uv pip install --quiet --no-deps --no-build-isolation --editable .
# The kernelspec of this environment, so that Jupyter here offers it by name.
.venv/bin/python -c 'from nb2prod_kernels.kernelspecs import install; install()'
