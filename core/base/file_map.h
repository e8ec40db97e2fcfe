// A file mapped read-only. Owns the mapping; views into it live as long as it does. The file stays
// open, so that what becomes of it can be told, whatever its name is by then. Or what such a file
// would hold, in somebody else's memory.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

struct stat;

namespace finback {

class FileMap {
 public:
  // Throws Error(kNotFound or kIo) naming the path. An empty file maps to an empty span.
  explicit FileMap(const std::string& path);
  // `memory` outlives it and does not change; hints and checks of a file do nothing.
  FileMap(std::string path, std::span<const uint8_t> memory);
  ~FileMap();
  FileMap(FileMap&& other) noexcept;
  FileMap& operator=(FileMap&& other) noexcept;

  std::span<const uint8_t> bytes() const { return {data_, size_}; }

  // How the mapping will be read until told otherwise: kPieces, small ones far apart, reads no more
  // than what is touched; kWhole reads ahead, and in huge pages where the file system has them.
  // Hints: failure is ignored.
  enum class Access : uint8_t { kWhole, kPieces };
  void Advise(Access access) const;
  // Starts to read a part of bytes() that will be wanted soon, without waiting for it. A hint too.
  void ReadAhead(std::span<const uint8_t> part) const;
  // Reads all that is not in memory yet, and waits for it. `progress` is told the bytes done so far
  // and may throw to stop. Throws Error(kIo) when the file cannot be read or has been cut.
  void Prefault(const std::function<void(uint64_t)>& progress) const;
  const std::string& path() const { return path_; }
  // When it was last written to before it was mapped, in nanoseconds; 0 of what is no file.
  int64_t date_ns() const { return opened_.seconds * 1'000'000'000 + opened_.nanoseconds; }

  // Throws Error(kIo) if the file has been cut, grown or written to since it was mapped: reading
  // beyond its end would end the process, and what was written shows through. Cheap.
  void CheckUnchanged() const;

  // From now on bytes() are a copy in memory, elsewhere than before, and the file is closed. Throws
  // Error(kIo) when the file cannot be read or has changed, and std::bad_alloc; then nothing is
  // changed. `progress` is told the bytes read so far and may throw to stop.
  void CopyIntoMemory(const std::function<void(uint64_t)>& progress);

 private:
  // What a file is told by, and what changes when it is written to.
  struct State {
    uint64_t device = 0, inode = 0;
    int64_t size = 0, seconds = 0, nanoseconds = 0;
    bool SameFile(const State& other) const {
      return device == other.device && inode == other.inode;
    }
  };
  void CloseFile() noexcept;
  static State StateOf(const struct stat& info);

  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  bool owned_ = true;  // the mapping
  int fd_ = -1;
  State opened_;
};

// Reads a whole small file; throws kNotFound, kIo, or kCheckpoint when larger than `limit_bytes`.
std::string ReadFile(const std::string& path, size_t limit_bytes);

// The text of a user's table, "" for the path "". Throws Error(kIo), also beyond 16 MiB.
std::string ReadTableFile(const std::string& path);

}  // namespace finback
