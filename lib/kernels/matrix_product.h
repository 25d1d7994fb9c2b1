// Dense products of matrices, one thread, vectorised for the processor. An element of the result is one sum
// over k in a fixed order: it depends on its own row and column alone, on no size, and on the level only by rounding.
#pragma once

#include <cstdint>

#include "lib/kernels/vector_level.h"

namespace superpose {

// out[i, j] = end(sum over k of a[i, k] b[k, j]), for i < rows, j < columns, k < depth; the end adds the bias, then
// applies GELU, where they are wanted. Rows lie *_stride apart. out overlaps neither a nor b. T: float or double.
template <typename T>
struct ProductOf {
  const T* a = nullptr;
  int64_t a_stride = 0;
  bool a_transposed = false;  // a[i, k] lies at k * a_stride + i, not at i * a_stride + k
  const T* b = nullptr;
  int64_t b_stride = 0;
  bool b_transposed = false;  // b[k, j] lies at j * b_stride + k, not at k * b_stride + j
  T* out = nullptr;
  int64_t out_stride = 0;
  int64_t rows = 0, columns = 0, depth = 0;
  bool add = false;         // the sum is added to what out holds
  const T* bias = nullptr;  // [columns]
  bool gelu = false;        // the tanh form; of float alone
};
using MatrixProduct = ProductOf<float>;

void MultiplyMatrices(const MatrixProduct& product, VectorLevel level = BestVectorLevel());
void MultiplyMatrices(const ProductOf<double>& product, VectorLevel level = BestVectorLevel());

// Rows and columns of `out` that are computed together: the best parts of a product are multiples of them.
struct ProductTile {
  int64_t rows, columns;
};
template <typename T>
ProductTile TileOf(VectorLevel level = BestVectorLevel());

// out[i] = the tanh form of GELU of x[i]; they may be the same. The same numbers as a product's end gives.
void GeluTanh(const float* x, float* out, int64_t n, VectorLevel level = BestVectorLevel());

}  // namespace superpose
