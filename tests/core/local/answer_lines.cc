// For the comparison with DeepSeek's official converter: reads one answer per line, as JSON, and
// answers in one line of JSON what a stream of this process tells of it.
//   {"pieces": [...], "thinking": true, "goes_on": false, "tools": [...], "stop": [...],
//    "finish": "stop|length"}
//     -> {"reasoning": ..., "content": ..., "finish": ..., "over": ..., "notices": [...],
//         "calls": [{"id": ..., "name": ..., "told": ..., "arguments": ... or null}]}
// `over`: the answer ended by itself. `told` is what came in pieces, `arguments` what the end of
// the call says.
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "core/json/json_writer.h"
#include "core/local/answer_reader.h"

namespace {

using finback::Event;
using finback::EventKind;
using finback::Json;

struct Call {
  std::string id, name, told;
  std::optional<std::string> arguments;
};

struct Told {
  std::string reasoning, content, finish;
  std::vector<std::string> notices;
  std::vector<Call> calls;
  bool over = false;

  void Add(const Event& event) {
    switch (event.kind) {
      case EventKind::kReasoning:
        reasoning += event.text;
        break;
      case EventKind::kContent:
        if (event.ends_reasoning) {
          reasoning += content;
          content.clear();
        } else {
          content += event.text;
        }
        break;
      case EventKind::kToolCall:
        calls.push_back({event.tool_id, event.tool_name, "", {}});
        break;
      case EventKind::kToolArguments:
        calls.back().told += event.text;
        break;
      case EventKind::kToolCallEnd:
        calls.back().arguments = event.text;
        break;
      case EventKind::kNotice:
        notices.push_back(finback::ParseJson(event.text, "notice").Find("code")->text);
        break;
      default:
        break;
    }
  }

  std::string AsJson() const {
    std::string out;
    finback::JsonWriter json(&out);
    json.BeginObject().Key("reasoning").String(reasoning).Key("content").String(content);
    json.Key("finish").String(finish).Key("over").Bool(over).Key("notices").BeginList();
    for (const std::string& notice : notices) json.String(notice);
    json.EndList().Key("calls").BeginList();
    for (const Call& call : calls) {
      json.BeginObject().Key("id").String(call.id).Key("name").String(call.name);
      json.Key("told").String(call.told).Key("arguments");
      call.arguments.has_value() ? json.String(*call.arguments) : json.Null();
      json.EndObject();
    }
    json.EndList().EndObject();
    return out;
  }
};

// As a stream of this process does, token for token.
Told Read(const Json& line) {
  finback::AnswerReading reading;
  reading.parsing = line.Find("thinking")->boolean ? finback::ThinkingMode::kThinking
                                                   : finback::ThinkingMode::kChat;
  reading.goes_on = line.Find("goes_on")->boolean;
  reading.tools = line.Find("tools")->items;
  for (const Json& stop : line.Find("stop")->items) reading.stop.push_back(stop.text);
  finback::EventQueue queue(4);
  finback::AnswerReader reader(std::move(reading), 1, &queue);
  Told told;
  const auto take = [&] {
    Event event;
    while (!queue.empty()) {
      queue.Pop(&event);
      told.Add(event);
    }
  };
  const bool cut = line.Find("finish")->text == "length";
  finback::FinishReason reason =
      cut ? finback::FinishReason::kLength : finback::FinishReason::kStop;
  for (const Json& piece : line.Find("pieces")->items) {
    reader.Push(piece.text);
    take();
    if (!reader.over()) continue;
    reason = finback::FinishReason::kStop;
    told.over = true;
    break;
  }
  told.finish = finback::FinishReasonName(reader.Finish("", reason));
  take();
  return told;
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    puts(Read(finback::ParseJson(line, "line")).AsJson().c_str());
    fflush(stdout);
  }
  return 0;
}
