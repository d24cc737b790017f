#!/usr/bin/env bash
# Builds the JupyterLab extension, and shows it and its server half to the Jupyter of .venv.
set -euo pipefail

echo "Building the JupyterLab extension (about a minute, once)"
log=$(mktemp)
cd extensions/lab
if ! { npm ci --no-audit --no-fund --ignore-scripts && PATH=$OLDPWD/.venv/bin:$PATH npm run build; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "The JupyterLab extension could not be built; the lines above say why." >&2
  exit 1
fi
rm -f "$log"
cd "$OLDPWD"

# An editable install copies what a wheel puts outside of the package; links stay fresh.
extensions=.venv/share/jupyter/labextensions config=.venv/etc/jupyter/jupyter_server_config.d
mkdir -p "$extensions" "$config"
rm -rf "$extensions/nb2prod-lab"
ln -sfn "$PWD/extensions/lab/nb2prod_lab/labextension" "$extensions/nb2prod-lab"
ln -sfn "$PWD/extensions/lab/jupyter-config/nb2prod_lab.json" "$config/nb2prod_lab.json"
