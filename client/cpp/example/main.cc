// Prints the strongest feature of each token, for the first transcoder that the server holds:
//
//   strongest_features HOST:PORT TEXT       of a text
//   strongest_features HOST:PORT ID ID ..   of a sequence of token ids
#include <superpose/client.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

namespace {

using superpose::client::Activations;
using superpose::client::ActivationsQuery;
using superpose::client::SparseRow;

// Numbers are token ids; anything else is one text.
ActivationsQuery QueryFor(const std::vector<std::string>& words) {
  ActivationsQuery query;
  const bool all_numbers = std::all_of(words.begin(), words.end(), [](const std::string& word) {
    return !word.empty() && word.size() < 10 && word.find_first_not_of("0123456789") == std::string::npos;
  });
  if (!all_numbers) {
    query.texts = {words.front()};
    return query;
  }
  std::vector<int32_t>& ids = query.sequences.emplace_back();
  for (const std::string& word : words) ids.push_back(std::stoi(word));
  return query;
}

void Print(const Activations& found) {
  const auto& layer = found.layers.front();
  std::cout << layer.transcoder << "\n";
  for (int64_t row = 0; row < layer.activations.rows(); ++row) {
    std::cout << found.token_ids[row] << ": ";
    const SparseRow features = layer.activations.Row(row);
    if (features.values.empty()) {
      std::cout << "no feature\n";
      continue;
    }
    const auto strongest = std::max_element(features.values.begin(), features.values.end());
    std::cout << "feature " << features.feature_ids[strongest - features.values.begin()] << " at " << *strongest
              << "\n";
  }
}

absl::Status Run(const std::string& address, const std::vector<std::string>& words) {
  const absl::StatusOr<superpose::Client> client = superpose::Client::Connect(address);
  if (!client.ok()) return client.status();
  const absl::StatusOr<superpose::v1::Model> model = client->GetModel();
  if (!model.ok()) return model.status();
  if (model->transcoders().empty()) return absl::NotFoundError(model->name() + " has no transcoder");

  ActivationsQuery query = QueryFor(words);
  query.transcoders = {model->transcoders(0).name()};
  const absl::StatusOr<Activations> found = client->GetActivations(query);
  if (!found.ok()) return found.status();
  Print(*found);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: strongest_features HOST:PORT TEXT, or HOST:PORT ID ID ..\n";
    return 2;
  }
  const absl::Status status = Run(argv[1], {argv + 2, argv + argc});
  if (status.ok()) return 0;
  // A program acts on the reason; the message is for people.
  std::cerr << status.message() << " [" << superpose::client::ReasonOf(status) << "]\n";
  return 1;
}
