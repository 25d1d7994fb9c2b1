#include "server/runtime/fair_rotation.h"

#include <algorithm>

namespace superpose {

void FairRotation::Add(Turn turn) {
  auto line = std::find_if(users_.begin(), users_.end(), [&](const Line& line) { return line.user == turn.user; });
  if (line != users_.end()) {
    line->works.push_back(std::move(turn.work));
  } else {
    users_.push_back({std::move(turn.user), {std::move(turn.work)}});
  }
}

FairRotation::Turn FairRotation::Take() {
  Line line = std::move(users_.front());
  users_.pop_front();
  Turn turn{line.user, std::move(line.works.front())};
  line.works.pop_front();
  if (!line.works.empty()) users_.push_back(std::move(line));
  return turn;
}

}  // namespace superpose
