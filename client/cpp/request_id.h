#pragma once

#include <string>

namespace superpose::client {

// A new request id: 128 random bits in hexadecimal.
std::string NewRequestId();

}  // namespace superpose::client
