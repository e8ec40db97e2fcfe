// Conversations written as JSON, with names for the markers that ASCII sources cannot spell.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/chat/chat_encoding.h"
#include "core/chat/messages.h"
#include "core/json/json.h"

namespace finback {

// `{BOS}`, `{EOS}`, `{U}`, `{A}`, `{R}`, `{D}` and `{task}` of the six tasks -> the marker's text.
inline std::string Wire(std::string text) {
  const std::pair<const char*, const char*> kNames[] = {
      {"{BOS}", "<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>"},
      {"{EOS}", "<\uFF5Cend\u2581of\u2581sentence\uFF5C>"},
      {"{U}", "<\uFF5CUser\uFF5C>"},
      {"{A}", "<\uFF5CAssistant\uFF5C>"},
      {"{R}", "<\uFF5Clatest_reminder\uFF5C>"},
      {"{D}", "\uFF5CDSML\uFF5C"},
      {"{action}", "<\uFF5Caction\uFF5C>"},
      {"{query}", "<\uFF5Cquery\uFF5C>"},
      {"{authority}", "<\uFF5Cauthority\uFF5C>"},
      {"{domain}", "<\uFF5Cdomain\uFF5C>"},
      {"{title}", "<\uFF5Ctitle\uFF5C>"},
      {"{read_url}", "<\uFF5Cread_url\uFF5C>"}};
  for (const auto& [name, marker] : kNames) {
    for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at)) {
      text.replace(at, std::string(name).size(), marker);
    }
  }
  return text;
}

inline std::vector<PromptMessage> Conversation(const std::string& json,
                                               const std::string& path = "messages") {
  return ParsePromptMessages(ParseJson(Wire(json), "conversation"), path);
}

inline std::string ReadGolden(const std::string& name) {
  std::ifstream file(std::string(FINBACK_SOURCE_DIR) + "/tests/golden/encoding/" + name,
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace finback
