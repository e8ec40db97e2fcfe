// Tool calls that come in pieces, as services send them: names at once, again with every piece, in
// fragments, or longer each time; arguments likewise.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace finback {

using ToolNames = std::vector<std::string>;

// Whether more may follow that makes it the name of an offered tool.
bool MayGrow(std::string_view name, const ToolNames& offered);
// What `name` becomes with another piece. The offered names decide whether that is a fragment, the
// whole so far, or the same again; pieces behind a name that is offered are none of it.
std::string JoinName(std::string_view name, std::string_view piece, const ToolNames& offered);

class CallArguments {
 public:
  void Add(std::string_view piece);
  // All of them, as said at the end beside the pieces.
  void SetWhole(std::string_view whole) { whole_ = whole; }

  const std::string& text() const { return text_; }  // the pieces one behind the other
  bool empty() const { return text_.empty(); }
  bool IsObject() const;  // the text is a complete JSON object

  // The text, unless it is no object and what it was made of shows another that is one: the whole
  // as said at the end, the last piece where each one repeats those before, or what follows an
  // empty object that held the place. `how`: which of them; "" for the text.
  std::string_view Meant(const char** how) const;

 private:
  std::string text_, whole_;
  size_t last_ = 0;  // where the last piece begins
  size_t pieces_ = 0;
  bool grows_ = true;  // each piece begins with the one before
};

}  // namespace finback
