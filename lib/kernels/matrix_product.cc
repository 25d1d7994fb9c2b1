#include "lib/kernels/matrix_product.h"

#include <algorithm>
#include <memory>
#include <type_traits>

#include "lib/kernels/product_kernel.h"

namespace superpose {
namespace {

constexpr int64_t kRowsAtOnce = 108;  // of the left factor: with kProductDepth 115 kB, 230 of doubles
// Of the right factor: 480 kB. Both fit into a second-level cache.
template <typename T>
constexpr int64_t kColumnsAtOnce = 480 * sizeof(float) / sizeof(T);

// A thread's copies of what it multiplies, in the order in which it is read.
template <typename T>
struct alignas(64) Buffers {
  T a[(kRowsAtOnce + 16) * kProductStride] = {};
  T b[kColumnsAtOnce<T> * kProductDepth] = {};
};

template <typename T>
Buffers<T>& ThreadBuffers() {
  thread_local const std::unique_ptr<Buffers<T>> buffers = std::make_unique<Buffers<T>>();
  return *buffers;
}

// to[j * to_stride + i] = from[i * stride + j], i < rows, j < columns: in squares, then what is left.
template <typename Math, typename T>
SUPERPOSE_INLINE void CopyTransposed(const T* from, int64_t stride, int64_t rows, int64_t columns, T* to,
                                     int64_t to_stride) {
  constexpr int64_t kSide = Math::kLanes;
  const int64_t whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
  for (int64_t j = 0; j < whole_columns; j += kSide) {
    for (int64_t i = 0; i < whole_rows; i += kSide) {
      Math::Transpose(from + i * stride + j, stride, to + j * to_stride + i, to_stride);
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) to[j * to_stride + i] = from[i * stride + j];
  }
}

template <typename Kernel>
struct ProductLoops {
  using T = Kernel::Value;
  using Product = ProductOf<T>;
  using Math = Kernel::Math;
  using Columns = Kernel::Columns;
  static constexpr int64_t kColumns = Kernel::kColumns;
  static constexpr int64_t kLanes = Kernel::kLanes;
  static_assert(kRowsAtOnce % Kernel::kRows == 0 && kColumnsAtOnce<T> % kColumns == 0);

  // A part of the sums of a part of the columns.
  struct Part {
    int64_t first_column, columns, first_k, depth;
  };

  // Columns [from, from + count) of b, `depth` terms, one term's columns after the other's; zeros up to kColumns.
  static SUPERPOSE_INLINE void CopyColumns(const Product& p, int64_t from, int64_t count, const Part& part, T* to) {
    if (count < kColumns) std::fill_n(to, part.depth * kColumns, T{});
    if (!p.b_transposed) {
      const T* b = p.b + part.first_k * p.b_stride + from;
      for (int64_t k = 0; k < part.depth; ++k, b += p.b_stride, to += kColumns) {
        if (count == kColumns)  // a length that the compiler knows
          std::memcpy(to, b, kColumns * sizeof(T));
        else
          std::memcpy(to, b, count * sizeof(T));
      }
      return;
    }
    CopyTransposed<Math>(p.b + from * p.b_stride + part.first_k, p.b_stride, count, part.depth, to, kColumns);
  }

  static SUPERPOSE_INLINE void CopyRows(const Product& p, int64_t first, int64_t count, const Part& part, T* to) {
    if (p.a_transposed) {
      return CopyTransposed<Math>(p.a + part.first_k * p.a_stride + first, p.a_stride, part.depth, count, to,
                                  kProductStride);
    }
    const T* a = p.a + first * p.a_stride + part.first_k;
    for (int64_t r = 0; r < count; ++r) {
      std::memcpy(to + r * kProductStride, a + r * p.a_stride, part.depth * sizeof(T));
    }
  }

  // kColumns sums of a row become its results.
  static SUPERPOSE_INLINE void Finish(const T* sums, const T* before, const T* bias, bool gelu, T* out) {
    for (int64_t c = 0; c < kColumns; c += kLanes) {
      auto x = Math::Load(sums + c);
      if (before != nullptr) x += Math::Load(before + c);
      if (bias != nullptr) x += Math::Load(bias + c);
      if constexpr (std::is_same_v<T, float>) {
        if (gelu) x = VectorMath<Kernel::kLanes>::GeluTanh(x);
      }
      Math::Store(out + c, x);
    }
  }

  static SUPERPOSE_INLINE void FinishTile(const Product& p, const Part& part, int64_t row, int64_t rows, int64_t column,
                                          int64_t columns, const T* tile) {
    const bool first = part.first_k == 0 && !p.add, last = part.first_k + part.depth == p.depth;
    const T* bias = last && p.bias != nullptr ? p.bias + column : nullptr;
    for (int64_t r = 0; r < rows; ++r) {
      T* out = p.out + (row + r) * p.out_stride + column;
      const T* sums = tile + r * kColumns;
      if (columns == kColumns) {
        Finish(sums, first ? nullptr : out, bias, last && p.gelu, out);
        continue;
      }
      T before[kColumns] = {}, some_bias[kColumns] = {}, result[kColumns];
      if (!first) std::copy_n(out, columns, before);
      if (bias != nullptr) std::copy_n(bias, columns, some_bias);
      Finish(sums, first ? nullptr : before, bias != nullptr ? some_bias : nullptr, last && p.gelu, result);
      std::copy_n(result, columns, out);
    }
  }

  // Whether b is read where it lies: copying pays only for more rows.
  static bool InPlace(const Product& p) { return p.rows <= Kernel::kRows && !p.b_transposed; }

  // Where few rows pass by, reading b takes as long as multiplying: then its columns are copied one by one, each while
  // the next ones come from memory.
  static bool ReadsAhead(const Product& p) { return p.rows <= kRowsAtOnce; }

  // The columns behind those at c of a part, in the order in which they are needed; none at the end.
  static SUPERPOSE_INLINE Columns ColumnsAfter(const Product& p, const Part& part, int64_t c) {
    if (!ReadsAhead(p) || p.b_transposed) return {};
    const T* b = p.b + part.first_k * p.b_stride + part.first_column;
    if (c + 2 * kColumns <= part.columns) return {b + c + kColumns, p.b_stride, part.depth};
    const bool is_last = part.first_k + 2 * part.depth > p.depth || part.columns < kColumns;
    return is_last ? Columns() : Columns{b + part.depth * p.b_stride, p.b_stride, part.depth};
  }

  static SUPERPOSE_INLINE void MultiplyRows(const Product& p, const Part& part, int64_t first, int64_t count,
                                            Buffers<T>& buffers) {
    CopyRows(p, first, count, part, buffers.a);
    alignas(64) T tile[Kernel::kRows * kColumns];
    for (int64_t c = 0; c < part.columns; c += kColumns) {
      const int64_t column = part.first_column + c, columns = std::min(kColumns, part.columns - c);
      const bool in_place = InPlace(p) && columns == kColumns;
      T* copy = buffers.b + c * kProductDepth;
      if (ReadsAhead(p) && !in_place) CopyColumns(p, column, columns, part, copy);
      const Columns b = in_place ? Columns{p.b + part.first_k * p.b_stride + column, p.b_stride, part.depth}
                                 : Columns{copy, kColumns, part.depth};
      Columns next = ColumnsAfter(p, part, c);
      for (int64_t r = 0; r < count; r += Kernel::kRows) {
        const int64_t rows = std::min(Kernel::kRows, count - r);
        Kernel::MultiplyRows(rows, buffers.a + r * kProductStride, b, next, tile);
        FinishTile(p, part, first + r, rows, column, columns, tile);
        next.data = nullptr;
      }
    }
  }

  static SUPERPOSE_INLINE void CopyPart(const Product& p, const Part& part, Buffers<T>& buffers) {
    for (int64_t c = 0; c < part.columns; c += kColumns) {
      const int64_t count = std::min(kColumns, part.columns - c);
      CopyColumns(p, part.first_column + c, count, part, buffers.b + c * kProductDepth);
    }
  }

  static SUPERPOSE_INLINE void Multiply(const Product& p) {
    Buffers<T>& buffers = ThreadBuffers<T>();
    for (int64_t column = 0; column < p.columns; column += kColumnsAtOnce<T>) {
      // One round even where there is nothing to add up: the bias is still due.
      for (int64_t k = 0; k == 0 || k < p.depth; k += kProductDepth) {
        const Part part{column, std::min(kColumnsAtOnce<T>, p.columns - column), k,
                        std::min(kProductDepth, p.depth - k)};
        if (!ReadsAhead(p)) CopyPart(p, part, buffers);
        for (int64_t row = 0; row < p.rows; row += kRowsAtOnce) {
          MultiplyRows(p, part, row, std::min(kRowsAtOnce, p.rows - row), buffers);
        }
      }
    }
  }
};

template <int lanes>
SUPERPOSE_INLINE void GeluLoop(const float* x, float* out, int64_t n) {
  using Math = VectorMath<lanes>;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) Math::Store(out + i, Math::GeluTanh(Math::Load(x + i)));
  if (i == n) return;
  float last[lanes] = {};
  std::copy_n(x + i, n - i, last);
  Math::Store(last, Math::GeluTanh(Math::Load(last)));
  std::copy_n(last, n - i, out + i);
}

#if SUPERPOSE_HAS_VECTOR_LEVELS
template <typename T>
SUPERPOSE_AVX512 void MultiplyAvx512(const ProductOf<T>& p) {
  ProductLoops<Avx512Product<T>>::Multiply(p);
}
template <typename T>
SUPERPOSE_AVX2 void MultiplyAvx2(const ProductOf<T>& p) {
  ProductLoops<Avx2Product<T>>::Multiply(p);
}
SUPERPOSE_AVX512 void GeluAvx512(const float* x, float* out, int64_t n) { GeluLoop<16>(x, out, n); }
SUPERPOSE_AVX2 void GeluAvx2(const float* x, float* out, int64_t n) { GeluLoop<8>(x, out, n); }
#endif

template <typename T>
void Multiply(const ProductOf<T>& product, VectorLevel level) {
#if SUPERPOSE_HAS_VECTOR_LEVELS
  if (level == VectorLevel::kAvx512) return MultiplyAvx512(product);
  if (level == VectorLevel::kAvx2) return MultiplyAvx2(product);
#endif
  ProductLoops<PlainProduct<T>>::Multiply(product);
}

}  // namespace

void MultiplyMatrices(const MatrixProduct& product, VectorLevel level) { Multiply(product, level); }
void MultiplyMatrices(const ProductOf<double>& product, VectorLevel level) { Multiply(product, level); }

template <typename T>
ProductTile TileOf(VectorLevel level) {
  if (level == VectorLevel::kAvx512) return {Avx512Product<T>::kRows, Avx512Product<T>::kColumns};
  if (level == VectorLevel::kAvx2) return {Avx2Product<T>::kRows, Avx2Product<T>::kColumns};
  return {PlainProduct<T>::kRows, PlainProduct<T>::kColumns};
}
template ProductTile TileOf<float>(VectorLevel level);
template ProductTile TileOf<double>(VectorLevel level);

void GeluTanh(const float* x, float* out, int64_t n, VectorLevel level) {
#if SUPERPOSE_HAS_VECTOR_LEVELS
  if (level == VectorLevel::kAvx512) return GeluAvx512(x, out, n);
  if (level == VectorLevel::kAvx2) return GeluAvx2(x, out, n);
#endif
  GeluLoop<4>(x, out, n);
}

}  // namespace superpose
