// The engine's choices in the terms of the model and the tokenizer: rooms that do not know the
// engine have enums of their own, and each pair is matched here, once.
#pragma once

#include <cstddef>
#include <optional>

#include "core/checkpoint/config.h"
#include "core/engine/backend.h"
#include "core/engine/options.h"
#include "core/network/evaluator.h"
#include "core/tokenizer/tokenizer.h"

namespace finback {

template <typename Ours, typename Theirs>
struct ChoicePair {
  Ours ours;
  Theirs theirs;
};

inline constexpr ChoicePair<PrecisionChoice, Precision> kPrecisions[] = {
    {PrecisionChoice::kPublished, Precision::kPublished},
    {PrecisionChoice::kBf16, Precision::kBf16},
    {PrecisionChoice::kFloat32, Precision::kFloat32}};
inline constexpr ChoicePair<LadderChoice, std::optional<EffortLadder>> kLadders[] = {
    {LadderChoice::kAuto, std::nullopt},  // the checkpoint's own
    {LadderChoice::kPreview, EffortLadder::kPreview},
    {LadderChoice::k0731, EffortLadder::k0731}};
inline constexpr ChoicePair<TokenSequence::Rows, LogitRows> kLogitRows[] = {
    {TokenSequence::Rows::kNone, LogitRows::kNone},
    {TokenSequence::Rows::kLast, LogitRows::kLast},
    {TokenSequence::Rows::kAll, LogitRows::kAll}};
inline constexpr ChoicePair<SpecialTokens, AddedTokens> kSpecialTokens[] = {
    {SpecialTokens::kRecognize, AddedTokens::kRecognize},
    {SpecialTokens::kIgnore, AddedTokens::kIgnore}};

// `ours` is in the table.
template <typename Ours, typename Theirs, size_t pairs>
constexpr Theirs Chosen(const ChoicePair<Ours, Theirs> (&table)[pairs], Ours ours) {
  size_t place = 0;
  while (place + 1 < pairs && table[place].ours != ours) ++place;
  return table[place].theirs;
}

}  // namespace finback
