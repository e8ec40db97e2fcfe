#include "core/service_rules/tool_problems.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/service_rules/schema_check.h"
#include "core/service_rules/strict_schema.h"

namespace finback {
namespace {

constexpr size_t kLongestToolName = 128;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

class ToolJudge {
 public:
  ToolJudge(const Json& request, bool thinking, const ConversationFacts& conversation,
            ProblemList* problems)
      : request_(request), thinking_(thinking), conversation_(conversation), problems_(*problems) {}

  void Judge() {
    const Json* tools = FindGiven(request_, "tools");
    if (tools != nullptr && !tools->IsArray()) {
      problems_.AddKind("tools", "a list", *tools);
      tools = nullptr;
    }
    if (tools != nullptr) tools_ = &tools->items;
    JudgeChoice(FindGiven(request_, "tool_choice"));
    for (size_t i = 0; i < tools_->size(); ++i) JudgeTool((*tools_)[i], ItemPath("tools", i));
    const bool mixed = strict_ > 0 && strict_ < shown_;
    if (mixed) {
      problems_.Add("tools", "some are strict and some are not",
                    "make all of them strict, or none");
    }
    if (conversation_.ends_in_prefix && (!tools_->empty() || conversation_.has_calls)) {
      problems_.Add(tools_->empty() ? "messages" : "tools",
                    "an answer is not continued where there are tools or calls",
                    "leave out prefix, or the tools and calls");
    }
    JudgeFormat(FindGiven(request_, "response_format"));
  }

 private:
  void JudgeChoice(const Json* choice) {
    if (choice == nullptr) return;
    const char* kFix =
        "say none, auto, required or {\"type\": \"function\", \"function\": {\"name\"}}";
    if (choice->IsString()) {
      hidden_ = choice->text == "none";
      const bool forced = choice->text == "required";
      if (forced) JudgeForced();
      if (!hidden_ && !forced && choice->text != "auto") {
        problems_.Add("tool_choice", "is none that the service knows", kFix);
      }
      return;
    }
    const Json* function = FindGiven(*choice, "function");
    const Json* name = function == nullptr ? nullptr : function->Find("name");
    if (!IsText(choice->Find("type"), "function") || name == nullptr || !name->IsString()) {
      problems_.Add("tool_choice", "names no function", kFix);
      return;
    }
    named_ = &name->text;
    JudgeForced();
    const auto is_named = [&](const Json& tool) {
      const Json* here = tool.Find("function");
      return here != nullptr && IsText(here->Find("name"), *named_);
    };
    if (!tools_->empty() && std::none_of(tools_->begin(), tools_->end(), is_named)) {
      problems_.Add("tool_choice.function.name", "no tool is called " + Quoted(*named_),
                    "name one of the tools");
    }
  }

  void JudgeForced() {
    if (!thinking_ || tools_->empty()) return;
    problems_.Add("tool_choice", "no tool can be forced while thinking",
                  "turn thinking off, or say auto");
  }

  void JudgeTool(const Json& tool, const std::string& path) {
    if (!tool.IsObject()) return problems_.AddKind(path, "an object", tool);
    const Json* function =
        problems_.Function(tool, path, "tools", "give {\"name\", \"description\", \"parameters\"}");
    if (function == nullptr) return;
    const std::string here = path + ".function.";
    const Json* name = problems_.RequiredString(*function, here, "name");
    if (name != nullptr) JudgeName(name->text, here + "name");
    problems_.String(*function, here, "description");
    const Json* strict = problems_.Bool(*function, here, "strict");
    const bool is_strict = strict != nullptr && strict->boolean;
    const bool is_shown =
        !hidden_ && (named_ == nullptr || (name != nullptr && name->text == *named_));
    if (is_shown) ++shown_;
    if (is_shown && is_strict) ++strict_;
    if (hidden_) return;
    if (const Json* parameters = FindGiven(*function, "parameters")) {
      JudgeParameters(*parameters, is_strict, here + "parameters");
    }
  }

  void JudgeName(const std::string& name, const std::string& path) {
    if (name.empty() || name.size() > kLongestToolName ||
        !std::all_of(name.begin(), name.end(), IsNameCharacter)) {
      problems_.Add(path,
                    Format("must have 1 to %zu letters, digits, \"_\" and \"-\"", kLongestToolName),
                    "give another name");
    } else if (!hidden_ && !names_.insert(name).second) {
      problems_.Add(path, Quoted(name) + " is defined twice", "give each tool a name of its own");
    }
  }

  void JudgeParameters(const Json& parameters, bool is_strict, const std::string& path) {
    if (is_strict) {
      FindStrictProblem(parameters, path, &problems_);
    } else if (!IsText(parameters.Find("type"), "object")) {
      problems_.Add(path + ".type", "the parameters must be of type \"object\"",
                    "say \"type\": \"object\"");
    } else {
      FindSchemaProblem(parameters, path, &problems_);
    }
  }

  void JudgeFormat(const Json* format) {
    if (format == nullptr) return;
    if (strict_ > 0) {
      problems_.Add("response_format", "does not go together with strict tools",
                    "leave out one of them");
    }
    const std::string path = "response_format.";
    if (!format->IsObject()) return problems_.AddKind("response_format", "an object", *format);
    const Json* type = problems_.RequiredString(*format, path, "type");
    if (type == nullptr || type->text == "text") return;
    if (type->text == "json_object") {
      JudgeJsonObject();
    } else if (type->text == "json_schema") {
      JudgeJsonSchema(format->Find("json_schema"), path + "json_schema");
    } else if (type->text == "regex") {
      problems_.RequiredString(*format, path, "regex");
    } else {
      problems_.Add(path + "type", "the service knows no format " + Quoted(type->text),
                    "say text, json_object, json_schema or regex");
    }
  }

  void JudgeJsonObject() {
    if (conversation_.ends_in_prefix) {
      problems_.Add("response_format.type", "json_object does not go together with prefix",
                    "leave out one of them");
    }
    if (!conversation_.says_json) {
      problems_.Add("response_format.type", "json_object needs the word \"json\" in some message",
                    "ask for JSON in the system or user text");
    }
  }

  void JudgeJsonSchema(const Json* wrapper, const std::string& path) {
    if (wrapper == nullptr || !wrapper->IsObject() || wrapper->Find("schema") == nullptr) {
      problems_.Add(path, "has no schema", "give {\"name\", \"schema\"}");
      return;
    }
    problems_.String(*wrapper, path + ".", "name");
    problems_.Bool(*wrapper, path + ".", "strict");
    FindSchemaProblem(*wrapper->Find("schema"), path + ".schema", &problems_);
  }

  const Json& request_;
  const bool thinking_;
  const ConversationFacts& conversation_;
  ProblemList& problems_;
  const std::vector<Json> none_;
  const std::vector<Json>* tools_ = &none_;
  bool hidden_ = false;                 // tool_choice none: the tools are not looked at
  const std::string* named_ = nullptr;  // by tool_choice: the others are hidden
  std::set<std::string> names_;
  size_t shown_ = 0, strict_ = 0;
};

}  // namespace

void FindToolProblems(const Json& request, bool thinking, const ConversationFacts& conversation,
                      ProblemList* problems) {
  ToolJudge(request, thinking, conversation, problems).Judge();
}

}  // namespace finback
