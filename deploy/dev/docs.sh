# Part of ./dev: the documentation, built into build/docs.
# shellcheck shell=bash disable=SC2154
install_docs_tools() {
  say "installing the tools for the documentation"
  pip install -qq -r deploy/dev/docs/requirements.txt
}

setup_docs() {
  setup
  once docs "$(sha256sum <deploy/dev/docs/requirements.txt)" install_docs_tools
}

# Builds every page and fails when a link leads nowhere. Nothing needs compiling: it takes seconds.
build_docs() {
  "$python" deploy/dev/docs/build_docs.py --googleapis "$(dirname "$(echo "$root"/.venv/lib/python3*/site-packages/google)")"
}

test_docs() {
  setup_docs
  "$python" -m pytest -q -p no:cacheprovider tests/deploy/dev/docs
}

docs() {
  setup_docs
  build_docs
}
