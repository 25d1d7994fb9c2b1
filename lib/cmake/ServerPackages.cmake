# What the server and the clients need. Debian's packages, found before LibTorch.
find_package(Protobuf REQUIRED)
find_package(gRPC REQUIRED CONFIG)
find_package(prometheus-cpp REQUIRED CONFIG)
find_package(SQLite3 REQUIRED)
find_package(spdlog REQUIRED CONFIG)
find_package(CLI11 REQUIRED CONFIG)
