// The lists of attention.inc and their pickers.
#include "core/kernels/registry.h"

namespace finback {

#define FINBACK_ATTENTION_TILE(isa, function) void function(const AttentionTileArgs& args);
#define FINBACK_INDEX_SCORE(isa, function) void function(const IndexScoreArgs& args);
#include "core/kernels/attention.inc"

namespace {

constexpr Kernel<AttentionTileFunction> kAttentionTileKernels[] = {
#define FINBACK_ATTENTION_TILE(isa, function) {isa, #function, function},
#include "core/kernels/attention.inc"
};
constexpr Kernel<IndexScoreFunction> kIndexScoreKernels[] = {
#define FINBACK_INDEX_SCORE(isa, function) {isa, #function, function},
#include "core/kernels/attention.inc"
};

}  // namespace

KernelList<AttentionTileFunction> AttentionTileKernels() { return kAttentionTileKernels; }
KernelList<IndexScoreFunction> IndexScoreKernels() { return kIndexScoreKernels; }

AttentionTileFunction PickAttentionTile() {
  return PickKernel(AttentionTileKernels(), ActiveIsa());
}
IndexScoreFunction PickIndexScore() { return PickKernel(IndexScoreKernels(), ActiveIsa()); }

}  // namespace finback
