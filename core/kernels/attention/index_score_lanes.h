// Index scores of a few keys side by side and the choice of the largest scores, on the vectors of
// one instruction set. For files compiled with its flags only, whose struct Isa says
//
//   F, kKeys        a vector of float32 for so many keys
//   Queries, Keys   heads and keys in the form that Dot reads; free functions of these types,
//                   ExpandQueries, ExpandKeys and Dot, make them and multiply a head by kKeys keys
//   Weighted        round(relu(round(dot)) * weight)
//   NotBelow        of kScores scores those that are at least `least`: kScoreBits bits for each
//
// Queries are expanded once for a block of keys, keys once for a block of heads.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/kernels/attention/index_score.h"
#include "core/kernels/kernels.h"

namespace finback {
namespace {

constexpr size_t kHeadBlock = 64;   // whose queries are expanded at once
constexpr size_t kKeyBlock = 1024;  // keys that read them
constexpr size_t kMaxGroups = kMaxIndexWidth / kIndexGroup;
constexpr int8_t kDoubledCode[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// The bytes of key i; missing keys repeat the last one.
inline const uint8_t* KeyAt(const IndexScoreArgs& args, size_t i) {
  return args.keys + (i < args.count ? i : args.count - 1) * IndexKeyBytes(args.width);
}

// Roundings of the kernels here take no NaN but those that arithmetic makes.
inline bool HasNan(const float* weight, size_t heads) {
  bool has = false;
  for (size_t head = 0; head < heads; ++head) has |= weight[head] != weight[head];
  return has;
}

template <typename Isa>
inline void IndexScore(const IndexScoreArgs& args) {
  if (args.width > kMaxIndexWidth || HasNan(args.weight, args.heads)) {
    IndexScoreScalar(args);
    return;
  }
  typename Isa::Queries queries;
  const size_t groups = args.width / kIndexGroup;
  for (size_t block = 0; block < args.count; block += kKeyBlock) {
    const size_t block_end = args.count - block < kKeyBlock ? args.count : block + kKeyBlock;
    float sums[kKeyBlock] = {};
    for (size_t first = 0; first < args.heads; first += kHeadBlock) {
      const size_t heads = args.heads - first < kHeadBlock ? args.heads - first : kHeadBlock;
      if (block == 0 || args.heads > kHeadBlock) ExpandQueries(args, first, heads, &queries);
      for (size_t at = block; at < block_end; at += Isa::kKeys) {
        typename Isa::Keys keys;
        ExpandKeys(args, at, &keys);
        typename Isa::F sum = Isa::Load(sums + (at - block));
        for (size_t head = 0; head < heads; ++head) {
          const typename Isa::F dot = Dot(keys, queries, head, groups);
          sum = Isa::Sum(sum, Isa::Weighted(dot, args.weight + first + head));
        }
        Isa::Store(sums + (at - block), sum);
      }
    }
    for (size_t i = block; i < block_end; ++i) {
      args.score[i] = ScoreCode(FloatToBf16(sums[i - block]));
    }
  }
}

template <typename Isa>
inline void TakeAtLeast(const int16_t* score, size_t count, const Threshold& what, int32_t* index) {
  const int16_t least = what.least;
  size_t ties = what.many;
  if (least != INT16_MAX) {
    ties -= Isa::CountAtLeast(score, count, static_cast<int16_t>(least + 1));
  }
  size_t i = 0;
  const auto take = [&](size_t at) {
    if (score[at] < least || (score[at] == least && ties == 0)) return;
    ties -= score[at] == least;
    *index++ = static_cast<int32_t>(at);
  };
  for (; i + Isa::kScores <= count; i += Isa::kScores) {
    uint64_t bits = Isa::NotBelow(score + i, least);
    while (bits != 0) {
      const int first = __builtin_ctzll(bits);
      take(i + static_cast<size_t>(first / Isa::kScoreBits));
      bits &= ~(((uint64_t{1} << Isa::kScoreBits) - 1) << first);
    }
  }
  for (; i < count; ++i) take(i);
}

}  // namespace
}  // namespace finback
