#!/usr/bin/env bash
# Makes sure that a Docker engine answers. As root it installs and starts one where there is none
# (SETUP=0 forbids it), in the background, without the system's service manager.
set -euo pipefail

answers() { timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# An engine that was killed leaves files which say that it runs, and for a moment itself as well,
# dying or as a zombie; a new one would believe them.
forget_dead() {
  local state
  for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
    for _ in 1 2 3 4; do
      [ -e "$file" ] || break
      if [ ! -s "$file" ] || ! { read -r _ _ state _ <"/proc/$(cat "$file")/stat"; } 2>/dev/null || [ "$state" = Z ]; then
        rm -f "$file"
        break
      fi
      sleep 0.5
    done
  done
}

if command -v docker >/dev/null && answers; then
  exit 0
fi
if [ "$(id -u)" != 0 ] || [ "${SETUP:-1}" = 0 ] || [ -n "${DOCKER_HOST:-}" ]; then
  echo "No Docker engine answers (docker version says why); without one, what needs containers is left out." >&2
  exit 1
fi
"$(dirname "$0")/system.sh" docker

log=${NB2PROD_ENGINE_LOG:-/var/log/nb2prod-dockerd.log}
wait_s=60
forget_dead
echo "Starting a Docker engine (SETUP=0 forbids it; its log is $log)"
setsid dockerd >"$log" 2>&1 </dev/null &
engine=$!
# Tells the tests which engine is theirs to kill.
echo "$engine" >"${NB2PROD_ENGINE_PID:-/run/nb2prod-dockerd.pid}"
for ((i = 0; i < wait_s * 2; i++)); do
  answers && exit 0
  kill -0 "$engine" 2>/dev/null || break
  sleep 0.5
done
tail -n 5 "$log" >&2
echo "The Docker engine does not answer; the lines above, of $log, say why." >&2
exit 1
