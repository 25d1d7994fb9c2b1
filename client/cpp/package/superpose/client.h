// The C++ client of a Superpose server, for projects that use the installed package:
//
//   find_package(superpose REQUIRED)
//   target_link_libraries(app PRIVATE superpose::client)
#pragma once

#include "client/cpp/client.h"  // IWYU pragma: export
