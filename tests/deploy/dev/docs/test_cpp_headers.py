from cpp_headers import Header, Item, name_of, parse_header

HEADER = """\
// What the file is about,
// in two lines.
#pragma once

#include <vector>

// Twice `x`.
#define TWICE(x) ((x) + (x))
#define TWICE_INNER_(x) x

namespace superpose {

class Elsewhere;

// A remark on its own.

// What kinds there are.
enum class Kind { kOne, kTwo };

// Adds.
int Add(int a, int b = Default({1, 2}));
int Subtract(int a,
             int b);

struct Pair {
  // [rows + 1]
  std::vector<int64_t> splits = {0};
  int first = 1;  // from 1
  int second{2};
};

// Thread-safe.
class Thing final : public Base {
 public:
  explicit Thing(int a) : a_(a) {}
  Thing(const Thing&) = delete;
  ~Thing() { Stop("}"); }
  // How many.
  template <typename T>
  absl::StatusOr<T> Count(const T& t,
                          int most) const;
  bool operator==(const Thing& other) const { return a_ == other.a_; }
  struct Options {
    int depth = 3;
  };

 protected:
  void Hook();

 private:
  friend class Friend;
  int a_;  // hidden
};

namespace internal {
int Hidden();
}  // namespace internal

inline constexpr int kLimits[] = {1, 2};

// Implementation.
template <typename T>
absl::StatusOr<T> Thing::Count(const T& t, int most) const {
  return t;
}

}  // namespace superpose
"""


def parsed() -> Header:
    return parse_header("lib/thing/thing.h", HEADER)


def item(items: list[Item], name: str) -> Item:
    (found,) = (item for item in items if item.name == name)
    return found


def test_the_comment_at_the_top_is_the_files() -> None:
    assert parsed().comment == "What the file is about,\nin two lines."


def test_what_a_caller_can_use_is_found_in_its_order_and_nothing_else() -> None:
    names = [item.name for item in parsed().items]
    assert names == ["TWICE", "", "Kind", "Add", "Subtract", "Pair", "Thing", "kLimits"]


def test_members_are_the_public_ones() -> None:
    thing = item(parsed().items, "Thing")
    assert [member.name for member in thing.members] == ["Thing", "Count", "operator==", "Options"]
    assert thing.comment == "Thread-safe."
    assert item(thing.members, "Options").members[0].code == "int depth = 3;"


def test_bodies_and_initialisers_of_constructors_are_left_out() -> None:
    assert item(item(parsed().items, "Thing").members, "Thing").code == "explicit Thing(int a);"


def test_a_declaration_keeps_its_lines_and_its_default_arguments() -> None:
    items = parsed().items
    assert item(items, "Add").code == "int Add(int a, int b = Default({1, 2}));"
    count = item(item(items, "Thing").members, "Count")
    assert count.code == (
        "template <typename T>\nabsl::StatusOr<T> Count(const T& t,\n                        int most) const;"
    )


def test_a_declaration_under_another_shares_its_comment() -> None:
    items = parsed().items
    assert not item(items, "Add").joined
    assert item(items, "Subtract").joined
    assert not item(items, "Pair").joined


def test_fields_keep_their_values_and_the_comments_behind_them() -> None:
    fields = {member.name: member for member in item(parsed().items, "Pair").members}
    assert fields["splits"].comment == "[rows + 1]"
    assert fields["splits"].code == "std::vector<int64_t> splits = {0};"
    assert fields["first"].code == "int first = 1;  // from 1"
    assert fields["second"].code == "int second{2};"


def test_a_comment_behind_something_hidden_goes_nowhere() -> None:
    assert "hidden" not in repr(parsed())


def test_a_remark_between_declarations_stays() -> None:
    assert parsed().items[1].comment == "A remark on its own."


def test_names_of_declarations() -> None:
    assert name_of("using Map = std::map<std::string, int>;") == "Map"
    assert name_of("std::map<std::string, std::function<void(int)>> callbacks;") == "callbacks"
    assert name_of("static absl::StatusOr<std::unique_ptr<Thing>> Create(Options options = {});") == "Create"
    assert name_of('inline constexpr char kName[] = "a";') == "kName"
