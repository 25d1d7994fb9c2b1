#!/usr/bin/env bash
# Tests the client on the oldest packages that pyproject.toml allows and on the newest that there are: what needs no server, and a walk
# through all kinds of calls against a real one, which must be built. Environments are kept in .dev/python-oldest and -newest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
base_python=${PYTHON:-/usr/bin/python3}
unit_tests=()
for name in errors connection indexing words input activations_result; do unit_tests+=("client/python/tests/test_$name.py"); done

# requirements oldest|newest: the client's dependencies as pip takes them.
requirements() {
  "$base_python" - "$1" <<'PYTHON'
import re, sys, tomllib

with open("client/python/pyproject.toml", "rb") as file:
    dependencies = tomllib.load(file)["project"]["dependencies"]
for dependency in dependencies:
    name, bound = re.fullmatch(r"([\w-]+)>=([\d.]+)", dependency).groups()
    # Of "1.51" the newest 1.51.x; of "4.21.6" that one.
    exact = bound if bound.count(".") == 2 else f"{bound}.*"
    print(f"{name}=={exact}" if sys.argv[1] == "oldest" else name)
PYTHON
}

run() {
  local ends=$1 dir=.dev/python-$1 wanted
  mapfile -t wanted < <(requirements "$ends")
  [[ -x $dir/bin/python ]] || "$base_python" -m venv "$dir"
  "$dir/bin/python" -m pip install -qq --disable-pip-version-check --upgrade --upgrade-strategy eager "${wanted[@]}" pytest
  echo "superpose: the client on the $ends packages: $("$dir/bin/python" -m pip list --disable-pip-version-check --format freeze |
    grep -E '^(protobuf|grpcio|numpy|pandas|scipy|google-crc32c|googleapis-common-protos|tqdm)=' | tr '\n' ' ')"
  PYTHONPATH=client/python/src OMP_WAIT_POLICY=PASSIVE "$dir/bin/python" -m pytest -q -p no:cacheprovider --noconftest \
    "${unit_tests[@]}" client/python/tests/versions_walk.py
}

mkdir -p .dev
for ends in "${@:-oldest newest}"; do
  for one in $ends; do run "$one"; done
done
