#include "core/network/draft/draft_block.h"

#include <algorithm>
#include <cstring>

#include "core/network/layer.h"

namespace finback {
namespace {

int32_t Likeliest(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace

bool DraftBlock::IsIn(const Model& model) {
  const size_t layer = model.compute().sizes.layers;
  return !model.weights().drafts.empty() && model.config().layers[layer].kind == LayerKind::kWindow;
}

uint64_t DraftBlock::Memory::ReserveAll(const Model& model, Reserve::Mode mode) {
  const Compute& compute = model.compute();
  const Sizes& sizes = compute.sizes;
  const size_t window = sizes.window;
  Reserve reserve(mode);
  layers.resize(sizes.layers + 1);
  ReserveLayer(sizes, compute.numerics, model.config().layers[sizes.layers], {window, kRows},
               &reserve, &layers.back());
  scratch.ReserveAll(compute, kRows, window, &reserve);
  draft.ReserveAll(compute, kRows, &reserve);
  reserve(logits, sizes.vocab);
  reserve(chained, sizes.residual());
  return reserve.bytes();
}

uint64_t DraftBlock::PlanBytes(const Model& model) {
  return Memory().ReserveAll(model, Reserve::Mode::kCount);
}

DraftBlock::DraftBlock(const Model& model) : model_(model) {
  memory_.ReserveAll(model, Reserve::Mode::kTake);
}

void DraftBlock::GoTo(size_t position) {
  // Of the rows before `position`, those that it sees must be there still.
  const bool kept = position >= origin_ && position <= end_ && written_ <= position + kRows;
  if (!kept) origin_ = position;
  end_ = written_ = position;
}

void DraftBlock::Run(size_t position, const float* streams, std::span<const int32_t> next,
                     std::span<float* const> logits) {
  const PassSegment segment{0, next.size(), position - origin_, memory_.layers};
  const Pass pass{model_.compute(), model_.weights(), next, {&segment, 1}, &memory_.scratch};
  RunDraft(pass, streams, &memory_.draft, logits);
  written_ = position + next.size();
}

void DraftBlock::Remember(size_t position, const float* streams, std::span<const int32_t> next) {
  const size_t residual = model_.compute().sizes.residual();
  GoTo(position);
  for (size_t done = 0; done < next.size();) {
    const size_t rows = std::min(next.size() - done, kRows);
    Run(position + done, streams + done * residual, next.subspan(done, rows), {});
    done += rows;
    end_ = position + done;
  }
}

void DraftBlock::Guess(size_t position, const float* streams, std::span<const int32_t> next,
                       std::span<int32_t> out) {
  const size_t residual = model_.compute().sizes.residual();
  const size_t early = next.size() - std::min(next.size(), kRows);
  Remember(position, streams, next.first(early));
  const auto rest = next.subspan(early);
  float* const logits[] = {memory_.logits.data()};
  Run(position + early, streams + early * residual, rest, logits);
  end_ = position + next.size();
  size_t last = rest.size() - 1;
  for (size_t i = 0;; last = 0) {
    out[i] = Likeliest(memory_.logits.span());
    if (++i == out.size()) return;
    memcpy(memory_.chained.data(), memory_.draft.streams.data() + last * residual,
           residual * sizeof(float));
    Run(written_, memory_.chained.data(), out.subspan(i - 1, 1), logits);
  }
}

}  // namespace finback
