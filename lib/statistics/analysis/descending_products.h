// The products of descending numbers in descending order, without holding them all.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace superpose {

// Of values s_0 >= s_1 >= .. >= 0: s_i s_j over i <= j and s_i s_j s_k over i <= j <= k, each with the number of
// ordered pairs or triples that have it; and the s_i themselves.
class DescendingProducts {
 public:
  // Which lengths of products: of 1, 2 and 3 factors.
  DescendingProducts(std::vector<double> values, const std::vector<int>& lengths);

  struct Product {
    double value = 0;
    int copies = 0;
  };
  // Whether one is left.
  bool empty() const { return heap_.empty(); }
  // The next, in the order of values. Memory grows with the number of calls, not with that of products.
  Product Next();

 private:
  struct Node {
    double value;
    int length;
    std::array<int32_t, 3> at;  // ascending; of `length` factors
  };

  void Push(int length, const std::array<int32_t, 3>& at);

  std::vector<double> values_;
  std::vector<Node> heap_;
};

}  // namespace superpose
