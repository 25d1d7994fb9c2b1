#pragma once

#include <string>

namespace superpose {

// An id for a new resource: 12 random lower-case letters and digits (62 bits), so that none is ever given twice, also
// after its resource was deleted or by another server, and without asking a database. Says nothing of the order.
std::string NewResourceId();

}  // namespace superpose
