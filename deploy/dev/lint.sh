# Part of ./dev: checks of the sources' form.
# shellcheck shell=bash disable=SC2154
bin=$root/.venv/bin

install_lint_tools() {
  say "installing the lint tools"
  pip install -qq -r deploy/dev/requirements-lint.txt
}

setup_lint() {
  setup
  once lint "$(sha256sum <deploy/dev/requirements-lint.txt)" install_lint_tools
  # buf takes google/rpc from a module inside the project (buf.yaml).
  mkdir -p .dev/googleapis/google
  cp -r "$root"/.venv/lib/python3*/site-packages/google/rpc .dev/googleapis/google/
}

cpp_files() { find lib proto server client tests -name '*.cc' -o -name '*.h'; }

bash_files() { grep -rIlE '^#!.*\bbash|^# shellcheck shell=bash' dev .ci deploy tests; }

check() {
  local what=$1
  shift
  say "lint: $what"
  "$@" || { say "lint: $what failed"; failed=1; }
}

lint_bash() {
  mapfile -t files < <(bash_files)
  "$bin/shellcheck" -x "${files[@]}"
}

lint_tidy() {
  compile release superpose_proto &&
    "$python" deploy/dev/tidy.py build/release --jobs "$(job_count)" "$@"
}

lint() {
  local failed=''
  setup_lint
  configure release
  check "clang-format" xargs -a <(cpp_files) "$bin/clang-format" --dry-run -Werror --ferror-limit=1
  check "ruff format" "$bin/ruff" format --quiet --check .
  check "ruff" "$bin/ruff" check --quiet .
  check "shellcheck" lint_bash
  check "buf lint" "$bin/buf" lint
  check "Python stubs" check_stubs
  check "docs" docs
  check "buf format" "$bin/buf" format --diff --exit-code proto
  check "clang-tidy" lint_tidy "$@"
  [[ -z $failed ]] || fail "lint: found something; ./dev format mends what is only format"
}

format() {
  setup_lint
  xargs -a <(cpp_files) "$bin/clang-format" -i
  "$bin/ruff" format --quiet .
  "$bin/ruff" check --quiet --fix .
  "$bin/buf" format -w proto
}
