#include "lib/kernels/dense_ops.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>

#include "lib/kernels/head_attention.h"
#include "lib/kernels/matrix_product.h"
#include "lib/kernels/normalize_vector.h"

namespace superpose {
namespace {

constexpr int64_t kElementsPerChunk = 1 << 13;
constexpr int64_t kQueriesPerTask = 240;
// Less than this is not worth a second thread.
constexpr int64_t kMultiplicationsPerThread = 1 << 18;

void CheckFloats(std::initializer_list<const at::Tensor*> tensors) {
  for (const at::Tensor* tensor : tensors) {
    TORCH_CHECK(tensor->is_cpu() && tensor->scalar_type() == at::kFloat, "float32 tensors on one device are wanted");
  }
}

void CheckContiguousPair(const at::Tensor& x, const at::Tensor& out) {
  CheckFloats({&x, &out});
  TORCH_CHECK(x.sizes() == out.sizes() && x.is_contiguous() && out.is_contiguous(),
              "contiguous tensors of one size are wanted");
}

bool IsConsecutive(const at::Tensor& matrix, int64_t dim) { return matrix.stride(dim) == 1 || matrix.size(dim) <= 1; }

void CheckProduct(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) {
  TORCH_CHECK(a.dim() == 2 && b.dim() == 2 && out.dim() == 2, "matrices are wanted");
  TORCH_CHECK(a.size(1) == b.size(0) && out.size(0) == a.size(0) && out.size(1) == b.size(1), a.sizes(), " times ",
              b.sizes(), " is not ", out.sizes());
  TORCH_CHECK((IsConsecutive(a, 0) || IsConsecutive(a, 1)) && (IsConsecutive(b, 0) || IsConsecutive(b, 1)) &&
                  IsConsecutive(out, 1),
              "elements of a row must be consecutive");
}

void CheckLinear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& out) {
  CheckFloats({&x, &weight, &out});
  CheckProduct(x, weight, out);
  if (!bias.defined()) return;
  CheckFloats({&bias});
  TORCH_CHECK(bias.dim() == 1 && bias.size(0) == weight.size(1) && bias.is_contiguous(), "bias must be float32 [",
              weight.size(1), "]");
}

template <typename T>
ProductOf<T> ProductInto(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) {
  const bool a_transposed = !IsConsecutive(a, 1), b_transposed = !IsConsecutive(b, 1);
  return {.a = a.const_data_ptr<T>(),
          .a_stride = a.stride(a_transposed ? 1 : 0),
          .a_transposed = a_transposed,
          .b = b.const_data_ptr<T>(),
          .b_stride = b.stride(b_transposed ? 1 : 0),
          .b_transposed = b_transposed,
          .out = out.mutable_data_ptr<T>(),
          .out_stride = out.stride(0),
          .rows = out.size(0),
          .columns = out.size(1),
          .depth = a.size(1)};
}

int64_t Parts(int64_t size, int64_t part) { return (size + part - 1) / part; }

// How a product is divided among threads: into row_parts * column_parts rectangles.
struct Grid {
  int64_t row_parts = 1, column_parts = 1;
};

// The division whose largest rectangle costs least. What a thread copies before it multiplies counts, too.
template <typename T>
Grid GridOf(const ProductOf<T>& product, const ProductTile& tile) {
  const int64_t work = product.rows * product.columns * product.depth;
  const int64_t threads = std::clamp<int64_t>(work / kMultiplicationsPerThread, 1, at::get_num_threads());
  Grid best;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int64_t row_parts = 1; row_parts <= threads; ++row_parts) {
    const int64_t column_parts = threads / row_parts;
    const int64_t rows = Parts(Parts(product.rows, tile.rows), row_parts) * tile.rows;
    const int64_t columns = Parts(Parts(product.columns, tile.columns), column_parts) * tile.columns;
    const int64_t cost = rows * columns + 8 * (rows + columns);
    if (cost >= least) continue;
    least = cost;
    best = {row_parts, column_parts};
  }
  return best;
}

template <typename T>
ProductOf<T> PartOf(const ProductOf<T>& whole, const Grid& grid, const ProductTile& tile, int64_t index) {
  const auto boundary = [](int64_t size, int64_t step, int64_t part, int64_t parts) {
    return std::min(size, Parts(size, step) * part / parts * step);
  };
  const int64_t r = index / grid.column_parts, c = index % grid.column_parts;
  const int64_t row = boundary(whole.rows, tile.rows, r, grid.row_parts);
  const int64_t column = boundary(whole.columns, tile.columns, c, grid.column_parts);
  ProductOf<T> part = whole;
  part.rows = boundary(whole.rows, tile.rows, r + 1, grid.row_parts) - row;
  part.columns = boundary(whole.columns, tile.columns, c + 1, grid.column_parts) - column;
  part.a += row * (whole.a_transposed ? 1 : whole.a_stride);
  part.b += column * (whole.b_transposed ? whole.b_stride : 1);
  part.out += row * whole.out_stride + column;
  if (whole.bias != nullptr) part.bias += column;
  return part;
}

template <typename T>
void MultiplyInParallel(const ProductOf<T>& product) {
  if (product.rows == 0 || product.columns == 0) return;
  const ProductTile tile = TileOf<T>();
  const Grid grid = GridOf(product, tile);
  at::parallel_for(0, grid.row_parts * grid.column_parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t index = first; index < last; ++index) MultiplyMatrices(PartOf(product, grid, tile, index));
  });
}

template <typename T>
void MultiplyOf(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, bool add) {
  ProductOf<T> product = ProductInto<T>(a, b, out);
  product.add = add;
  MultiplyInParallel(product);
}

void MultiplyOnCpu(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, bool add) {
  TORCH_CHECK(a.is_cpu() && b.is_cpu() && a.scalar_type() == out.scalar_type() && b.scalar_type() == out.scalar_type(),
              "tensors of one type on one device are wanted");
  CheckProduct(a, b, out);
  if (out.scalar_type() == at::kDouble) return MultiplyOf<double>(a, b, out, add);
  MultiplyOf<float>(a, b, out, add);
}

void LinearOnDevice(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, LinearEnd end,
                    const at::Tensor& out) {
  at::Tensor result = out;
  if (bias.defined())
    at::addmm_out(result, bias, x, weight);
  else
    at::mm_out(result, x, weight);
  if (end == LinearEnd::kGeluTanh) at::gelu_out(result, result, "tanh");
}

at::Tensor AttentionByTorch(const at::Tensor& qkv, int64_t heads, double scale) {
  // [sequences, positions, 3 d_model] -> three of [sequences, heads, positions, d_head]
  const at::Tensor parts = qkv.view({qkv.size(0), qkv.size(1), 3, heads, -1}).permute({2, 0, 3, 1, 4});
  const at::Tensor mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2], /*attn_mask=*/{},
                                                            /*dropout_p=*/0.0, /*is_causal=*/true, scale);
  return mixed.transpose(1, 2).flatten(2);
}

}  // namespace

void LinearInto(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, LinearEnd end,
                const at::Tensor& out) {
  if (!weight.is_cpu()) return LinearOnDevice(x, weight, bias, end, out);
  CheckLinear(x, weight, bias, out);
  MatrixProduct product = ProductInto<float>(x, weight, out);
  if (bias.defined()) product.bias = bias.const_data_ptr<float>();
  product.gelu = end == LinearEnd::kGeluTanh;
  MultiplyInParallel(product);
}

void MultiplyInto(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) {
  if (out.is_cpu()) return MultiplyOnCpu(a, b, out, /*add=*/false);
  at::Tensor result = out;
  at::mm_out(result, a, b);
}

at::Tensor Multiply(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  MultiplyInto(a, b, out);
  return out;
}

void AddProduct(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) {
  if (out.is_cpu()) return MultiplyOnCpu(a, b, out, /*add=*/true);
  out.addmm_(a, b);
}

void GeluTanhInto(const at::Tensor& x, const at::Tensor& out) {
  if (!x.is_cpu()) {
    at::Tensor result = out;
    at::gelu_out(result, x, "tanh");
    return;
  }
  CheckContiguousPair(x, out);
  const float* from = x.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  at::parallel_for(0, Parts(x.numel(), kElementsPerChunk), 1, [&](int64_t first, int64_t last) {
    const int64_t begin = first * kElementsPerChunk, end = std::min(last * kElementsPerChunk, x.numel());
    GeluTanh(from + begin, to + begin, end - begin);
  });
}

void NormalizeRowsInto(const at::Tensor& x, double epsilon, const at::Tensor& out) {
  if (!x.is_cpu()) {
    out.copy_(std::get<0>(at::native_layer_norm(x, {x.size(1)}, {}, {}, epsilon)));
    return;
  }
  CheckContiguousPair(x, out);
  TORCH_CHECK(x.dim() == 2, "matrices are wanted");
  const int64_t n = x.size(1);
  const float* from = x.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  at::parallel_for(0, x.size(0), 16, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) NormalizeVector(from + r * n, n, epsilon, to + r * n);
  });
}

void CausalAttentionInto(const at::Tensor& qkv, int64_t heads, double scale, const at::Tensor& out) {
  TORCH_CHECK(qkv.dim() == 3 && qkv.is_contiguous() && out.is_contiguous() && qkv.size(2) == 3 * out.size(2) &&
                  heads > 0 && out.size(2) % heads == 0 && qkv.numel() == 3 * out.numel(),
              "queries, keys and values of all heads are wanted");
  const int64_t sequences = qkv.size(0), positions = qkv.size(1), width = out.size(2), d_head = width / heads;
  if (!qkv.is_cpu() || d_head > kMostHeadDimensions) {
    out.copy_(AttentionByTorch(qkv, heads, scale));
    return;
  }
  CheckFloats({&qkv, &out});
  const float* from = qkv.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  const int64_t parts = Parts(positions, kQueriesPerTask);
  at::parallel_for(0, sequences * heads * parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t task = first; task < last; ++task) {
      const int64_t part = task % parts, head = task / parts % heads, sequence = task / parts / heads;
      const float* q = from + sequence * positions * 3 * width + head * d_head;
      AttendCausally({.q = q,
                      .k = q + width,
                      .v = q + 2 * width,
                      .in_stride = 3 * width,
                      .out = to + sequence * positions * width + head * d_head,
                      .out_stride = width,
                      .begin = part * kQueriesPerTask,
                      .end = std::min((part + 1) * kQueriesPerTask, positions),
                      .d_head = d_head,
                      .scale = static_cast<float>(scale)});
    }
  });
}

}  // namespace superpose
