// The products of one fork: what reads the same input, or is read by the same step, goes together,
// cut into pieces of about equal cost, whichever product they are of. How they are cut changes no
// result.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "core/network/compute.h"

namespace finback {

// Outputs [task.begin, task.end) of a product, for any threads.
struct Product {
  ProductTask task;
  size_t unit = 16;  // a piece has a multiple of so many outputs, or all that are left
  // A matrix of the same shape whose outputs come in the same pieces, or null.
  const Linear* twin = nullptr;
  const float* twin_x = nullptr;
  float* twin_y = nullptr;
  size_t per_piece = 0, first_piece = 0;  // CutProducts sets them
};

// All outputs of w, of an activation.
inline Product ProductOf(const Linear& w, const Activation& x, Rounding rounding, float* y) {
  return {.task = {.w = &w,
                   .x = x.form[FormatOf(w)],
                   .x_stride = x.width,
                   .rows = x.rows,
                   .begin = 0,
                   .end = w.out,
                   .y = y,
                   .y_stride = w.out,
                   .y_origin = 0,
                   .rounding = rounding}};
}

// Cuts the products for the threads.
struct Cut {
  size_t pieces;
  size_t grain;  // all of them where a fork would cost more than it saves
};
Cut CutProducts(const Compute& compute, std::span<Product> products);

// What a piece is: outputs [begin, end) of products[product].
struct ProductPiece {
  size_t product, begin, end;
};
ProductPiece RunPiece(const Compute& compute, std::span<const Product> products, size_t piece);

// All of them in one fork. finish(piece) is called with the outputs of every piece, in all rows,
// by the thread that computed them.
template <typename Finish>
void RunProducts(const Compute& compute, std::span<Product> products, const Finish& finish) {
  if (products.empty()) return;
  const PhaseScope timed = TimeProduct(compute, *products[0].task.w);
  const Cut cut = CutProducts(compute, products);
  compute.parallel.For(cut.pieces, cut.grain, [&](size_t begin, size_t end) {
    for (size_t piece = begin; piece < end; ++piece) finish(RunPiece(compute, products, piece));
  });
}

inline void RunProducts(const Compute& compute, std::span<Product> products) {
  RunProducts(compute, products, [](const ProductPiece&) {});
}

}  // namespace finback
