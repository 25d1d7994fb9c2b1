#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>

namespace superpose {

class SlicedWork;

// Whose turn it is: around the users, and for each user around their works. Not thread-safe.
class FairRotation {
 public:
  struct Turn {
    std::string user;
    std::shared_ptr<SlicedWork> work;
  };

  bool empty() const { return users_.empty(); }
  // Puts it at the end of its user's line; a user who had none joins at the end of the users' line.
  void Add(Turn turn);
  // Takes the next one out. Not when empty().
  Turn Take();

 private:
  struct Line {
    std::string user;
    std::deque<std::shared_ptr<SlicedWork>> works;
  };
  std::deque<Line> users_;  // none without works
};

}  // namespace superpose
