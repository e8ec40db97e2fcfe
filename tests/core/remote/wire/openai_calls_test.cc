// Tool calls in Chat Completions, in the pieces that services make of them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/json/json_writer.h"
#include "tests/core/remote/wire/wire_fixture.h"

namespace finback {
namespace {

constexpr const char* kFlash = "deepseek:deepseek-flash";

// A fragment; what is "" is left out, an index of -1 too.
struct Piece {
  std::string name = "", arguments = "", id = "";
  int index = 0;
};

std::string Quoted(const std::string& text) {
  std::string quoted;
  AppendJsonString(text, &quoted);
  return quoted;
}

std::string Delta(const std::string& delta) {
  return "{\"choices\": [{\"index\": 0, \"delta\": {" + delta + "}}]}";
}

std::string CallDelta(const Piece& piece) {
  std::string function;
  if (!piece.name.empty()) function = "\"name\": " + Quoted(piece.name);
  if (!piece.arguments.empty()) {
    function += std::string(function.empty() ? "" : ", ") + "\"arguments\": ";
    function += Quoted(piece.arguments);
  }
  std::string call = "\"function\": {" + function + "}";
  if (!piece.id.empty()) call += ", \"id\": " + Quoted(piece.id);
  if (piece.index >= 0) call += Format(", \"index\": %d", piece.index);
  return Delta("\"tool_calls\": [{" + call + "}]");
}

std::string HearData(const std::vector<std::string>& data, const char* fields = kTools) {
  const auto decoder = Decoder(Ask(kFlash, fields));
  std::vector<Event> events;
  for (const std::string& chunk : data) decoder->Push("", chunk, &events);
  decoder->Push("", R"({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})",
                &events);
  decoder->End(&events);
  return Words(events);
}

std::string HearPieces(const std::vector<Piece>& pieces) {
  std::vector<std::string> data;
  for (const Piece& piece : pieces) data.push_back(CallDelta(piece));
  return HearData(data);
}

const std::string kOslo = "{\"city\":\"Oslo\"}", kRome = "{\"city\":\"Rome\"}";

// One call of get_weather in Oslo, whatever notices there are.
void ExpectOslo(const std::vector<Piece>& pieces, const char* what) {
  const std::string words = HearPieces(pieces);
  EXPECT_NE(words.find("call 0 a get_weather\n"), std::string::npos) << what << ": " << words;
  EXPECT_NE(words.find("end 0 " + kOslo + "\n"), std::string::npos) << what << ": " << words;
  EXPECT_EQ(words.find("call 1"), std::string::npos) << what << ": " << words;
  EXPECT_EQ(words.find("tool_unknown"), std::string::npos) << what << ": " << words;
}

TEST(OpenAiCalls, JoinNamesThatComeInPieces) {
  const std::string half = "{\"city\":", rest = "\"Oslo\"}";
  ExpectOslo({{"get_", "", "a"}, {"weather"}, {"", kOslo}}, "two pieces");
  ExpectOslo({{"get", "", "a"}, {"_"}, {"weat"}, {"her"}, {"", half}, {"", rest}}, "four");
  ExpectOslo({{"get_", half, "a"}, {"weather", rest}}, "beside arguments");
  ExpectOslo({{"get_", "", "a"}, {"get_weather"}, {"", kOslo}}, "longer each time");
  ExpectOslo({{"get_weather", "", "a"}, {"get_weather"}, {"get_weather", kOslo}}, "again");
  ExpectOslo({{"get_weather", half, "a"}, {"weather", rest}}, "behind a whole name");
  ExpectOslo({{"get_", "", "a"}, {"weather", "", "b"}, {"", kOslo}}, "other ids");
  ExpectOslo({{"get_", "", "a", -1}, {"weather", "", "", -1}, {"", kOslo, "", -1}}, "no index");
  ExpectOslo({{" get_weather ", kOslo, "a"}}, "blanks");
  ExpectOslo({{"", half, "a"}, {"get_weather", rest}}, "behind the arguments");
}

TEST(OpenAiCalls, SayWhichToolNobodyOffered) {
  for (const char* name : {"get_", "get_rain", "x"}) {
    EXPECT_EQ(HearPieces({{name, kOslo, "a"}}), "call 0 a " + std::string(name) + "\narguments 0 " +
                                                    kOslo + "\nnotice tool_unknown\nend 0 " +
                                                    kOslo + "\nfinish tool_calls\n");
  }
}

TEST(OpenAiCalls, WaitForTheLongerOfTwoNames) {
  constexpr const char* kTwo =
      R"("tools": [{"type": "function", "function": {"name": "get"}},
                   {"type": "function", "function": {"name": "get_all"}}])";
  EXPECT_EQ(HearData({CallDelta({"get", "", "a"}), CallDelta({"_all", "{}"})}, kTwo),
            "call 0 a get_all\narguments 0 {}\nend 0 {}\nfinish tool_calls\n");
  EXPECT_EQ(HearData({CallDelta({"get", "{}", "a"})}, kTwo),
            "call 0 a get\narguments 0 {}\nend 0 {}\nfinish tool_calls\n");
}

TEST(OpenAiCalls, KeepCallsApart) {
  const std::string first = "call 0 a get_weather\narguments 0 " + kOslo + "\n";
  const std::string ends = "end 0 " + kOslo + "\nend 1 " + kRome + "\nfinish tool_calls\n";
  const std::string both = first + "call 1 b get_weather\narguments 1 " + kRome + "\n" + ends;
  EXPECT_EQ(HearPieces({{"get_weather", kOslo, "a"}, {"get_weather", kRome, "b"}}), both);
  EXPECT_EQ(HearPieces({{"get_weather", kOslo, "a", -1}, {"get_weather", kRome, "b", -1}}), both);
  // Without ids too: ours differ.
  for (const int index : {0, -1}) {
    EXPECT_EQ(HearPieces({{"get_weather", kOslo, "a", index}, {"get_weather", kRome, "", index}}),
              first + "call 1 call_0 get_weather\narguments 1 " + kRome + "\n" + ends);
  }
  // By id alone, one piece of each in turn.
  EXPECT_EQ(HearPieces({{"get_weather", "", "a", -1},
                        {"get_time", "", "b", -1},
                        {"", kOslo, "a", -1},
                        {"", "{}", "b", -1}}),
            "call 0 a get_weather\ncall 1 b get_time\narguments 0 " + kOslo +
                "\narguments 1 {}\nend 0 " + kOslo + "\nend 1 {}\nfinish tool_calls\n");
}

TEST(OpenAiCalls, TakeArgumentsThatAreSaidAgain) {
  ExpectOslo({{"get_weather", "{\"city\":", "a"}, {"", kOslo}}, "the whole at last");
  ExpectOslo({{"get_weather", "{", "a"}, {"", "{\"city\""}, {"", kOslo}, {"", kOslo}}, "longer");
  ExpectOslo({{"get_weather", kOslo, "a"}, {"", kOslo}}, "twice");
  ExpectOslo({{"get_weather", kOslo, "a"}, {"get_weather", kOslo}}, "twice with the name");
  ExpectOslo({{"get_weather", "{}", "a"}, {"", "{\"city\":"}, {"", "\"Oslo\"}"}}, "placeholder");
  // What looks like it but is one object stays one.
  EXPECT_NE(HearPieces({{"get_weather", "{\"a\":", "a"}, {"", "{\"a\":1}"}, {"", "}"}})
                .find("end 0 {\"a\":{\"a\":1}}\n"),
            std::string::npos);
}

TEST(OpenAiCalls, KeepTheTextOfWhatIsNoObject) {
  for (const std::string arguments : {"[1, 2]", "\"Oslo\"", "5", "{\"city\": Oslo", "true"}) {
    EXPECT_EQ(HearPieces({{"get_weather", arguments, "a"}}),
              "call 0 a get_weather\narguments 0 " + arguments +
                  "\nnotice arguments_invalid\nend 0 " + arguments + "\nfinish tool_calls\n");
  }
}

TEST(OpenAiCalls, ReadTheFormOfOneCall) {
  EXPECT_EQ(HearData({Delta(R"("function_call": {"name": "get_weather", "arguments": ""})"),
                      Delta("\"function_call\": {\"arguments\": " + Quoted(kOslo) + "}")}),
            "call 0 call_0 get_weather\narguments 0 " + kOslo + "\nend 0 " + kOslo +
                "\nfinish tool_calls\n");
}

}  // namespace
}  // namespace finback
