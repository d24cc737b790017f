#!/usr/bin/env bash
# Fetches the pinned browser libraries and puts what the gallery serves into its static folder.
set -euo pipefail

echo "Fetching the browser libraries"
log=$(mktemp)
if ! npm ci --no-audit --no-fund --ignore-scripts >"$log" 2>&1; then
  tail -n 5 "$log" >&2
  echo "npm could not install what package-lock.json lists; the lines above say why." >&2
  exit 1
fi
rm -f "$log"
node scripts/vendor.mjs
