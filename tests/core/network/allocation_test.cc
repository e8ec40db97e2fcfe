// A decode step allocates nothing: with every kind of layer, precision and tier, for one sequence
// and for several.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/kernels/isa.h"
#include "core/network/evaluator.h"
#include "core/network/sequence.h"
#include "tests/core/base/counting_allocator.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {
namespace {

constexpr int64_t kContext = 400;

const std::string& Folder() {
  static const std::string folder =
      MakeTinyCheckpoint(testing::TempDir() + "finback_allocation_checkpoint", 23);
  return folder;
}

// Sequences that take a step together, each at a depth of its own.
class Decoding {
 public:
  Decoding(const Model& model, size_t count) : model_(model), evaluator_(model, kContext, 16) {
    const size_t vocab = static_cast<size_t>(model.config().vocab);
    logits_.resize(count * vocab);
    ids_.resize(count);
    for (size_t i = 0; i < count; ++i) {
      sequences_.push_back(std::make_unique<Sequence>(model, kContext, 16));
      segments_.push_back(
          {sequences_[i].get(), {&ids_[i], 1}, LogitRows::kLast, &logits_[i * vocab]});
      std::vector<int32_t> prompt(246 + i);  // which reach every expert
      for (size_t t = 0; t < prompt.size(); ++t) {
        prompt[t] = static_cast<int32_t>(t * 31 % vocab);
      }
      const Segment all{sequences_[i].get(), prompt};
      evaluator_.Run({&all, 1});
    }
  }
  void Step() {
    for (size_t i = 0; i < ids_.size(); ++i) {
      ids_[i] =
          static_cast<int32_t>((ids_[i] + 7 + 5 * static_cast<int32_t>(i)) % model_.config().vocab);
    }
    evaluator_.Run(segments_);
  }

 private:
  const Model& model_;
  Evaluator evaluator_;
  std::vector<std::unique_ptr<Sequence>> sequences_;
  std::vector<int32_t> ids_;
  std::vector<float> logits_;
  std::vector<Segment> segments_;
};

std::vector<std::string> TierNames() {
  std::vector<std::string> names;
  for (const IsaTier& tier : IsaTiers()) names.push_back(tier.name);
  return names;
}

class DecodeStep : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(OfTier, DecodeStep, testing::ValuesIn(TierNames()),
                         [](const auto& test) { return test.param; });

void ExpectNoAllocation(const std::string& tier, Precision precision, int threads,
                        size_t sequences) {
  const auto model = Model::Open(Folder(), {.precision = precision, .threads = threads});
  // Made non-const by the model: the kernels are exchanged before anything is computed.
  Compute& compute = const_cast<Compute&>(model->compute());
  compute.kernels = PickKernels(AvailableIsa(tier.c_str()));
  compute.forms = ActivationForms(compute.kernels, compute.numerics);
  Decoding decoding(*model, sequences);
  for (int i = 0; i < 4; ++i) decoding.Step();
  const int64_t before = AllocationCount();
  for (int i = 0; i < 8; ++i) decoding.Step();  // to token 256: entries of every kind are made
  EXPECT_EQ(AllocationCount() - before, 0)
      << threads << " threads, " << sequences << " sequences, precision "
      << static_cast<int>(precision);
}

TEST_P(DecodeStep, AllocatesNothing) {
  ExpectNoAllocation(GetParam(), Precision::kPublished, 1, 1);
  ExpectNoAllocation(GetParam(), Precision::kBf16, 1, 1);
  ExpectNoAllocation(GetParam(), Precision::kFloat32, 2, 3);
}

}  // namespace
}  // namespace finback
