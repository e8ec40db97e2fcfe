#include "core/base/sha256.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <new>

#include "core/base/status.h"

namespace finback {
namespace {

EVP_MD_CTX* Context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

void Require(int result, const char* action) {
  if (result != 1) Throw(Code::kInternal, "SHA-256: cannot %s", action);
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (context_ == nullptr) throw std::bad_alloc();
  ERR_set_mark();
  const bool good = EVP_DigestInit_ex(Context(context_), EVP_sha256(), nullptr) == 1;
  ERR_pop_to_mark();  // the host may look into the thread's error queue for errors of its own
  if (good) return;
  // The algorithm is built in: what can be missing is memory to look it up in.
  EVP_MD_CTX_free(Context(context_));
  throw std::bad_alloc();
}

Sha256::~Sha256() { EVP_MD_CTX_free(Context(context_)); }

void Sha256::Update(std::span<const uint8_t> bytes) {
  Require(EVP_DigestUpdate(Context(context_), bytes.data(), bytes.size()), "go on");
}

std::array<uint8_t, 32> Sha256::Finish() {
  std::array<uint8_t, 32> digest;
  unsigned int size = 0;
  Require(EVP_DigestFinal_ex(Context(context_), digest.data(), &size), "finish");
  return digest;
}

std::string Sha256::FinishHex() {
  std::string hex;
  for (const uint8_t byte : Finish()) hex += Format("%02x", byte);
  return hex;
}

}  // namespace finback
