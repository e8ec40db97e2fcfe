#include "core/base/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace finback {
namespace {

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string Hash(std::string_view text) {
  Sha256 hash;
  hash.Update(Bytes(text));
  return hash.FinishHex();
}

// Published vectors (FIPS 180-4 examples).
TEST(Sha256, PublishedVectors) {
  EXPECT_EQ(Hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Hash(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesOfAnySizeGiveTheSameDigest) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * 7 + i / 256);
  const std::string whole = Hash(text);
  for (const size_t piece : {1u, 3u, 63u, 64u, 65u, 4096u}) {
    Sha256 hash;
    for (size_t at = 0; at < text.size(); at += piece) {
      hash.Update(Bytes(std::string_view(text).substr(at, piece)));
    }
    EXPECT_EQ(hash.FinishHex(), whole) << "pieces of " << piece;
  }
}

}  // namespace
}  // namespace finback
