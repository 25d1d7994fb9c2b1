// The dense operations of a transformer into tensors that are there already. CPU: loops of our own, parallel, with the
// bias and the activation applied while a result is in cache; a row of a result depends on its own row of the operand
// alone (attention: on the rows of its sequence up to its own), in its bits too, and on no number of threads. Elsewhere
// LibTorch's operators. Tensors are float32, where nothing else is said, on one device; every function throws
// c10::Error for tensors of other shapes, types or strides than it says: call them inside CatchTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace superpose {

enum class LinearEnd { kNothing, kGeluTanh };

// out = end(x weight + bias). x [rows, depth] and weight [depth, n], each consecutive along one of the two; out [rows,
// n], consecutive along rows; bias [n] or undefined. out overlaps no operand.
void LinearInto(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, LinearEnd end,
                const at::Tensor& out);

// a b, out = a b, and out += a b: as above, of float32 or of float64.
at::Tensor Multiply(const at::Tensor& a, const at::Tensor& b);
void MultiplyInto(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out);
void AddProduct(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out);

// out = the tanh form of GELU of x; contiguous, of one size; they may be the same.
void GeluTanhInto(const at::Tensor& x, const at::Tensor& out);

// Each row of x less its mean, over the root of its (biased) variance + epsilon. Contiguous matrices of one size.
void NormalizeRowsInto(const at::Tensor& x, double epsilon, const at::Tensor& out);

// Causal attention of all heads. qkv [sequences, positions, 3 * heads * d_head] holds queries, keys, values, each by
// head; out [sequences, positions, heads * d_head]. Both contiguous.
void CausalAttentionInto(const at::Tensor& qkv, int64_t heads, double scale, const at::Tensor& out);

}  // namespace superpose
