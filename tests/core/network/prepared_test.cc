// Kernels that ask for prepared activations get them: once for each activation, wherever the
// network multiplies.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "core/kernels/isa.h"
#include "core/network/evaluator.h"
#include "core/network/model.h"
#include "core/network/sequence.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {
namespace {

std::atomic<size_t> prepared_rows;
Kernels chosen;  // by the model that computes

void Reverse(float* x, size_t in) {
  std::reverse(x, x + in);
  ++prepared_rows;
}

// The chosen kernel on activations that were reversed, and that it wants prepared itself perhaps.
template <GemmFormat kFormat>
void MultiplyReversed(const GemmArgs& args) {
  const GemmKernel& kernel = chosen.*GemmSlot(kFormat);
  std::vector<float> x;
  for (size_t row = 0; row < args.rows; ++row) {
    const std::reverse_iterator end(args.x + row * args.x_stride);
    x.insert(x.end(), end - static_cast<std::ptrdiff_t>(args.in), end);
  }
  PrepareRows(kernel, args.in, args.rows, x.data(), args.in);
  GemmArgs natural = args;
  natural.x = x.data();
  natural.x_stride = args.in;
  kernel.multiply(natural);
}

constexpr GemmFunction kReversed[kGemmFormats] = {
    MultiplyReversed<kGemmF32>, MultiplyReversed<kGemmBf16>, MultiplyReversed<kGemmFp8>,
    MultiplyReversed<kGemmFp4>};

// Logits of all ids, where products of the formats in `mask` want their activations reversed.
std::vector<float> Logits(const std::string& folder, Precision precision, int threads,
                          uint32_t mask) {
  const std::unique_ptr<Model> model =
      Model::Open(folder, {.precision = precision, .threads = threads});
  // Made non-const by the model: only the kernels are exchanged before anything is computed.
  Compute& compute = const_cast<Compute&>(model->compute());
  chosen = compute.kernels;
  for (uint32_t format = 0; format < kGemmFormats; ++format) {
    if ((mask >> format & 1) == 0) continue;
    compute.kernels.*GemmSlot(static_cast<GemmFormat>(format)) = {kReversed[format], Reverse};
  }
  compute.forms = ActivationForms(compute.kernels, compute.numerics);
  std::vector<int32_t> ids(41);
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<int32_t>(i * 31 % static_cast<size_t>(model->config().vocab));
  }
  std::vector<float> logits(ids.size() * static_cast<size_t>(model->config().vocab));
  Sequence sequence(*model, 100, 16);
  Evaluator evaluator(*model, 100, 16);
  const Segment all{&sequence, ids, LogitRows::kAll, logits.data()};
  evaluator.Run({&all, 1});
  return logits;
}

const std::string& Folder() {
  static const std::string folder =
      MakeTinyCheckpoint(testing::TempDir() + "finback_prepared_checkpoint", 22);
  return folder;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(PreparedActivations, GiveTheSameBitsWhicheverFormatsAskForThem) {
  for (const Precision precision : {Precision::kPublished, Precision::kBf16, Precision::kFloat32}) {
    const std::vector<float> expected = Logits(Folder(), precision, 2, 0);
    for (uint32_t mask = 1; mask < 1u << kGemmFormats; ++mask) {
      EXPECT_TRUE(SameBits(expected, Logits(Folder(), precision, 2, mask)))
          << "formats " << mask << " precision " << static_cast<int>(precision);
    }
  }
}

TEST(PreparedActivations, ArePreparedAsOftenOnAnyNumberOfThreads) {
  prepared_rows = 0;
  Logits(Folder(), Precision::kPublished, 1, 15);
  const size_t alone = prepared_rows.exchange(0);
  Logits(Folder(), Precision::kPublished, 3, 15);
  EXPECT_GT(alone, 0u);
  EXPECT_EQ(alone, prepared_rows);
}

}  // namespace
}  // namespace finback
