# Part of ./dev: the Python client's stubs, made from the protos. They are checked in, so that `pip install client/python` needs no protoc,
# and made by Debian 12's protoc 3.21: what it writes imports on protobuf 4 to 7.
# shellcheck shell=bash disable=SC2154
stubs_dir=client/python/src/superpose/v1

# generate_stubs DIR: writes the stubs of proto/superpose/v1 into DIR.
generate_stubs() {
  local dir=$1 googleapis made
  googleapis=$(dirname "$(echo "$root"/.venv/lib/python3*/site-packages/google)")
  made=$(mktemp -d)
  protoc -I "$root/proto" -I "$googleapis" --python_out="$made" --pyi_out="$made" --grpc_out="$made" \
    --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" "$root"/proto/superpose/v1/*.proto
  # Only services have something to call.
  grep -LZ '^class ' "$made"/superpose/v1/*_pb2_grpc.py | xargs -0 -r rm
  echo '"""Protobuf messages and gRPC stubs, made by ./dev stubs; not edited."""' >"$made/superpose/v1/__init__.py"
  rm -rf "$dir"
  mkdir -p "$dir"
  cp "$made"/superpose/v1/*.py "$made"/superpose/v1/*.pyi "$dir"
  rm -r "$made"
}

stubs() {
  setup
  generate_stubs "$stubs_dir"
}

# Fails unless the stubs are those of the protos.
check_stubs() {
  local made
  made=$(mktemp -d)
  generate_stubs "$made/v1" && diff -rq -x __pycache__ "$made/v1" "$stubs_dir"
  local result=$?
  rm -r "$made"
  ((result == 0)) || say "./dev stubs brings the Python stubs up to date"
  return $result
}
