#include "core/kernels/roofs/roofs.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/buffer.h"
#include "core/kernels/isa.h"

namespace finback {
namespace {

TEST(Roofs, AreThereForEveryTier) {
  for (const IsaTier& tier : IsaTiers()) {
    if (!tier.is_available()) continue;
    const Roofs roofs = PickRoofs(AvailableIsa(tier.name));
    ASSERT_NE(roofs.read, nullptr) << tier.name;
    for (const MultiplyRoof* roof : {&roofs.f32, &roofs.int8}) {
      ASSERT_NE(roof->loop, nullptr) << tier.name;
      EXPECT_GT(roof->operations, 0) << tier.name;
      EXPECT_NE(roof->loop(100), roof->loop(50)) << tier.name;  // it does compute
    }
  }
}

TEST(Roofs, ReadEveryByte) {
  Buffer<uint8_t> data(4096);
  for (const IsaTier& tier : IsaTiers()) {
    if (!tier.is_available()) continue;
    const ReadRoof read = PickRoofs(AvailableIsa(tier.name)).read;
    const uint64_t nothing = read(data.data(), data.size());
    for (const size_t at : {size_t{0}, size_t{63}, size_t{64}, size_t{200}, data.size() - 1}) {
      data[at] = 1;
      EXPECT_NE(read(data.data(), data.size()), nothing) << tier.name << ", byte " << at;
      data[at] = 0;
    }
  }
}

}  // namespace
}  // namespace finback
