# Part of ./dev: what the project needs on a bare Debian 12.
# shellcheck shell=bash disable=SC2154
torch_version=2.13.0
pip_version=26.3
python=$root/.venv/bin/python
debian_packages=(
  ca-certificates ccache cmake g++ libabsl-dev libcli11-dev libgmock-dev libgrpc++-dev libgtest-dev libprotobuf-dev
  libspdlog-dev libsqlite3-dev libssl-dev libzstd-dev ninja-build nlohmann-json3-dev pkg-config prometheus-cpp-dev
  protobuf-compiler protobuf-compiler-grpc python3 python3-venv zlib1g-dev)

say() { printf 'superpose: %s\n' "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# once NAME KEY COMMAND..: runs COMMAND unless it last succeeded with the same KEY.
once() {
  local stamp=.dev/$1 key=$2
  shift 2
  if [[ -f $stamp && $(<"$stamp") == "$key" ]]; then return; fi
  "$@"
  printf '%s\n' "$key" >"$stamp"
}

# install_debian_packages PACKAGE ..: those that are missing.
install_debian_packages() {
  local wanted=("$@")
  command -v dpkg-query >/dev/null || fail "this needs Debian 12; elsewhere install by hand what deploy/dev/setup.sh lists"
  local installed missing=() package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
  for package in "${wanted[@]}"; do
    grep -qxF "$package" <<<"$installed" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then return; fi
  say "installing Debian packages: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends \
    "${missing[@]}" >/dev/null
}

make_venv() {
  if [[ -x $python ]] && "$python" -c '' 2>/dev/null; then return; fi
  rm -f .dev/pip .dev/python .dev/lint .dev/docs .dev/bench
  /usr/bin/python3 -m venv --clear .venv
}

pip() { "$python" -m pip --disable-pip-version-check "$@"; }

# The kind that setup was last asked for; else cuda where there are a GPU and its compiler, cpu elsewhere.
default_torch_kind() {
  if [[ -f .dev/torch_kind ]]; then
    cat .dev/torch_kind
  elif nvidia-smi -L >/dev/null 2>&1 && command -v nvcc >/dev/null; then
    echo cuda
  else
    echo cpu
  fi
}

# Prints the kind (cpu or cuda) and the exact version of the torch wheel that pip would take; downloads nothing but metadata.
resolve_torch_wheel() {
  pip install -qq --dry-run --ignore-installed --no-deps --report - "torch==$torch_version" | "$python" -c '
import json, sys
wheel = json.load(sys.stdin)["install"][0]["metadata"]
needs_cuda = any(need.startswith(("nvidia-", "cuda-")) for need in wheel.get("requires_dist", []))
print("cuda" if needs_cuda else "cpu", wheel["version"])'
}

install_python_packages() {
  local kind=$1 found version
  if [[ -n ${SUPERPOSE_TORCH_DIR:-} ]]; then
    say "installing Python packages"
    pip install -qq -r deploy/dev/requirements.txt
    return
  fi
  read -r found version < <(resolve_torch_wheel) || fail "pip finds no torch $torch_version"
  [[ $found == "$kind" ]] || fail "pip would take torch $version, a $found build, where a $kind build is wanted. Say
  ./dev setup --torch=$found                         to take it after all,
  PIP_EXTRA_INDEX_URL=URL ./dev setup --torch=$kind   to take it from an index that has $kind builds
                                                   (PyTorch's own are listed at https://pytorch.org), or
  SUPERPOSE_TORCH_DIR=DIR ./dev setup                to use one that is installed: DIR is .../site-packages/torch"
  say "installing torch $version and the other Python packages"
  # Three equals signs: 2.13.0 would take an installed 2.13.0+cpu for itself.
  pip install -qq -r deploy/dev/requirements.txt "torch===$version"
}

find_torch() {
  if [[ -z ${SUPERPOSE_TORCH_DIR:-} ]]; then
    SUPERPOSE_TORCH_DIR=$(echo "$root"/.venv/lib/python3*/site-packages/torch)
  fi
  [[ -f $SUPERPOSE_TORCH_DIR/lib/libtorch_cpu.so ]] || fail "no LibTorch in SUPERPOSE_TORCH_DIR=$SUPERPOSE_TORCH_DIR"
  export SUPERPOSE_TORCH_DIR
}

setup() {
  local kind='' argument
  for argument in "$@"; do
    case $argument in
      --torch=cpu | --torch=cuda) kind=${argument#--torch=} ;;
      *) fail "setup takes --torch=cpu or --torch=cuda, not '$argument'" ;;
    esac
  done
  mkdir -p .dev
  (
    flock 9
    kind=${kind:-$(default_torch_kind)}
    install_debian_packages "${debian_packages[@]}"
    make_venv
    once pip "$pip_version" pip install -qq "pip==$pip_version"
    once python "$kind ${SUPERPOSE_TORCH_DIR:-$torch_version} $(sha256sum <deploy/dev/requirements.txt)" \
      install_python_packages "$kind"
    echo "$kind" >.dev/torch_kind
  ) 9>.dev/lock
  find_torch
}
