# Part of ./dev: building and testing.
# shellcheck shell=bash disable=SC2119,SC2120,SC2154
export CCACHE_DIR=${CCACHE_DIR:-$HOME/.cache/ccache}
# Paths relative to the root: a new clone finds what an older one compiled.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1

job_count() {
  local cores memory_kb
  cores=$(nproc)
  memory_kb=$(awk '/^MemTotal/ {print $2}' /proc/meminfo)
  local by_memory=$((memory_kb / 2000000))
  local count=$((by_memory < cores ? by_memory : cores))
  echo "${SUPERPOSE_JOBS:-$((count > 0 ? count : 1))}"
}

# configure PRESET [cmake options]: once for the same LibTorch and options; CMake itself notices changed lists.
configure() {
  local preset=$1 protos
  protos=$(dirname "$(echo "$root"/.venv/lib/python3*/site-packages/google)")
  [[ -f build/$preset/build.ninja ]] || rm -f ".dev/configure_$preset"
  once "configure_$preset" "$SUPERPOSE_TORCH_DIR $*" run_cmake "$@" "-DSUPERPOSE_GOOGLEAPIS_DIR=$protos"
}

run_cmake() {
  local preset=$1
  shift
  say "configuring build/$preset with LibTorch $(sed -n "s/^__version__ = '\(.*\)'/\1/p" "$SUPERPOSE_TORCH_DIR/version.py")"
  mkdir -p .dev
  cmake --no-warn-unused-cli --preset "$preset" "$@" >.dev/configure.log 2>&1 || { cat .dev/configure.log >&2; fail "CMake failed"; }
}

# compile PRESET [targets]
compile() {
  local preset=$1
  shift
  cmake --build "build/$preset" --parallel "$(job_count)" ${1:+--target "$@"}
}

build() {
  local preset=release targets=()
  while (($# > 0)); do
    case $1 in
      --preset=*) preset=${1#--preset=} ;;
      --target) shift; targets+=("${1:?superpose: --target needs a name}") ;;
      --target=*) targets+=("${1#--target=}") ;;
      *) targets+=("$1") ;;
    esac
    shift
  done
  setup
  configure "$preset"
  compile "$preset" "${targets[@]}"
}

# run_ctest PRESET [ctest options]
run_ctest() {
  local preset=$1 fixed_layout=()
  shift
  # The sanitizers of g++ 12 need the plain layout of the address space.
  if [[ $preset == [at]san ]] && setarch -R true 2>/dev/null; then fixed_layout=(setarch -R); fi
  "${fixed_layout[@]}" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --parallel "$(job_count)" "$@"
}

# sanitize PRESET LABELS [cmake options]: builds and runs the tests of some folders under a sanitizer.
sanitize() {
  local preset=$1 labels=$2 targets
  shift 2
  configure "$preset" "$@"
  # The lists of a tree that is there already may be older than the sources'.
  cmake "build/$preset" >/dev/null
  # A test's name is its target's.
  mapfile -t targets < <(ctest --test-dir "build/$preset" -N -L "$labels" | sed -n 's/^ *Test *#[0-9]*: //p')
  ((${#targets[@]} > 0)) || fail "no tests are labelled $labels"
  compile "$preset" "${targets[@]}"
  run_ctest "$preset" -L "$labels"
}

test_python() {
  if [[ ! -d client/python/tests ]]; then return; fi
  PYTHONPATH=client/python/src OMP_WAIT_POLICY=PASSIVE "$python" -m pytest -q -p no:cacheprovider client/python/tests
  # By themselves: modules of both have the same names.
  OMP_WAIT_POLICY=PASSIVE "$python" -m pytest -q -p no:cacheprovider tests/bench
}

run_tests() {
  local full=''
  if [[ ${1:-} == --full ]]; then full=1; shift; fi
  build
  run_ctest release "$@"
  test_python
  test_docs
  sanitize asan '^lib/(tensor_io|tokenizer|corpus)$'
  fuzz --seconds 10
  if [[ $full ]]; then
    sanitize tsan '^server/(jobs|runtime)$'
    client/python/tests/versions.sh
  fi
}
