# Part of ./dev: fuzzing the parsers.
# shellcheck shell=bash disable=SC2154
fuzz_packages=(clang libclang-rt-14-dev)

# fuzz_one TARGET SECONDS: what it has found lies in build/fuzz/corpus and is where the next run goes on; what it crashed on, in
# build/fuzz/findings.
fuzz_one() {
  local target=$1 seconds=$2 corpus=build/fuzz/corpus/$1 log=build/fuzz/$1.log memory files status=0
  mkdir -p "$corpus" build/fuzz/findings
  # Files in memory: on a disk most of the time would go by waiting for it.
  memory=/dev/shm
  [[ -w $memory ]] || memory=${TMPDIR:-/tmp}
  files=$(mktemp -d "$memory/superpose_fuzz_XXXXXX")
  TMPDIR=$files UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=allocator_may_return_null=1 OMP_NUM_THREADS=1 \
    "build/fuzz/tests/fuzz/${target}_fuzz" "$corpus" "build/fuzz/seeds/$target" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="build/fuzz/findings/$target-" >"$log" 2>&1 || status=$?
  rm -rf "$files"
  if ((status == 0)); then
    say "fuzz: $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, no findings"
  else
    tail -40 "$log" >&2
    say "fuzz: $target found something; the whole log is $log"
    return 1
  fi
}

# fuzz [--seconds N] [TARGET ..]
fuzz() {
  local seconds=60 targets=() target runs=() run failed=''
  while (($# > 0)); do
    case $1 in
      --seconds) shift; seconds=${1:?superpose: --seconds needs a number} ;;
      --seconds=*) seconds=${1#--seconds=} ;;
      -*) fail "fuzz takes --seconds N and names of targets, not '$1'" ;;
      *) targets+=("$1") ;;
    esac
    shift
  done
  setup
  install_debian_packages "${fuzz_packages[@]}"
  configure fuzz
  compile fuzz fuzz_targets
  rm -rf build/fuzz/seeds
  "$python" tests/fuzz/make_seeds.py tests/data build/fuzz/seeds
  if ((${#targets[@]} == 0)); then mapfile -t targets < <(cd tests/fuzz && printf '%s\n' *_fuzz.cc | sed 's/_fuzz.cc$//'); fi
  for target in "${targets[@]}"; do
    [[ -x build/fuzz/tests/fuzz/${target}_fuzz ]] || fail "there is no fuzz target '$target'; tests/fuzz has them"
    # Not more at once than there are cores.
    while (($(jobs -rp | wc -l) >= $(job_count))); do wait -n || true; done
    fuzz_one "$target" "$seconds" &
    runs+=($!)
  done
  for run in "${runs[@]}"; do wait "$run" || failed=1; done
  [[ -z $failed ]] || fail "fuzz: there are findings in build/fuzz/findings"
}
