# Read by scripts/images.sh: gathering what goes into an image, and building it.
# $work is a temporary folder, $context the build context in it; $version and $revision are of this repository.
has_built=no

stop() {
  echo "$1" >&2
  exit 1
}

# Everything that the images are made of, but for torch.
gather() {
  mkdir -p "$context/requirements" "$context/certificates" "$context/wheels"
  cp -R images/Dockerfile images/kernel.json images/server "$context/"
  cp requirements/{uv,image-server,image-kernel}.txt "$context/requirements/"
  find images/certificates -name '*.crt' -exec cp {} "$context/certificates/" \;
  python_here scripts/certificates.py "$context/certificates"
  .venv/bin/python -m hatchling build --target wheel --directory "$context/wheels" >"$work/wheel.log" 2>&1 || {
    tail -n 5 "$work/wheel.log" >&2
    stop "nb2prod's wheel could not be built; the lines above say why. \`make setup\` makes what it needs."
  }
}

gather_torch() {
  mkdir -p "$context/torch-wheels"
  cp requirements/{image-torch,torch}.txt "$context/requirements/"
  [ "${TORCH_BACKEND:-cpu}" = cpu ] && [ -d "${PIP_FIND_LINKS:-}" ] || return 0
  # Debian 12 has Python 3.11. A link, since the wheel is large.
  local wheel
  wheel=$(find "$PIP_FIND_LINKS" -name "torch-$(sed 's/.*==//' requirements/torch.txt)*-cp311-*$(uname -m).whl" | head -n 1)
  [ -z "$wheel" ] || ln "$wheel" "$context/torch-wheels/" 2>/dev/null || cp "$wheel" "$context/torch-wheels/"
}

# build_if_needed NAME ARGUMENT=VALUE…: compares what is in the context with what the image was made of.
build_if_needed() {
  local name=$1 image=nb2prod/$1:$version inputs
  shift
  inputs=$({ digest_of "$context"; printf '%s\n' "$@"; } | sha256sum | cut -c 1-32)
  if [ "$(label_of "$image")" = "$inputs" ]; then
    echo "$image is up to date ($(size_of "$image") MB)"
    return
  fi
  has_built=yes
  ensure_debian
  echo "Building $image (a few minutes at the first time)"
  build "$name" "$image" "VERSION=$version" "REVISION=$revision" "INPUTS=$inputs" "$@"
  echo "$image is built ($(size_of "$image") MB)"
}

# Names and contents; of wheels of others, which are large, names and sizes.
digest_of() {
  (
    cd "$1"
    find . -type f ! -name 'torch-*.whl' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    find . -name 'torch-*.whl' -printf '%f %s\n'
    find . -type f -printf '%P %m\n' | LC_ALL=C sort
  )
}

label_of() {
  docker image inspect --format '{{index .Config.Labels "nb2prod.inputs"}}' "$1" 2>/dev/null || true
}

size_of() {
  echo $(($(docker image inspect --format '{{.Size}}' "$1") / 1000000))
}

build() {
  local target=$1 image=$2 log=.images/$1.log argument options=()
  shift 2
  for argument in "$@"; do options+=(--build-arg "$argument"); done
  # By name only: the values stay out of the command line.
  for argument in PIP_INDEX_URL UV_DEFAULT_INDEX HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!argument:-}" ] || options+=(--build-arg "$argument")
  done
  if docker buildx version >/dev/null 2>&1; then
    options+=(--progress plain --load)
  else
    export DOCKER_BUILDKIT=0
  fi
  if ! docker build --target "$target" --tag "$image" "${options[@]}" "$context" 2>&1 | tee "$log" | show_stages; then
    tail -n 15 "$log" >&2
    stop "$image could not be built; the lines above say why. The whole log is $PWD/$log"
  fi
}

# One line for each stage of the Dockerfile; the log has the rest.
show_stages() {
  sed -u -nE 's/^Step ([0-9]+\/[0-9]+) : FROM .* AS ([a-z-]+)$/  \2 (step \1)/p'
}

# Debian 12, from its registry or, where that can't be reached, from Debian's archive.
ensure_debian() {
  docker image inspect "$debian" >/dev/null 2>&1 && return
  echo "Fetching $debian"
  timeout 90 docker pull --quiet "$debian" >"$work/pull.log" 2>&1 && return
  [ -z "${BASE_IMAGE:-}" ] || stop "$debian can't be fetched: $(tail -n 1 "$work/pull.log")"
  echo "No registry answers, so $debian is made from Debian's archive (a minute)"
  scripts/make-debian.sh "$debian" || exit 1
}

python_here() {
  if [ -x .venv/bin/python ]; then .venv/bin/python "$@"; else python3 "$@"; fi
}
