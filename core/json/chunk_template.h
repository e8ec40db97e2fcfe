// The chunks of an answer mostly differ in one string, the piece of text. Once one was parsed, a
// chunk with the same bytes around that string says the same but for the string,
// and needs no parsing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace finback {

class ChunkTemplate {
 public:
  // Remembers a chunk whose member `name` is `text`, in place of the one before. False if it is of
  // no use: `text` is spelled with escapes, or the name stands in it twice.
  bool Learn(std::string_view chunk, std::string_view name, std::string_view text);
  // The text of a chunk that differs from the learned one in that alone.
  std::optional<std::string_view> Match(std::string_view chunk) const;

 private:
  std::string before_, after_;  // the string's quotes included; empty: nothing is learned
};

}  // namespace finback
