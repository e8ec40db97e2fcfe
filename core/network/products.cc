#include "core/network/products.h"

#include <algorithm>

namespace finback {
namespace {

// Costs are in units of about a weight of half a byte, read and multiplied: 30 in a ns on one core
// where weights come from memory, 150 to 300 where from a cache. A fork costs 0.2 us, and another
// core fetches what it reads: phases below 1 us gain nothing, nor do pieces below 0.3 us.
constexpr size_t kWorthAFork = 150000;
constexpr size_t kWorthWaking = 1000000;  // workers that sleep
constexpr size_t kLeastPiece = 65536;
constexpr size_t kPiecesPerThread = 16;

// Of one output.
size_t CostOf(const Product& product) {
  const Linear& w = *product.task.w;
  constexpr size_t kRead[kGemmFormats] = {8, 4, 2, 1};  // by the bytes of a weight
  const size_t cost = w.in * (product.task.rows + kRead[FormatOf(w)]);
  return std::max<size_t>(1, product.twin == nullptr ? cost : 2 * cost);
}

size_t Ceiling(size_t a, size_t b) { return (a + b - 1) / b; }

}  // namespace

Cut CutProducts(const Compute& compute, std::span<Product> products) {
  const size_t threads = static_cast<size_t>(compute.parallel.threads());
  size_t total = 0;
  for (const Product& product : products) {
    total += CostOf(product) * (product.task.end - product.task.begin);
  }
  const size_t least = compute.parallel.Brisk() ? kWorthAFork : kWorthWaking;
  const bool alone = threads == 1 || total < least;
  const size_t target =
      alone ? total + 1 : std::max(kLeastPiece, total / (threads * kPiecesPerThread));
  size_t pieces = 0;
  for (Product& product : products) {
    const size_t outs = product.task.end - product.task.begin;
    const size_t units = Ceiling(outs, product.unit);
    const size_t wanted = std::max<size_t>(1, target / (CostOf(product) * product.unit));
    const size_t mine = Ceiling(units, wanted);
    product.first_piece = pieces;
    product.per_piece = mine == 0 ? 1 : Ceiling(units, mine) * product.unit;
    pieces += Ceiling(outs, product.per_piece);
  }
  return {pieces, alone ? std::max<size_t>(1, pieces) : 1};
}

ProductPiece RunPiece(const Compute& compute, std::span<const Product> products, size_t piece) {
  const auto after =
      std::upper_bound(products.begin(), products.end(), piece,
                       [](size_t p, const Product& product) { return p < product.first_piece; });
  const Product& product = *(after - 1);
  ProductTask task = product.task;
  task.begin += (piece - product.first_piece) * product.per_piece;
  task.end = std::min(task.end, task.begin + product.per_piece);
  RunProduct(compute, task);
  const ProductPiece done{static_cast<size_t>(after - 1 - products.begin()), task.begin, task.end};
  if (product.twin != nullptr) {
    task.w = product.twin;
    task.x = product.twin_x;
    task.y = product.twin_y;
    RunProduct(compute, task);
  }
  return done;
}

}  // namespace finback
