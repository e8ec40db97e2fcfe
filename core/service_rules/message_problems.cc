#include "core/service_rules/message_problems.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ascii.h"
#include "core/base/contains.h"

namespace finback {
namespace {

bool SaysJson(std::string_view text) {
  constexpr std::string_view kWord = "json";
  const auto same = [](char a, char b) { return LowerAscii(a) == b; };
  return std::search(text.begin(), text.end(), kWord.begin(), kWord.end(), same) != text.end();
}

// The service's own sign that a call was made without reasoning: call_NN_ET_..., toolu_ET_...
bool HasEmptyThinkingSign(const Json& call) {
  constexpr size_t kBehindIndex = 8;
  const Json* id = call.Find("id");
  if (id == nullptr || !id->IsString()) return false;
  return id->text.compare(0, 9, "toolu_ET_") == 0 ||
         (id->text.size() > kBehindIndex && id->text.compare(kBehindIndex, 3, "ET_") == 0);
}

class Conversation {
 public:
  Conversation(const Json& messages, ConversationScope scope, ProblemList* problems)
      : messages_(messages), scope_(scope), problems_(*problems) {}

  ConversationFacts Judge() {
    for (size_t i = 0; i < messages_.items.size(); ++i) {
      index_ = i;
      path_ = ItemPath("messages", i) + ".";
      const Json& message = messages_.items[i];
      if (message.IsObject()) {
        JudgeMessage(message);
      } else {
        problems_.AddKind(ItemPath("messages", i), "an object", message);
      }
    }
    EndResults();
    if (scope_.thinking) JudgeReasoning();
    return facts_;
  }

 private:
  void JudgeMessage(const Json& message) {
    const Json* role = problems_.RequiredString(message, path_, "role");
    if (role == nullptr) return;
    const bool is_result = role->text == "tool";
    if (!is_result) EndResults();
    if (role->text == "assistant") {
      JudgeAnswer(message);
    } else if (role->text == "latest_reminder") {
      if (const Json* content = problems_.RequiredString(message, path_, "content")) {
        Say(content->text);
      }
      return;
    } else if (is_result || role->text == "system" || role->text == "user") {
      JudgeContent(message);
      if (is_result) JudgeResult(message);
    } else {
      problems_.Add(path_ + "role", "the service knows no role " + Quoted(role->text),
                    role->text == "developer" ? "say system, or leave it to Finback, which does"
                                              : "say system, user, assistant or tool");
      return;
    }
    if (!is_result) problems_.String(message, path_, "name");
  }

  void Say(std::string_view text) { facts_.says_json = facts_.says_json || SaysJson(text); }

  void JudgeContent(const Json& message) {
    const Json* content = message.Find("content");
    if (content == nullptr) {
      problems_.Add(path_ + "content", "is missing", "give a string, which may be empty");
    } else if (content->IsString()) {
      Say(content->text);
    } else if (content->IsArray()) {
      for (size_t i = 0; i < content->items.size(); ++i) {
        JudgePart(content->items[i], ItemPath(path_ + "content", i));
      }
    } else {
      problems_.Add(
          path_ + "content",
          std::string("expected a string or a list of parts, found ") + KindName(*content),
          "give a string, which may be empty");
    }
  }

  void JudgePart(const Json& part, const std::string& path) {
    if (!part.IsObject()) return problems_.AddKind(path, "an object", part);
    const Json* type = problems_.RequiredString(part, path + ".", "type");
    if (type == nullptr) return;
    if (type->text == "file") {
      problems_.String(part, path + ".", "file_id");
    } else if (type->text == "text") {
      if (const Json* text = problems_.RequiredString(part, path + ".", "text")) Say(text->text);
    } else if (type->text == "image_url") {
      JudgeImage(part.Find("image_url"), path + ".image_url");
    } else {
      problems_.Add(path + ".type", "the service knows no part " + Quoted(type->text),
                    "say text, image_url or file");
    }
  }

  void JudgeImage(const Json* image, const std::string& path) {
    if (image == nullptr || !image->IsObject()) {
      problems_.Add(path, image == nullptr ? "is missing" : "must be an object",
                    "give {\"url\": the image's address}");
      return;
    }
    problems_.RequiredString(*image, path + ".", "url");
    const Json* detail = problems_.String(*image, path + ".", "detail");
    constexpr std::string_view kDetails[] = {"low", "high", "original", "auto"};
    if (detail != nullptr && !Contains(kDetails, detail->text)) {
      problems_.Add(path + ".detail", "is none that the service knows",
                    "say low, high, original or auto");
    }
  }

  void JudgeAnswer(const Json& message) {
    const Json* calls = FindGiven(message, "tool_calls");
    const bool has_content = FindGiven(message, "content") != nullptr;
    if (has_content) JudgeContent(message);
    if (!has_content && calls == nullptr) {
      problems_.Add(path_ + "content", "an answer needs content or tool_calls",
                    "give \"\", or leave the message out");
    }
    problems_.String(message, path_, "reasoning_content");
    const Json* prefix = problems_.Bool(message, path_, "prefix");
    if (prefix != nullptr && prefix->boolean) {
      facts_.ends_in_prefix = index_ + 1 == messages_.items.size();
      if (!facts_.ends_in_prefix) {
        problems_.Add(path_ + "prefix", "only the last message can be continued",
                      "leave it out here");
      }
    }
    if (calls != nullptr) JudgeCalls(*calls);
  }

  void JudgeCalls(const Json& calls) {
    const std::string path = path_ + "tool_calls";
    if (!calls.IsArray()) return problems_.AddKind(path, "a list", calls);
    if (calls.items.empty()) {
      problems_.Add(path, "must not be empty", "leave it out when there are no calls");
    }
    for (size_t i = 0; i < calls.items.size(); ++i) {
      const std::string* id = JudgeCall(calls.items[i], ItemPath(path, i));
      if (id == nullptr) continue;
      if (!pending_.insert(*id).second) {
        problems_.Add(ItemPath(path, i) + ".id",
                      "another call of this turn has the id " + Quoted(*id),
                      "give each call an id of its own, and its result the same");
      }
    }
    calls_path_ = path;
    facts_.has_calls = facts_.has_calls || !calls.items.empty();
  }

  // Since the last question every turn must bring the reasoning that it came with, where there are
  // tools or calls; a call that was made without has its sign.
  void JudgeReasoning() {
    const std::vector<Json>& messages = messages_.items;
    for (size_t i = messages.size(); i-- > 0;) {
      const Json& message = messages[i];
      if (IsText(message.Find("role"), "user")) return;
      if (!IsText(message.Find("role"), "assistant")) continue;
      const Json* calls = FindGiven(message, "tool_calls");
      const bool has_calls = calls != nullptr && !calls->items.empty();
      if (FindGiven(message, "reasoning_content") != nullptr) continue;
      if (!has_calls && !scope_.has_tools) continue;
      if (has_calls &&
          std::any_of(calls->items.begin(), calls->items.end(), HasEmptyThinkingSign)) {
        continue;
      }
      problems_.Add(ItemPath("messages", i) + ".reasoning_content",
                    "is needed while thinking, where there are tools or calls",
                    "give back what came with the turn, if only \"\", or turn thinking off");
    }
  }

  const std::string* JudgeCall(const Json& call, const std::string& path) {
    if (!call.IsObject()) {
      problems_.AddKind(path, "an object", call);
      return nullptr;
    }
    const Json* id = problems_.RequiredString(call, path + ".", "id");
    const Json* function =
        problems_.Function(call, path, "calls", "give {\"name\", \"arguments\"}");
    if (function != nullptr) {
      problems_.RequiredString(*function, path + ".function.", "name");
      problems_.RequiredString(*function, path + ".function.", "arguments");
    }
    return id == nullptr ? nullptr : &id->text;
  }

  void JudgeResult(const Json& message) {
    facts_.has_calls = true;
    const Json* id = problems_.RequiredString(message, path_, "tool_call_id");
    if (id == nullptr) return;
    if (pending_.erase(id->text) != 0) return;
    problems_.Add(path_ + "tool_call_id",
                  "no call right before this result has the id " + Quoted(id->text) +
                      ", or it has its result already",
                  "put each result behind the turn that called, once");
  }

  // Results come right behind their calls: whatever else stands here ends them.
  void EndResults() {
    if (!pending_.empty()) {
      problems_.Add(
          calls_path_, "the call " + Quoted(*pending_.begin()) + " has no result right behind it",
          "put a tool message for each call right behind the turn, or leave the calls out");
    }
    pending_.clear();
  }

  const Json& messages_;
  const ConversationScope scope_;
  ProblemList& problems_;
  ConversationFacts facts_;
  size_t index_ = 0;
  std::string path_;               // of the message, with a dot behind it
  std::set<std::string> pending_;  // ids of calls without a result so far
  std::string calls_path_;         // where those calls stand
};

}  // namespace

ConversationFacts FindMessageProblems(const Json& messages, ConversationScope scope,
                                      ProblemList* problems) {
  return Conversation(messages, scope, problems).Judge();
}

}  // namespace finback
