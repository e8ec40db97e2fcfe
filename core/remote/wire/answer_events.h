// What the decoders of every wire format share: turns what a service says happens into events.
// Numbers and names tool calls, repairs their arguments, rescues markup from text, judges the end.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/call_pieces.h"
#include "core/engine/markup_rescue.h"
#include "core/engine/think_tags.h"
#include "core/remote/transport/failure.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {

class AnswerEvents {
 public:
  AnswerEvents(const Request& request, const WirePlan& plan);

  // Where events go until the next time. Called for every event of a stream.
  void Begin(std::vector<Event>* out) {
    out_ = out;
    pieces_before_ = pieces_;
  }

  // The same when no more events come.
  void BeginEnd(std::vector<Event>* out) {
    Begin(out);
    over_ = true;
  }

  // The answer comes in one piece.
  void HoldAll() { think_.HoldAll(); }
  // kReasoning or kContent; nothing happens for no text.
  void Text(EventKind kind, std::string_view text);
  // Of the next text of that kind.
  void AddLogprob(EventKind kind, TokenLogprob token);
  // A list of {"token", "logprob", "bytes", "top_logprobs"}.
  void AddLogprobs(EventKind kind, std::span<const Json> tokens);

  // A call of the service's: its number for the functions below. It begins (and gets its place in
  // the answer) when its name is known; a missing or repeated id is replaced by one of our own.
  // Throws kTransport for more calls than any model makes.
  size_t AddCall();
  void ExtendCall(size_t call, std::string_view id, std::string_view name,
                  std::string_view arguments);
  // All arguments, as said beside the pieces.
  void SayArguments(size_t call, std::string_view arguments);
  // Whether that is another piece of the call's name, and not the name of another call.
  bool GoesOnWith(size_t call, std::string_view name) const;
  // An object without members, unless the answer is cut before arguments come.
  void AllowNoArguments(size_t call) { calls_[call].may_be_bare = true; }
  // `cut`: more should have come.
  void EndCall(size_t call, bool cut = false);
  const CallArguments& ArgumentsOf(size_t call) const { return calls_[call].arguments; }
  const std::string& NameOf(size_t call) const { return calls_[call].name; }

  // The text of arguments, which may come as the object that it should hold; "" for none.
  static std::string ArgumentsText(const Json* arguments);

  void Notice(std::string_view code, std::string_view message);

  // The reason for the end, in the service's words; some of them mean that there is none yet. It
  // ends nothing: pieces may follow. Throws for a reason that is no finish.
  void TakeReason(std::string_view raw, WireResponse* response);
  // Whether the service cut the answer short, so that its last call may lack its end.
  bool IsCut(const WireResponse& response) const;
  // Nothing more comes: held-back text, rescued calls, ends of all calls, kFinish. Fails for an
  // answer that broke off or is empty.
  void Finish(const WireResponse& response);

  // The JSON object that `text` is, but for white space around it, or the first of a list. Throws
  // kTransport, or what the words of a text that is no JSON stand for.
  Json ParseObject(std::string_view text) const;
  // What has the member: the document, or an object in an envelope of a gateway's.
  static const Json& Opened(const Json& document, std::string_view member);
  // Throws for a document that is an error. In a stream, words without the member are one only if
  // nothing better follows.
  void CheckError(const Json& document, std::string_view member, bool whole);
  // Throws for an error object of any shape.
  [[noreturn]] void FailWith(const Json& error) const;
  // `what`: the message behind "the service".
  [[noreturn]] void Fail(FailureKind kind, const std::string& what,
                         std::string_view body = {}) const;

 private:
  struct Call {
    std::string id, name;
    CallArguments arguments;
    int32_t tool_index = -1;  // -1: not begun
    bool ended = false, may_be_bare = false;
  };

  Event* Add(EventKind kind);
  Event* AddOf(const Call& call, EventKind kind);
  [[noreturn]] void Throw(Failure failure) const;
  void CountPiece();
  void EndAll(bool cut);
  FinishReason ReasonOf(const WireResponse& response) const;
  void Deliver(EventKind kind, std::string_view text);
  void DeliverThought(EventKind kind);
  void Rescue(const ThinkTags::Text& piece);
  void DeliverRescued();
  void BeginCall(Call* call);
  void AddRescuedCalls();
  bool IsServed(const ToolCall& rescued, std::set<size_t>* taken) const;
  std::string FreshId(std::string_view wanted);
  std::vector<TokenLogprob>* Pending(EventKind kind);
  std::string CheckArguments(const Call& call, bool cut);

  const Provider* provider_;
  const std::string model_;
  const int64_t max_tokens_;       // that were asked for; 0: the service's own
  const bool may_be_empty_;        // the request makes an empty answer a sensible one
  const bool keeps_calls_;         // rescued calls are calls
  const std::vector<Json> tools_;  // the request's
  ToolNames names_;                // theirs
  std::vector<Event>* out_ = nullptr;

  std::optional<MarkupFilter> rescue_;  // until all ended
  ThinkTags think_;                     // before it
  std::vector<ThinkTags::Text> thought_;
  std::vector<MarkupFilter::Text> rescued_;
  std::vector<TokenLogprob> reasoning_logprobs_, content_logprobs_;
  bool has_reasoning_ = false, has_content_ = false;

  std::optional<Json> complaint_;          // words that may be why an answer broke off
  size_t pieces_ = 0, pieces_before_ = 0;  // of text and arguments, and those of earlier events
  // A reason was said; it was before a piece; since the last piece, none was said that counts.
  bool over_ = false, has_reason_ = false, early_ = false, late_ = false;

  std::vector<Call> calls_;
  std::set<std::string, std::less<>> ids_;  // in use, by earlier turns too
  size_t next_id_;
  int32_t begun_ = 0;
  size_t argument_bytes_ = 0;
};

}  // namespace finback
