#pragma once

namespace superpose {

// Set by CMake from the project's version.
inline constexpr char kVersion[] = SUPERPOSE_VERSION;

}  // namespace superpose
