// What holds for every row of kernels.inc, and what a process picks from them.
#include "core/kernels/kernel_list.h"

#include "tests/core/kernels/kernel_test_support.h"

namespace finback {
namespace {

// Calls check(name of the slot, slot) for the slot of each row.
template <typename Check>
void ForEachSlot(const Check& check) {
#define FINBACK_KERNEL(slot, ...) check(#slot, &Kernels::slot);
#include "core/kernels/kernels.inc"
}

TEST(KernelList, EndsEverySlotWithADefinitionThatNeedsNothing) {
  ForEachSlot([](const char* name, auto slot) {
    const auto list = KernelsOf(slot);
    EXPECT_EQ(0u, list.back().isa) << name;
    EXPECT_NE(std::string::npos, std::string(list.back().name).find("Scalar")) << name;
  });
}

template <typename Function>
Function FunctionAt(Function function) {
  return function;
}
GemmFunction FunctionAt(const GemmKernel& kernel) { return kernel.multiply; }

TEST(KernelList, PicksForEachSlotTheFirstRowWhoseBitsAreThere) {
  for (const uint32_t isa :
       {0u, uint32_t{kIsaBlas}, uint32_t{kIsaAvx2}, kIsaAvx2 | kIsaAvx512, ActiveIsa(), ~0u}) {
    const Kernels picked = PickKernels(isa);
    ForEachSlot([&](const char* name, auto slot) {
      for (const auto& kernel : KernelsOf(slot)) {
        if ((kernel.isa & isa) != kernel.isa) continue;
        EXPECT_EQ(FunctionAt(kernel.function), FunctionAt(picked.*slot))
            << name << " with bits " << isa;
        break;
      }
    });
  }
}

// No operation may be listed without tests that are instantiated from the list.
TEST(KernelList, HasATestForEveryRow) {
  std::string tests;
  const ::testing::UnitTest& all = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const ::testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      tests += std::string(suite.GetTestInfo(j)->name()) + "\n";
    }
  }
  const auto is_tested = [&](const char* function) {
    return tests.find(std::string("/") + function + "\n") != std::string::npos;
  };
#define FINBACK_KERNEL(slot, isa, function, ...) EXPECT_TRUE(is_tested(#function)) << #function;
#include "core/kernels/kernels.inc"
  EXPECT_FALSE(is_tested("Gemm"));
}

TEST(KernelList, SaysWhatThisMachineRuns) {
  std::string compiled, exercised;
  for (const IsaTier& tier : IsaTiers()) {
    compiled += std::string(" ") + tier.name;
    if (CanRun(tier.bit)) exercised += std::string(" ") + tier.name;
  }
  std::printf("compiled:%s; active: %s\n", compiled.c_str(), IsaName(ActiveIsa()));
  std::printf("ISAs exercised:%s\n", exercised.c_str());
  const Kernels picked = PickKernels(ActiveIsa());
#define FINBACK_KERNEL(slot, isa, function, ...) \
  if (FunctionAt(picked.slot) == function) std::printf("%s: %s\n", #slot, #function);
#include "core/kernels/kernels.inc"
  EXPECT_EQ(ActiveIsa(), ActiveIsa() & RunnableIsa());
}

}  // namespace
}  // namespace finback
