// A file mapped read-only. Owns the mapping; views into it live as long as it does.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace finback {

class FileMap {
 public:
  // Throws Error(kNotFound or kIo) naming the path. An empty file maps to an empty span.
  explicit FileMap(const std::string& path);
  ~FileMap();
  FileMap(FileMap&& other) noexcept;
  FileMap& operator=(FileMap&& other) noexcept;

  std::span<const uint8_t> bytes() const { return {data_, size_}; }

  // How the mapping will be read until told otherwise: kRandom reads no more than what is touched,
  // for small pieces far apart. A hint: failure is ignored.
  enum class Access : uint8_t { kNormal, kRandom };
  void Advise(Access access) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Reads a whole small file; throws kNotFound, kIo, or kCheckpoint when larger than `limit_bytes`.
std::string ReadFile(const std::string& path, size_t limit_bytes);

// The text of a user's table, "" for the path "". Throws Error(kIo), also beyond 16 MiB.
std::string ReadTableFile(const std::string& path);

}  // namespace finback
