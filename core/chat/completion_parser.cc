// The strict parser. The streaming one is in streaming_parser.cc.
#include "core/chat/completion_parser.h"

#include <algorithm>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/chat/wire_strings.h"

namespace finback {
namespace {

// A cursor over the completion; every failure names the byte it stands at.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool AtEnd() const { return position_ == text_.size(); }
  size_t position() const { return position_; }

  [[noreturn]] static void Fail(const std::string& message, size_t byte) {
    Throw(Code::kInvalidArgument, "completion: %s at byte %zu", message.c_str(), byte);
  }

  bool Accept(std::string_view literal) {
    if (text_.substr(position_, literal.size()) != literal) return false;
    position_ += literal.size();
    return true;
  }

  void Expect(std::string_view literal, const char* name) {
    if (!Accept(literal)) Fail(std::string("expected ") + name, position_);
  }

  // Text up to the first of two markers, which is consumed; `*which` says which, -1 if neither.
  std::string_view Until(std::string_view first, std::string_view second, int* which) {
    const size_t a = text_.find(first, position_), b = text_.find(second, position_);
    const size_t begin = position_, end = std::min({a, b, text_.size()});
    *which = end == a ? 0 : end == b ? 1 : -1;
    position_ = end;
    if (*which >= 0) position_ += *which == 0 ? first.size() : second.size();
    return text_.substr(begin, end - begin);
  }

 private:
  std::string_view text_;
  size_t position_ = 0;
};

void RefuseMarkup(std::string_view text, size_t offset, const char* part) {
  for (std::string_view marker :
       {wire::kBos, wire::kEos, wire::kThinkOpen, wire::kThinkClose, wire::kDsml}) {
    const size_t found = text.find(marker);
    if (found == std::string_view::npos) continue;
    Reader::Fail(std::string(part) + " contains " + std::string(marker), offset + found);
  }
}

// ` name="K" string="true|false">VALUE</...parameter>\n`, behind the opening of a parameter.
// Appends `"K": VALUE` to the arguments.
void ReadParameter(Reader* reader, std::vector<std::string>* names, std::string* arguments) {
  const size_t begin = reader->position();
  reader->Expect(" name=\"", "` name=\"` of a parameter");
  const size_t body_begin = reader->position();
  int which;
  const std::string_view close = wire::kParameterClose.substr(1);
  std::string_view body = reader->Until(close, close, &which);
  if (which < 0) Reader::Fail("parameter is not closed", begin);
  const size_t is_true = body.find("\" string=\"true\">");
  const size_t is_false = body.find("\" string=\"false\">");
  const size_t name_end = std::min(is_true, is_false);
  if (name_end == std::string_view::npos) {
    Reader::Fail("expected string=\"true\" or string=\"false\"", begin);
  }
  const std::string_view header =
      is_true < is_false ? "\" string=\"true\">" : "\" string=\"false\">";
  const std::string name(body.substr(0, name_end));
  std::string_view value = body.substr(name_end + header.size());
  if (value.empty() || value.back() != '<') {
    Reader::Fail("expected < before the closing tag of a parameter", body_begin + body.size());
  }
  value.remove_suffix(1);
  if (std::find(names->begin(), names->end(), name) != names->end()) {
    Reader::Fail("duplicate parameter name", body_begin);
  }
  reader->Expect(">\n", "`>` and a newline behind a parameter");
  if (!names->empty()) *arguments += ", ";
  AppendJsonString(name, arguments);
  *arguments += ": ";
  if (is_true < is_false) {
    AppendJsonString(value, arguments);
  } else {
    *arguments += value;
  }
  names->push_back(name);
}

ToolCall ReadInvoke(Reader* reader) {
  const size_t begin = reader->position();
  reader->Expect(" name=\"", "` name=\"` of an invoke");
  int which;
  ToolCall call;
  call.name = reader->Until("\">\n", "\">\n", &which);
  if (which < 0 || call.name.find(wire::kDsml) != std::string::npos) {
    Reader::Fail("expected `\">` and a newline behind the name of an invoke", begin);
  }
  reader->Accept("\n");
  std::vector<std::string> names;
  call.arguments = "{";
  while (reader->Accept(wire::kParameterOpen)) ReadParameter(reader, &names, &call.arguments);
  call.arguments += "}";
  reader->Expect(wire::kInvokeClose, "a parameter or the end of the invoke");
  reader->Expect(">\n", "`>` and a newline behind an invoke");
  return call;
}

}  // namespace

ParsedCompletion ParseCompletion(std::string_view text, ThinkingMode thinking) {
  const size_t invalid = FindInvalidUtf8(text);
  if (invalid != kValidUtf8) Reader::Fail("invalid UTF-8", invalid);
  Reader reader(text);
  ParsedCompletion parsed;
  int which;
  if (thinking == ThinkingMode::kThinking) {
    parsed.reasoning_content = reader.Until(wire::kThinkClose, wire::kToolCallsMarker, &which);
    if (which != 0) {
      Reader::Fail(which < 0 ? "</think> is missing" : "tool calls before </think>",
                   parsed.reasoning_content.size());
    }
    RefuseMarkup(parsed.reasoning_content, 0, "reasoning");
  }
  const size_t content_begin = reader.position();
  parsed.content = reader.Until(wire::kEos, wire::kToolCallsMarker, &which);
  RefuseMarkup(parsed.content, content_begin, "content");
  if (which < 0) Reader::Fail("end-of-sentence marker is missing", text.size());
  if (which == 1) {
    reader.Expect(">\n", "`>` and a newline behind tool_calls");
    while (reader.Accept(wire::kInvokeOpen)) parsed.tool_calls.push_back(ReadInvoke(&reader));
    reader.Expect(wire::kToolCallsClose, "an invoke or the end of the tool calls");
    reader.Accept(wire::kEos);
  }
  if (!reader.AtEnd()) Reader::Fail("text behind the end", reader.position());
  return parsed;
}

}  // namespace finback
