#include "core/chat/chat_encoding.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "core/base/status.h"
#include "core/chat/wire_strings.h"

namespace finback {
namespace {

// A message after merging: user and tool messages fuse into one user turn of blocks.
struct Block {
  ContentBlock::Kind kind;
  std::string_view text;
  std::string_view tool_call_id;
};

struct Turn {
  const PromptMessage* message;  // of a user turn: the first message of it
  std::string path;
  Role role;  // never kTool
  std::string_view task;
  std::vector<Block> blocks;
  bool has_tools = false;
};

void AppendUserBlocks(const PromptMessage& message, std::vector<Block>* blocks) {
  if (message.blocks.empty()) {
    blocks->push_back({ContentBlock::Kind::kText, message.content, {}});
  }
  for (const ContentBlock& block : message.blocks) {
    blocks->push_back({block.kind, block.text, block.tool_call_id});
  }
}

std::vector<Turn> Merge(const std::vector<PromptMessage>& messages, const char* list) {
  std::vector<Turn> turns;
  for (size_t i = 0; i < messages.size(); ++i) {
    const PromptMessage& message = messages[i];
    const bool is_tool = message.role == Role::kTool, is_user = message.role == Role::kUser;
    const bool after_user = !turns.empty() && turns.back().role == Role::kUser;
    const bool joins = after_user && (is_tool || (is_user && turns.back().task.empty()));
    if (!joins) {
      Turn turn;
      turn.message = &message;
      turn.path = message.path.empty() ? Format("%s[%zu]", list, i) : message.path;
      turn.role = is_tool ? Role::kUser : message.role;
      if (!is_tool) turn.task = message.task;
      turn.has_tools = !is_tool && !is_user && !message.tools.empty();
      turns.push_back(std::move(turn));
    }
    if (is_tool) {
      turns.back().blocks.push_back(
          {ContentBlock::Kind::kToolResult, message.content, message.tool_call_id});
    } else if (is_user) {
      AppendUserBlocks(message, &turns.back().blocks);
    }
  }
  return turns;
}

// Puts the tool results of each user turn in the order of the latest calls; text stays in place.
void OrderToolResults(std::vector<Turn>* turns) {
  std::map<std::string_view, size_t> order;
  for (Turn& turn : *turns) {
    if (turn.role == Role::kAssistant && !turn.message->tool_calls.empty()) {
      order.clear();
      const std::vector<ToolCall>& calls = turn.message->tool_calls;
      for (size_t i = 0; i < calls.size(); ++i) {
        if (!calls[i].id.empty()) order[calls[i].id] = i;
      }
    }
    if (turn.role != Role::kUser || order.empty()) continue;
    std::vector<size_t> places;
    std::vector<std::pair<size_t, Block>> results;
    for (size_t i = 0; i < turn.blocks.size(); ++i) {
      const Block& block = turn.blocks[i];
      if (block.kind != ContentBlock::Kind::kToolResult) continue;
      const auto known = order.find(block.tool_call_id);
      places.push_back(i);
      results.emplace_back(known == order.end() ? 0 : known->second, block);
    }
    std::stable_sort(results.begin(), results.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (size_t i = 0; i < places.size(); ++i) turn.blocks[places[i]] = results[i].second;
  }
}

bool IsServed(const EncodeOptions& options) { return options.dialect == PromptDialect::kServed; }

// System and developer texts of the whole conversation as one message at its front.
std::vector<PromptMessage> GatherSystem(const std::vector<PromptMessage>& messages) {
  PromptMessage head;
  head.role = Role::kSystem;
  std::vector<PromptMessage> others;
  for (const PromptMessage& message : messages) {
    const bool is_rule = message.role == Role::kSystem || message.role == Role::kDeveloper;
    if (!is_rule || !message.task.empty()) {
      others.push_back(message);
      continue;
    }
    if (!head.content.empty() && !message.content.empty()) head.content += "\n\n";
    head.content += message.content;
    head.tools.insert(head.tools.end(), message.tools.begin(), message.tools.end());
    if (!message.has_response_format) continue;
    if (head.has_response_format) {
      Throw(Code::kInvalidRequest, "%s.response_format: an earlier message has one",
            message.path.c_str());
    }
    head.has_response_format = true;
    head.response_format = message.response_format;
  }
  // Alone it stays without text too: the turn that the answer opens stands behind it.
  const bool has_text = !head.content.empty() || !head.tools.empty() || head.has_response_format;
  if (has_text || others.empty()) {
    others.insert(others.begin(), std::move(head));
  }
  return others;
}

// Calls and results by the bytes of their ids: the order in which they ended does not matter then.
void SortById(std::vector<PromptMessage>* messages) {
  for (PromptMessage& message : *messages) {
    std::stable_sort(message.tool_calls.begin(), message.tool_calls.end(),
                     [](const ToolCall& a, const ToolCall& b) { return a.id < b.id; });
  }
}

void SortResultsById(std::vector<Turn>* turns) {
  for (Turn& turn : *turns) {
    std::vector<size_t> places;
    std::vector<Block> results;
    for (size_t i = 0; i < turn.blocks.size(); ++i) {
      if (turn.blocks[i].kind != ContentBlock::Kind::kToolResult) continue;
      places.push_back(i);
      results.push_back(turn.blocks[i]);
    }
    std::stable_sort(results.begin(), results.end(), [](const Block& a, const Block& b) {
      return a.tool_call_id < b.tool_call_id;
    });
    for (size_t i = 0; i < places.size(); ++i) turn.blocks[places[i]] = results[i];
  }
}

bool IsQuestion(const Turn& turn) {
  return turn.role == Role::kUser || turn.role == Role::kDeveloper;
}

// Index of the last user or developer turn; -1 if none.
ptrdiff_t LastQuestion(const std::vector<Turn>& turns) {
  for (size_t i = turns.size(); i-- > 0;) {
    if (IsQuestion(turns[i])) return static_cast<ptrdiff_t>(i);
  }
  return -1;
}

// Removes the developer turns of earlier exchanges. (Their reasoning goes too: the renderer leaves
// it out by the same index.)
void DropOldTurns(std::vector<Turn>* turns) {
  const ptrdiff_t last = LastQuestion(*turns);
  std::vector<Turn> kept;
  for (size_t i = 0; i < turns->size(); ++i) {
    Turn& turn = (*turns)[i];
    if (static_cast<ptrdiff_t>(i) < last && turn.role == Role::kDeveloper) continue;
    kept.push_back(std::move(turn));
  }
  *turns = std::move(kept);
}

// Collects prompt text. Markup without special tokens encodes alike either way, so it joins the
// untrusted text beside it: spans then meet at special tokens, where the tokenizer cuts anyway, and
// harmless conversations get the same token ids as on the reference path.
class SpanWriter {
 public:
  void Markup(std::string_view text) {  // contains special tokens at known places
    static constexpr std::string_view kSpecial[] = {wire::kDsml, wire::kThinkOpen,
                                                    wire::kThinkClose};
    while (!text.empty()) {
      size_t begin = text.size(), length = 0;
      for (std::string_view token : kSpecial) {
        const size_t found = text.find(token);
        if (found < begin) {
          begin = found;
          length = token.size();
        }
      }
      Add(text.substr(0, begin), Trust::kEither);
      Add(text.substr(begin, length), Trust::kTrusted);
      text.remove_prefix(begin + length);
    }
  }
  void Token(std::string_view text) { Add(text, Trust::kTrusted); }
  void Plain(std::string_view text) { Add(text, Trust::kEither); }
  void Answer(std::string_view text) { Add(text, Trust::kTrusted); }
  void Untrusted(std::string_view text) { Add(text, Trust::kUntrusted); }
  void EndPart(std::string name, bool is_head) {
    if (!parts_.empty() && parts_.back().end == bytes_) return;
    parts_.push_back({std::move(name), is_head, bytes_});
  }

  // What is added from the one to the other is one piece, of these ids.
  void BeginSampled() {
    sampled_begin_ = pieces_.size();
    cut_ = true;
  }
  void EndSampled(SampledIds ids) {
    Piece all{"", Trust::kTrusted, std::move(ids)};
    for (size_t i = sampled_begin_; i < pieces_.size(); ++i) all.text += pieces_[i].text;
    pieces_.resize(sampled_begin_);
    pieces_.push_back(std::move(all));
    cut_ = true;
  }

  EncodedPrompt Take(bool trust_all) { return {TakeSpans(trust_all), std::move(parts_)}; }

 private:
  std::vector<PromptSpan> TakeSpans(bool trust_all) {
    std::vector<PromptSpan> spans;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      Trust trust = trust_all ? Trust::kTrusted : pieces_[i].trust;
      if (trust == Trust::kEither) {
        const bool beside = (i > 0 && pieces_[i - 1].trust == Trust::kUntrusted) ||
                            (i + 1 < pieces_.size() && pieces_[i + 1].trust == Trust::kUntrusted);
        trust = beside ? Trust::kUntrusted : Trust::kTrusted;
      }
      const bool trusted = trust == Trust::kTrusted;
      const bool apart = !pieces_[i].ids.empty() || (!spans.empty() && !spans.back().ids.empty());
      if (spans.empty() || spans.back().trusted != trusted || apart) spans.push_back({"", trusted});
      spans.back().text += pieces_[i].text;
      if (!pieces_[i].ids.empty()) spans.back().ids = std::move(pieces_[i].ids);
    }
    return spans;
  }

  enum class Trust : uint8_t { kTrusted, kUntrusted, kEither };
  struct Piece {
    std::string text;
    Trust trust;
    SampledIds ids = {};
  };

  void Add(std::string_view text, Trust trust) {
    if (text.empty()) return;
    if (pieces_.empty() || pieces_.back().trust != trust || cut_) pieces_.push_back({"", trust});
    cut_ = false;
    pieces_.back().text += text;
    bytes_ += text.size();
  }

  std::vector<Piece> pieces_;
  std::vector<PromptPart> parts_;
  size_t bytes_ = 0;
  size_t sampled_begin_ = 0;
  bool cut_ = false;
};

class Renderer {
 public:
  Renderer(const std::vector<Turn>& turns, const EncodeOptions& options, bool drop)
      : turns_(turns),
        is_served_(IsServed(options)),
        is_thinking_(options.thinking == ThinkingMode::kThinking),
        drop_(drop),
        sampled_(options.trust_all ? nullptr : options.sampled),
        last_question_(LastQuestion(turns)) {}

  void Render(size_t index, SpanWriter* out) const {
    const Turn& turn = turns_[index];
    const PromptMessage& message = *turn.message;
    switch (turn.role) {
      case Role::kSystem:
        out->Untrusted(message.content);
        out->EndPart("the system text", index == 0);
        Suffixes(message, out);
        break;
      case Role::kDeveloper:
        if (message.content.empty()) {
          Throw(Code::kInvalidRequest, "%s.content: a developer message must not be empty",
                turn.path.c_str());
        }
        out->Token(wire::kUser);
        out->Untrusted(message.content);
        Suffixes(message, out);
        break;
      case Role::kUser:
      case Role::kTool:
        User(turn, out);
        break;
      case Role::kLatestReminder:
        out->Token(wire::kLatestReminder);
        out->Untrusted(message.content);
        break;
      case Role::kAssistant:
        Assistant(index, out);
        break;
    }
    if (turn.role == Role::kSystem) {
      out->EndPart("the tools", index == 0);
    } else {
      out->EndPart(turn.path + " (" + std::string(RoleName(turn.role)) + ")", false);
    }
    Transition(index, out);
  }

 private:
  // A tool as services show it: three members, whatever else the request gave it.
  static void AppendServedTool(const Json& tool, std::string* text) {
    const std::pair<const char*, const char*> members[] = {
        {"name", "\"\""}, {"description", "\"\""}, {"parameters", "{}"}};
    const char* separator = "{\"";
    for (const auto& [name, absent] : members) {
      *text += separator;
      *text += name;
      *text += "\": ";
      separator = ", \"";
      const Json* value = tool.Find(name);
      if (value == nullptr || value->IsNull()) {
        *text += absent;
      } else {
        AppendPythonJson(*value, text);
      }
    }
    *text += '}';
  }

  void ResponseFormat(const Json& format, SpanWriter* out) const {
    const Json* shown = &format;
    if (is_served_) {
      const Json* type = format.Find("type");
      if (type != nullptr && type->text == "json_object") {
        out->Plain("\n\n");
        out->Plain(wire::kJsonObject);
        return;
      }
      const Json* wrapper = format.Find("json_schema");
      const Json* schema = wrapper == nullptr ? nullptr : wrapper->Find("schema");
      if (schema != nullptr) shown = schema;
    }
    out->Plain("\n\n");
    out->Plain(wire::kResponseFormat);
    std::string text;
    AppendPythonJson(*shown, &text);
    out->Untrusted(text);
  }

  void Suffixes(const PromptMessage& message, SpanWriter* out) const {
    if (!message.tools.empty()) {
      out->Plain("\n\n");
      out->Markup(wire::kToolsBefore);
      std::string schemas;
      for (const Json& tool : message.tools) {
        if (!schemas.empty()) schemas += '\n';
        if (is_served_) {
          AppendServedTool(tool, &schemas);
        } else {
          AppendPythonJson(tool, &schemas);
        }
      }
      out->Untrusted(schemas);
      out->Plain(wire::kToolsAfter);
    }
    if (message.has_response_format) ResponseFormat(message.response_format, out);
  }

  void User(const Turn& turn, SpanWriter* out) const {
    out->Token(wire::kUser);
    const char* separator = "";
    bool after_result = false;
    for (const Block& block : turn.blocks) {
      const bool is_text = block.kind == ContentBlock::Kind::kText;
      if (is_served_ && is_text && block.text.empty()) {
        // Nothing to set apart, except from results: an empty text still stands behind those.
        if (after_result) {
          out->Untrusted(separator);
          separator = "";
        }
        after_result = false;
        continue;
      }
      out->Untrusted(separator);
      separator = "\n\n";
      after_result = block.kind == ContentBlock::Kind::kToolResult;
      switch (block.kind) {
        case ContentBlock::Kind::kText:
          out->Untrusted(block.text);
          break;
        case ContentBlock::Kind::kToolResult:
          out->Plain(wire::kToolResultOpen);
          out->Untrusted(block.text);
          out->Plain(wire::kToolResultClose);
          break;
        case ContentBlock::Kind::kUnsupported:
          out->Untrusted("[Unsupported " + std::string(block.text) + "]");
          break;
      }
    }
  }

  void Assistant(size_t index, SpanWriter* out) const {
    const Turn& turn = turns_[index];
    const PromptMessage& message = *turn.message;
    const bool after_task = index > 0 && !turns_[index - 1].task.empty();
    if (is_served_) {
      ServedAssistant(index, after_task, out);
      return;
    }
    const bool is_current = static_cast<ptrdiff_t>(index) > last_question_;
    if (is_thinking_ && !after_task && (!drop_ || is_current)) {
      out->Answer(message.reasoning_content);
      out->Token(wire::kThinkClose);
    }
    out->Answer(message.content);
    if (!message.tool_calls.empty()) ToolCalls(message.tool_calls, out);
    if (!message.without_eos) out->Token(wire::kEos);
  }

  // Every turn opens itself, whatever stands before it, and its texts are plain: a special token
  // spelled in them is none.
  void ServedAssistant(size_t index, bool after_task, SpanWriter* out) const {
    const PromptMessage& message = *turns_[index].message;
    const bool goes_on = message.without_eos && index + 1 == turns_.size();
    if (!after_task) {
      out->Token(wire::kAssistant);
      if (is_thinking_ && (!drop_ || goes_on)) {
        out->Token(wire::kThinkOpen);
        Reasoning(message, out);
        if (goes_on && message.content.empty() && message.tool_calls.empty()) return;
      }
      out->Token(wire::kThinkClose);
    }
    SampledIds ids;
    if (sampled_ != nullptr && !message.without_eos && !after_task) ids = sampled_->answer(message);
    if (!ids.empty()) out->BeginSampled();
    out->Untrusted(message.content);
    if (!message.tool_calls.empty()) ToolCalls(message.tool_calls, out);
    if (!ids.empty()) out->EndSampled(std::move(ids));
    if (!message.without_eos) out->Token(wire::kEos);
  }

  void Reasoning(const PromptMessage& message, SpanWriter* out) const {
    SampledIds ids;
    if (sampled_ != nullptr && !message.without_eos && !message.reasoning_content.empty()) {
      ids = sampled_->reasoning(message.reasoning_content);
    }
    if (!ids.empty()) out->BeginSampled();
    out->Untrusted(message.reasoning_content);
    if (!ids.empty()) out->EndSampled(std::move(ids));
  }

  // Names and values are text of an answer: trusted as the published format has it, else plain.
  void ToolCalls(const std::vector<ToolCall>& calls, SpanWriter* out) const {
    const auto text = [&](std::string_view written) {
      is_served_ ? out->Untrusted(written) : out->Answer(written);
    };
    out->Markup(wire::kToolCallsMarker);
    out->Plain(">\n");
    for (const ToolCall& call : calls) {
      out->Markup(wire::kInvokeOpen);
      out->Plain(" name=\"");
      text(call.name);
      out->Plain("\">\n");
      const std::vector<Argument> arguments = Arguments(call.arguments);
      for (const Argument& argument : arguments) {
        out->Markup(wire::kParameterOpen);
        out->Plain(" name=\"");
        text(argument.name);
        out->Plain(argument.is_string ? "\" string=\"true\">" : "\" string=\"false\">");
        text(argument.value);
        out->Markup(wire::kParameterClose);
        out->Plain(">\n");
      }
      if (arguments.empty() && !is_served_) out->Plain("\n");
      out->Markup(wire::kInvokeClose);
      out->Plain(">\n");
    }
    out->Markup(wire::kToolCallsClose);
  }

  struct Argument {
    std::string name, value;
    bool is_string;
  };

  // Arguments that are no object are shown as the model wrote them, in one parameter: a history
  // that was once answered must not end the conversation.
  static std::vector<Argument> Arguments(const std::string& arguments) {
    Json json;
    try {
      json = ParseJson(arguments, "arguments", JsonNumbers::kPython);
    } catch (const Error&) {
      return {{"arguments", arguments, true}};
    }
    if (!json.IsObject()) return {{"arguments", arguments, true}};
    std::vector<Argument> list;
    for (const auto& [name, value] : json.members) {
      Argument& argument = list.emplace_back(Argument{name, value.text, value.IsString()});
      if (argument.is_string) continue;
      argument.value.clear();
      AppendPythonJson(value, &argument.value);
    }
    return list;
  }

  // What calls for the next answer.
  void Transition(size_t index, SpanWriter* out) const {
    const Turn& turn = turns_[index];
    if (index + 1 < turns_.size()) {
      const Role next = turns_[index + 1].role;
      if (next != Role::kAssistant && next != Role::kLatestReminder) return;
    }
    if (!turn.task.empty()) {
      if (turn.task == "action") {
        out->Token(wire::kAssistant);
        out->Token(is_thinking_ ? wire::kThinkOpen : wire::kThinkClose);
      }
      out->Token(wire::kTaskOpen);
      out->Token(turn.task);
      out->Token(wire::kTaskClose);
      return;
    }
    if (is_served_) {
      const bool goes_on = turn.role == Role::kAssistant && turn.message->without_eos;
      if (index + 1 < turns_.size() || goes_on) return;
      out->Token(wire::kAssistant);
      out->Token(is_thinking_ ? wire::kThinkOpen : wire::kThinkClose);
      return;
    }
    if (!IsQuestion(turn)) return;
    const bool is_current = static_cast<ptrdiff_t>(index) >= last_question_;
    out->Token(wire::kAssistant);
    out->Token(is_thinking_ && (!drop_ || is_current) ? wire::kThinkOpen : wire::kThinkClose);
  }

  const std::vector<Turn>& turns_;
  const bool is_served_;
  const bool is_thinking_;
  const bool drop_;
  const SampledText* const sampled_;
  const ptrdiff_t last_question_;
};

}  // namespace

std::string EncodedPrompt::Text() const {
  std::string text;
  for (const PromptSpan& span : spans) text += span.text;
  return text;
}

EncodedPrompt EncodeChat(const std::vector<PromptMessage>& messages,
                         const std::vector<PromptMessage>& context, const EncodeOptions& options) {
  const bool is_served = IsServed(options);
  std::vector<PromptMessage> gathered;
  if (is_served) {
    gathered = GatherSystem(messages);
    SortById(&gathered);
  }
  std::vector<Turn> prefix = Merge(context, "context");
  std::vector<Turn> turns = prefix;
  for (Turn& turn : Merge(is_served ? gathered : messages, "messages")) {
    turns.push_back(std::move(turn));
  }
  if (is_served) {
    SortResultsById(&turns);
  } else {
    OrderToolResults(&turns);
  }

  const bool is_thinking = options.thinking == ThinkingMode::kThinking;
  const bool has_tools =
      std::any_of(turns.begin(), turns.end(), [](const Turn& turn) { return turn.has_tools; });
  const bool drop = options.drop_thinking && !has_tools;
  if (is_thinking && drop && !is_served) {
    DropOldTurns(&turns);
    DropOldTurns(&prefix);  // by itself: how many leading turns are encoded already
  }

  SpanWriter out;
  if (options.add_bos && context.empty()) out.Token(wire::kBos);
  const Renderer renderer(turns, options, drop);
  for (size_t i = prefix.size(); i < turns.size(); ++i) {
    if (i == 0 && is_thinking && options.effort != EffortPrefix::kNone) {
      out.Plain(options.effort == EffortPrefix::kMax ? wire::kEffortMax : wire::kEffortBeyondMax);
    }
    renderer.Render(i, &out);
  }
  return out.Take(options.trust_all);
}

}  // namespace finback
