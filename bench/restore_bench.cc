// How long it takes to keep a conversation on the disk and to restore it: the memory of Flash's 43
// layers, with weights that are too small to matter, filled at random.
//
//   restore_bench [--folder FOLDER] [--tokens N] [--threads N] [--times N]
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "core/bench/deep_memory.h"
#include "core/bench/published_tensors.h"
#include "core/bench/random_checkpoint.h"
#include "core/bench/shapes.h"
#include "core/local/cache/disk_cache.h"

namespace finback {
namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string folder = "restore_bench_cache";
  size_t tokens = 131072;
  int threads = 0, times = 3;
};

double MsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

void Print(const char* what, double ms, uint64_t bytes) {
  std::printf("%-28s %9.1f ms %9.0f MB/s\n", what, ms, static_cast<double>(bytes) / ms / 1e3);
}

// The state's shape is Flash's; nothing is computed with it.
RandomCheckpoint::Contents Contents() {
  ModelShape shape = *FindShape("flash");
  shape.hidden = 256;
  shape.heads = 4;
  shape.q_lora_rank = 128;
  shape.o_groups = 2;
  shape.o_lora_rank = 64;
  shape.index_heads = 4;
  shape.expert_width = 128;
  shape.vocab = 4096;
  shape.experts_per_token = 2;
  std::string config = ShapeConfig(shape, shape.kinds, 4);
  std::vector<PublishedTensor> tensors = PublishedTensors(ParseConfig(config, "config.json"));
  return {std::move(config), std::move(tensors)};
}

uint64_t BytesBelow(const std::string& folder) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

// So that the next reading is the disk's, where that can be asked for.
void DropPages(const std::string& folder) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
}

int Run(const Arguments& arguments) {
  Watch watch({});
  const Parallel parallel(arguments.threads);
  const RandomCheckpoint checkpoint(Contents(), "", parallel, &watch);
  ModelOptions options;
  options.threads = arguments.threads;
  options.weights.memory = checkpoint.memory();
  const std::unique_ptr<Model> model = Model::Open(checkpoint.folder(), options);
  std::vector<int32_t> ids(arguments.tokens);
  std::mt19937 random(1);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % 4096);

  Sequence sequence(*model, static_cast<int64_t>(ids.size()), 512);
  FillRandomly(*model, &sequence);
  sequence.Pretend(ids);
  std::filesystem::remove_all(arguments.folder);
  const auto log = [](LogLevel, const char* text) { std::fprintf(stderr, "%s\n", text); };
  DiskCache cache(*model, {arguments.folder, uint64_t{1} << 40, log});
  const auto begin = Clock::now();
  cache.Keep(sequence.Mark());
  const double written = MsSince(begin);
  const uint64_t bytes = BytesBelow(arguments.folder);
  std::printf("%zu tokens, %.1f MB\n", ids.size(), static_cast<double>(bytes) / 1e6);
  Print("write, synced", written, bytes);
  const std::vector<uint8_t> expected = sequence.Snapshot();
  for (int i = 0; i < 2 * arguments.times; ++i) {
    const bool cold = i >= arguments.times;
    if (cold) DropPages(arguments.folder);
    Sequence back(*model, static_cast<int64_t>(ids.size()), 512);
    const auto start = Clock::now();
    const DiskCache::Found found = cache.FindLongest(ids);
    const double looked = MsSince(start);
    const size_t position = cache.Restore(ids, found, &back);
    const double restored = MsSince(start);
    Print(cold ? "restore, from the disk" : "restore, from the page cache", restored, bytes);
    if (i == 0) std::printf("  of it looking for it %16.1f ms\n", looked);
    if (position != ids.size() || back.Snapshot() != expected) {
      std::fprintf(stderr, "restore_bench: what came back is not what was kept\n");
      return 1;
    }
  }
  std::filesystem::remove_all(arguments.folder);
  return 0;
}

}  // namespace
}  // namespace finback

int main(int argc, char** argv) {
  finback::Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--folder") arguments.folder = argv[i + 1];
    if (name == "--tokens") arguments.tokens = std::strtoul(argv[i + 1], nullptr, 10);
    if (name == "--threads") arguments.threads = std::atoi(argv[i + 1]);
    if (name == "--times") arguments.times = std::atoi(argv[i + 1]);
  }
  return finback::Run(arguments);
}
