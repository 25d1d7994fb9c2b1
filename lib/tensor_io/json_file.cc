#include "lib/tensor_io/json_file.h"

#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/status_macros.h"

namespace superpose {

absl::StatusOr<nlohmann::json> ReadJsonObject(const std::string& path) {
  using Json = nlohmann::json;
  constexpr int kDeepest = 32;
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  bool deep = false;
  const auto shallow = [&](int depth, Json::parse_event_t, Json&) {
    deep = deep || depth > kDeepest;
    return !deep;
  };
  Json json = Json::parse(file->text().begin(), file->text().end(), shallow, /*allow_exceptions=*/false);
  if (deep || !json.is_object()) return InvalidArgument(reason::kFileCorrupt, path, " is no JSON object");
  return json;
}

}  // namespace superpose
