#include "core/engine/call_pieces.h"

#include <algorithm>

#include "core/base/ascii.h"
#include "core/json/lenient_json.h"

namespace finback {
namespace {

constexpr std::string_view kPlaceholder = "{}";

bool IsOffered(std::string_view name, const ToolNames& offered) {
  return std::find(offered.begin(), offered.end(), name) != offered.end();
}

bool Begins(std::string_view name, const ToolNames& offered) {
  return MayGrow(name, offered) || IsOffered(name, offered);
}

bool IsObjectText(std::string_view text) {
  text = Trimmed(text);
  if (!text.starts_with('{') || !text.ends_with('}')) return false;  // most of the time
  Json json;
  return ParseLenientJson(text, &json, nullptr) && json.IsObject();
}

}  // namespace

bool MayGrow(std::string_view name, const ToolNames& offered) {
  return std::any_of(offered.begin(), offered.end(), [name](const std::string& tool) {
    return tool.size() > name.size() && tool.starts_with(name);
  });
}

std::string JoinName(std::string_view name, std::string_view piece, const ToolNames& offered) {
  const std::string joined = std::string(name).append(piece);
  if (name.empty() || piece.empty()) return joined;
  if (piece == name && (IsOffered(name, offered) || !Begins(joined, offered))) {
    return std::string(name);
  }
  const bool repeats = piece.starts_with(name);
  if (repeats && Begins(piece, offered)) return std::string(piece);
  if (Begins(joined, offered)) return joined;
  if (IsOffered(name, offered)) return std::string(name);
  return repeats || IsOffered(piece, offered) ? std::string(piece) : joined;
}

void CallArguments::Add(std::string_view piece) {
  if (piece.empty()) return;
  grows_ = grows_ && piece.starts_with(std::string_view(text_).substr(last_));
  last_ = text_.size();
  text_ += piece;
  ++pieces_;
}

bool CallArguments::IsObject() const { return IsObjectText(text_); }

std::string_view CallArguments::Meant(const char** how) const {
  *how = "";
  const std::string_view text = text_;
  if (IsObject()) return text;
  const std::string_view last = text.substr(last_), trimmed = Trimmed(text);
  if (IsObjectText(whole_)) {
    *how = "whole";
    return whole_;
  }
  if (pieces_ > 1 && grows_ && IsObjectText(last)) {
    *how = "repeated";
    return last;
  }
  if (!trimmed.starts_with(kPlaceholder)) return text;
  const std::string_view rest = Trimmed(trimmed.substr(kPlaceholder.size()));
  if (!rest.starts_with('{')) return text;
  *how = "placeholder";
  return rest;
}

}  // namespace finback
