// A checkpoint of random weights in the published layout, for measuring: values of a size that
// keeps activations finite and routing spread, the same ones on every machine.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/parallel.h"
#include "core/bench/published_tensors.h"
#include "core/bench/watch.h"

namespace finback {

class RandomCheckpoint {
 public:
  struct Contents {
    std::string config;  // config.json
    std::vector<PublishedTensor> tensors;
  };

  // In the folder, which is made; one that holds the same config already is taken as it is, and
  // any other content is refused. "" is in memory, in huge pages where the system has them; the
  // folder then has the config alone.
  // Throws Error(kIo | kInvalidArgument | kCancelled).
  RandomCheckpoint(const Contents& contents, const std::string& folder, const Parallel& parallel,
                   Watch* watch);
  ~RandomCheckpoint();
  RandomCheckpoint(const RandomCheckpoint&) = delete;
  RandomCheckpoint& operator=(const RandomCheckpoint&) = delete;

  const std::string& folder() const { return folder_; }
  // The weights file where it is in memory, else empty.
  std::span<const uint8_t> memory() const { return {memory_, memory_ == nullptr ? 0 : bytes_}; }
  uint64_t bytes() const { return bytes_; }
  bool was_there() const { return was_there_; }

  // Of a file that holds `tensors`.
  static uint64_t PlanBytes(const std::vector<PublishedTensor>& tensors);

 private:
  struct Layout;
  void Clear();
  void SetPaths(const std::string& folder);
  void UseMemory();
  bool UseFolder(const std::string& folder, const std::string& config);
  void WriteConfig(const std::string& config) const;

  std::string folder_, weights_path_, config_path_;
  bool temporary_ = false, was_there_ = false;
  int fd_ = -1;
  uint8_t* memory_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace finback
