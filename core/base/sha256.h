// SHA-256 over data that comes in pieces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace finback {

class Sha256 {
 public:
  Sha256();  // throws std::bad_alloc, or Error(kInternal) when the crypto library refuses SHA-256
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::span<const uint8_t> bytes);
  // Once, at the end, one of them: the digest, or it as 64 lower-case hex digits.
  std::array<uint8_t, 32> Finish();
  std::string FinishHex();

 private:
  void* context_;  // EVP_MD_CTX
};

}  // namespace finback
