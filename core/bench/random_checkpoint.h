// A checkpoint of random weights in the published layout, for measuring: values of a size that
// keeps activations finite and routing spread, the same ones on every machine.
#pragma once

#include <cstdint>
#include <memory>
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
  // any other content is refused. "" is in memory that goes with the process, however it ends.
  // Throws Error(kIo | kInvalidArgument | kCancelled).
  RandomCheckpoint(const Contents& contents, const std::string& folder, const Parallel& parallel,
                   Watch* watch);
  ~RandomCheckpoint();
  RandomCheckpoint(const RandomCheckpoint&) = delete;
  RandomCheckpoint& operator=(const RandomCheckpoint&) = delete;

  const std::string& folder() const { return folder_; }
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
  uint64_t bytes_ = 0;
};

}  // namespace finback
