#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace superpose {

// Whether any string in `message`, or in a message in it, is exactly `resource`: so a new kind of job is asked about
// what it reads without being known here.
bool NamesResource(const google::protobuf::Message& message, const std::string& resource);

}  // namespace superpose
