"""Protobuf messages and gRPC stubs, made by ./dev stubs; not edited."""
