// Checks of a whole checkpoint that opening it leaves out: totals and digests. Contents are
// Weights::VerifyAll's matter.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/checkpoint/config.h"
#include "core/checkpoint/weights.h"

namespace finback {

struct CheckpointTotals {
  uint64_t tensors = 0, bytes = 0;
};

// What a checkpoint of this config holds in the published dtypes, MTP blocks included, computed
// from the inventory's shape rules alone. Flash: 69,187 tensors, 159,609,485,896 bytes. A
// checkpoint that opened and differs uses one of the tolerated dtypes.
CheckpointTotals PublishedTotals(const Config& config);

// Hashes every shard and compares with `list`, the output of sha256sum: lines of 64 hex digits,
// blanks (and "*"), a file name. Names of other files are ignored. Throws Error(kInvalidArgument)
// for a malformed list, kCheckpoint naming file, found and expected for a shard that is not listed
// or differs. `progress(done_bytes, total_bytes)` returning false cancels (kCancelled).
void VerifySha256(const Weights& weights, std::string_view list,
                  const std::function<bool(uint64_t, uint64_t)>& progress);

}  // namespace finback
