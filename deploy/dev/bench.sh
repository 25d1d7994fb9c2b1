# Part of ./dev: the bench.
# shellcheck shell=bash disable=SC2154
bench_dir=$root/.dev/python-bench

# An environment that takes from .venv what it does not have, torch above all.
make_bench_environment() {
  say "installing what the bench compares with"
  /usr/bin/python3 -m venv --clear "$bench_dir"
  printf '%s\n' "$root"/.venv/lib/python3*/site-packages "$(dirname "$SUPERPOSE_TORCH_DIR")" \
    >"$(echo "$bench_dir"/lib/python3*/site-packages)/venv.pth"
  "$bench_dir/bin/python" -m pip install -qq --disable-pip-version-check -r deploy/dev/bench/requirements.txt
}

bench() {
  build --target superpose_bench --target superpose_service_bench
  once bench "$SUPERPOSE_TORCH_DIR $(sha256sum <deploy/dev/bench/requirements.txt)" make_bench_environment
  exec "$bench_dir/bin/python" tests/bench/run.py --build build/release "$@"
}
