#include "lib/factorization/top_eigenpairs.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "lib/factorization/eigen_memory.h"
#include "lib/kernels/dense_ops.h"

namespace superpose {
namespace {

// Iterations with a new random block that an answer has to stand.
constexpr int64_t kChecks = 4;
// Projections and factorizations after which a block is orthogonal to the basis to rounding, wherever it came from.
constexpr int kOrthogonalisations = 3;

at::Tensor OnCpu(const at::Tensor& values) { return values.to(at::kCPU, at::kDouble); }

int64_t MostIterations(const EigenQuery& query, int64_t k, const LanczosShape& shape) {
  return query.max_iterations + k / shape.block + 1;
}

at::Tensor RowLengths(const at::Tensor& rows) { return rows.norm(2, at::IntArrayRef{1}); }

}  // namespace

TopEigenpairs::TopEigenpairs(std::shared_ptr<const ThresholdedGram> gram, const EigenQuery& query, bool with_vectors)
    : gram_(std::move(gram)),
      query_(query),
      with_vectors_(with_vectors),
      k_(WantedPairs(query, gram_->size())),
      shape_(ShapeOfLanczos(gram_->size(), k_)),
      most_iterations_(MostIterations(query, k_, shape_)),
      ritz_blocks_(RitzBlocks(gram_->size(), k_)),
      product_(gram_, shape_.block, query.tiling,
               KeptEntryBytes(gram_->size(), gram_->units().size(1), gram_->type(), query)),
      generator_(at::detail::createCPUGenerator(query.seed)) {}

int64_t TopEigenpairs::UnitsOf(int64_t directions, int64_t d, const EigenQuery& query) {
  const int64_t k = WantedPairs(query, directions);
  const LanczosShape shape = ShapeOfLanczos(directions, k);
  const int64_t of_product = GramProduct::TilesOf(directions, d, shape.block, query.tiling).units();
  return MostIterations(query, k, shape) * (of_product + RitzBlocks(directions, k).count() + 1);
}

void TopEigenpairs::RunUnit(int64_t unit) {
  if (done_) return;
  if (unit == 0) Begin();
  units_run_ = unit + 1;
  int64_t part = unit % UnitsPerIteration();
  if (part == 0) product_.Begin(block_);
  if (part < product_.units()) return product_.RunUnit(part);
  part -= product_.units();
  if (part == 0) {
    Append();
    SolveProjected();
  }
  if (part < ritz_blocks_.count()) return MakeRitzVectors(part);
  Step();
}

void TopEigenpairs::Begin() {
  const auto options = gram_->units().options().dtype(at::kDouble);
  basis_ = at::empty({shape_.basis, gram_->size()}, options);
  images_ = at::empty_like(basis_);
  projected_ = at::zeros({shape_.basis, shape_.basis}, at::kDouble);
  MakeBlock(at::empty({0, gram_->size()}, options));
}

void TopEigenpairs::Step() {
  ++iterations_;
  const Ritz ritz = std::exchange(ritz_, {});
  Judge(ritz);
  if (done_) return Finish(ritz);
  const bool try_others = checks_left_ == kChecks;
  const at::Tensor open = ritz.errors.gt(tolerated_).nonzero().squeeze(1).to(ritz.residuals.device());
  if (size_ + std::min(shape_.block, gram_->size() - size_) > shape_.basis) Restart(ritz);
  MakeBlock(ritz.residuals.index_select(0, try_others ? open.slice(0, 0, 0) : open.slice(0, 0, shape_.block)));
}

// Takes the block and its product into V.
void TopEigenpairs::Append() {
  const int64_t added = block_.size(0), size = size_ + added;
  basis_.narrow(0, size_, added).copy_(block_);
  images_.narrow(0, size_, added).copy_(product_.product());
  const at::Tensor rows = OnCpu(Multiply(images_.narrow(0, size_, added), basis_.narrow(0, 0, size).t()));
  projected_.narrow(0, size_, added).narrow(1, 0, size).copy_(rows);
  projected_.narrow(0, 0, size).narrow(1, size_, added).copy_(rows.t());
  size_ = size;
}

// Rayleigh-Ritz: eigenpairs of V C V^T.
void TopEigenpairs::SolveProjected() {
  const at::Tensor matrix = projected_.narrow(0, 0, size_).narrow(1, 0, size_);
  const auto [values, vectors] = at::linalg_eigh((matrix + matrix.t()) / 2);
  const at::Tensor order = OrderOfEigenvalues(values, query_.by_magnitude, std::min(size_, k_ + shape_.block));
  ritz_.weights = vectors.t().index_select(0, order).to(basis_.device());
  ritz_.values = values.index_select(0, order);
  ritz_.vectors = at::empty({order.numel(), gram_->size()}, basis_.options());
  ritz_.images = at::empty_like(ritz_.vectors);
  ritz_.residuals = at::empty_like(ritz_.vectors);
}

void TopEigenpairs::MakeRitzVectors(int64_t block) {
  const int64_t start = ritz_blocks_.start(block), length = ritz_blocks_.length(block);
  at::Tensor vectors = Multiply(ritz_.weights, basis_.narrow(0, 0, size_).narrow(1, start, length));
  ritz_.vectors.narrow(1, start, length).copy_(vectors);
  at::Tensor images = Multiply(ritz_.weights, images_.narrow(0, 0, size_).narrow(1, start, length));
  ritz_.images.narrow(1, start, length).copy_(images);
  images.sub_(vectors.mul_(ritz_.values.to(vectors.device()).unsqueeze(1)));
  ritz_.residuals.narrow(1, start, length).copy_(images);
  if (block == ritz_blocks_.count() - 1) ritz_.errors = OnCpu(RowLengths(ritz_.residuals));
}

// Whether the answer is there, and how many of it have converged.
void TopEigenpairs::Judge(const Ritz& ritz) {
  tolerated_ = query_.tolerance * ritz.values.abs().max().item<double>();
  const int64_t wanted = std::min(k_, ritz.errors.numel());
  const at::Tensor open = ritz.errors.narrow(0, 0, wanted).gt(tolerated_).nonzero();
  pairs_.converged = open.size(0) == 0 ? wanted : open[0][0].item<int64_t>();
  const bool whole_space = size_ == gram_->size();
  if (pairs_.converged < k_) {
    checks_left_ = 0;
    done_ = whole_space || iterations_ == most_iterations_;
    return;
  }
  checks_left_ = checks_left_ == 0 ? kChecks : checks_left_ - 1;
  done_ = whole_space || checks_left_ == 0 || iterations_ == most_iterations_;
}

void TopEigenpairs::Restart(const Ritz& ritz) {
  size_ = ritz.values.numel();
  basis_.narrow(0, 0, size_).copy_(ritz.vectors);
  images_.narrow(0, 0, size_).copy_(ritz.images);
  projected_.zero_().diagonal().narrow(0, 0, size_).copy_(ritz.values);
}

void TopEigenpairs::Finish(const Ritz& ritz) {
  const int64_t wanted = std::min(k_, ritz.values.numel());
  pairs_.values = ritz.values.narrow(0, 0, wanted).clone();
  pairs_.residuals = ritz.errors.narrow(0, 0, wanted).clone();
  pairs_.nonzeros = product_.nonzeros();
  pairs_.iterations = iterations_;
  pairs_.rounding = tolerated_;
  basis_.reset();
  images_.reset();
  block_.reset();
  if (!with_vectors_) return;
  pairs_.vectors = ritz.vectors.narrow(0, 0, wanted).clone();
  MakeLargestPositive(pairs_.vectors);
}

// The next block: the candidates, filled up with random rows, orthogonal to V and to each other.
void TopEigenpairs::MakeBlock(const at::Tensor& candidates) {
  const int64_t count = std::min(shape_.block, gram_->size() - size_);
  const int64_t taken = std::min(count, candidates.size(0));
  const at::Tensor given = candidates.narrow(0, 0, taken);
  at::Tensor rows = at::cat({given / RowLengths(given).unsqueeze(1), RandomRows(count - taken)});
  const at::Tensor basis = basis_.narrow(0, 0, size_);
  for (int i = 0; i < kOrthogonalisations; ++i) {
    rows = rows - Multiply(Multiply(rows, basis.t()), basis);
    rows = std::get<0>(at::linalg_qr(rows.t(), "reduced")).t().contiguous();
  }
  block_ = std::move(rows);
}

at::Tensor TopEigenpairs::RandomRows(int64_t count) {
  const at::Tensor rows = at::randn({count, gram_->size()}, generator_, at::TensorOptions(at::kDouble));
  return rows.to(gram_->device());
}

Eigenpairs TopEigenpairs::Take() { return std::move(pairs_); }

}  // namespace superpose
