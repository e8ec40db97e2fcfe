#include "core/remote/record/recorder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/json/json.h"
#include "core/remote/record/replay.h"

namespace finback {
namespace {

constexpr char kKey[] = "very-secret-key-0123456789";

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    char name[] = "/tmp/finback_recorder_XXXXXX";
    base_ = mkdtemp(name);
    folder_ = base_ + "/a/record";
  }
  ~RecorderTest() override { std::filesystem::remove_all(base_); }

  static std::string Text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  static void Put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  // All that was written, in one text.
  std::string Everything() const {
    std::string all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(base_)) {
      if (entry.is_regular_file()) all += Text(entry.path().string());
    }
    return all;
  }

  std::string base_, folder_;
};

HttpRequest Chat(const std::string& body) {
  HttpRequest request;
  request.url = "https://api.example.org/v1/chat/completions";
  request.headers = {"Content-Type: application/json",
                     std::string("Authorization: Bearer ") + kKey};
  request.body = body;
  return request;
}

Event Content(const std::string& text) {
  Event event;
  event.kind = EventKind::kContent;
  event.text = text;
  return event;
}

std::string ReadAll(HttpTransfer* transfer) {
  std::string bytes;
  while (transfer->Read(&bytes)) {
  }
  return bytes;
}

// The message of the error that `run` must throw.
template <typename Run>
std::string ErrorOf(Code code, Run run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

const std::string kBody = R"({"model": "m", "messages": [{"role": "user", "content": "hi"}]})";
const std::string kSse = "data: {\"a\": 1}\r\n\r\n: comment\n\ndata: [DONE]";

void RecordOne(Recorder* recorder, const std::string& body, const std::string& sse) {
  auto recording = recorder->Start(Chat(body));
  recording->Response(200, {{"content-type", "text/event-stream"}});
  recording->Bytes(sse);
}

TEST_F(RecorderTest, WritesTheExchangeAsFiles) {
  {
    Recorder recorder(folder_, {kKey});
    auto recording = recorder.Start(Chat(kBody));
    EXPECT_EQ(recording->folder(), folder_);
    recording->Response(200, {{"content-type", "text/event-stream"}, {"x-request-id", "r1"}});
    recording->Bytes(kSse);
    recording->Add(Content("a"));
    recording->Add(Content("b"));
  }
  EXPECT_EQ(Text(folder_ + "/request.json"),
            "{\"method\": \"POST\", \"url\": \"https://api.example.org/v1/chat/completions\", "
            "\"headers\": [\"Content-Type: application/json\", \"Authorization: [redacted]\"],\n"
            "\"body\": " +
                kBody + "\n}\n");
  EXPECT_EQ(ParseJson(Text(folder_ + "/request.json"), "test").members.size(), 4u);
  EXPECT_EQ(Text(folder_ + "/response.json"),
            "{\"status\": 200, \"headers\": [\"content-type: text/event-stream\", "
            "\"x-request-id: r1\"]}\n");
  EXPECT_EQ(Text(folder_ + "/response.sse"), kSse);
  EXPECT_EQ(Text(folder_ + "/events.jsonl"),
            "{\"kind\": \"content\", \"text\": \"a\"}\n{\"kind\": \"content\", \"text\": \"b\"}\n");
}

TEST_F(RecorderTest, LetsOnlyTheOwnerRead) {
  Recorder recorder(folder_);
  RecordOne(&recorder, kBody, kSse);
  for (const char* name : {"/request.json", "/response.json", "/response.sse"}) {
    struct stat info;
    ASSERT_EQ(stat((folder_ + name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777u, 0600u) << name;
  }
}

TEST_F(RecorderTest, NumbersLaterExchangesOfAFolder) {
  {
    Recorder recorder(folder_);
    RecordOne(&recorder, "{\"n\": 1}", "1");
    RecordOne(&recorder, "{\"n\": 2}", "2");
  }
  Recorder again(folder_);
  RecordOne(&again, "{\"n\": 3}", "3");
  EXPECT_EQ(Text(folder_ + "/response.sse"), "1");
  EXPECT_EQ(Text(folder_ + "/2/response.sse"), "2");
  EXPECT_EQ(Text(folder_ + "/3/response.sse"), "3");
}

TEST_F(RecorderTest, GivesEveryThreadAPlaceOfItsOwn) {
  Recorder recorder(folder_);
  Recorder other(folder_);
  std::vector<std::vector<std::string>> places(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < places.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) {
        places[i].push_back((i % 2 == 0 ? recorder : other).Start(Chat("{}"))->folder());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> distinct;
  for (const auto& list : places) distinct.insert(list.begin(), list.end());
  EXPECT_EQ(distinct.size(), 100u);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/100/request.json"));
}

TEST_F(RecorderTest, WritesNoKeyAnywhere) {
  Recorder recorder(folder_, {kKey});
  HttpRequest request = Chat(std::string(R"({"note": ")") + kKey + R"("})");
  request.url =
      std::string("https://user:") + kKey + "@api.example.org/v1?key=abc123&x=1&api_key=" + kKey;
  request.headers = {std::string("x-api-key: ") + kKey, "Cookie: session=abc123",
                     std::string("X-Other: ") + kKey, "api-key: abc123",
                     "Proxy-Authorization: Basic abc123"};
  auto recording = recorder.Start(request);
  recording->Response(401, {{"set-cookie", "id=abc123"}, {"x-echo", kKey}});
  recording->Bytes(std::string("data: ") + kKey + "\n\n");
  recording->Add(Content(kKey));
  recording->Failed(Error(Code::kService, std::string("bad key ") + kKey,
                          std::string(R"({"body": ")") + kKey + R"("})"));
  recording.reset();
  const std::string all = Everything();
  EXPECT_EQ(all.find(kKey), std::string::npos) << all;
  EXPECT_EQ(all.find("abc123"), std::string::npos) << all;
  EXPECT_NE(all.find("https://api.example.org/v1?key=[redacted]&x=1&api_key=[redacted]"),
            std::string::npos)
      << all;
  EXPECT_EQ(ParseJson(Text(folder_ + "/error.json"), "test").Find("code")->Integer(0), -15);
}

TEST_F(RecorderTest, WritesNoKeyThatAChunkBoundaryCuts) {
  const std::string sse = std::string("data: \"") + kKey + "\"\n\ndata: " + kKey;
  std::string expected;
  for (size_t cut = 0; cut <= sse.size(); ++cut) {
    const std::string folder = base_ + "/" + std::to_string(cut);
    Recorder recorder(folder, {kKey});
    auto recording = recorder.Start(Chat(kBody));
    recording->Response(200, {});
    recording->Bytes(sse.substr(0, cut));
    EXPECT_EQ(Text(folder + "/response.sse").find("very"), std::string::npos);
    recording->Bytes(sse.substr(cut));
    recording.reset();
    EXPECT_EQ(Text(folder + "/response.sse"), "data: \"[redacted]\"\n\ndata: [redacted]") << cut;
  }
}

TEST_F(RecorderTest, LeavesWholeLinesWhenItIsCutOff) {
  Recorder recorder(folder_);
  auto recording = recorder.Start(Chat(kBody));
  recording->Response(200, {});
  recording->Bytes("data: 1\n\ndata: 2");
  recording->Add(Content("a"));
  // As if the process ended here: nothing was closed.
  EXPECT_EQ(Text(folder_ + "/response.sse"), "data: 1\n\n");
  ASSERT_EQ(ReadEvents(folder_).size(), 1u);
  auto client = OpenReplay(folder_, 0);
  auto transfer = client->Start(Chat(kBody));
  EXPECT_EQ(transfer->Status(), 200);
  EXPECT_EQ(ReadAll(transfer.get()), "data: 1\n\n");
}

TEST_F(RecorderTest, ReadsEventsUpToAnUnfinishedLine) {
  Put(folder_ + "/events.jsonl",
      "{\"kind\": \"content\", \"text\": \"a\"}\n\n{\"kind\": \"content\", \"te");
  const std::vector<Event> events = ReadEvents(folder_);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].text, "a");
  EXPECT_TRUE(ReadEvents(base_ + "/none").empty());
}

TEST_F(RecorderTest, NamesTheFileThatCannotBeWritten) {
  Put(base_ + "/file", "");
  Recorder recorder(base_ + "/file/record");
  const std::string error = ErrorOf(Code::kIo, [&] { recorder.Start(Chat(kBody)); });
  EXPECT_NE(error.find(base_ + "/file/record"), std::string::npos) << error;
}

TEST_F(RecorderTest, ReplaysTheSameBytesInChunksOfAnySize) {
  Recorder recorder(folder_, {kKey});
  RecordOne(&recorder, kBody, kSse);
  for (size_t chunk = 0; chunk <= kSse.size() + 1; ++chunk) {
    auto client = OpenReplay(folder_, chunk, {kKey});
    auto transfer = client->Start(Chat(kBody));
    EXPECT_EQ(transfer->Status(), 200);
    EXPECT_EQ(transfer->headers(), (HeaderList{{"content-type", "text/event-stream"}}));
    std::string bytes;
    size_t reads = 0;
    for (std::string piece; transfer->Read(&piece); piece.clear(), ++reads) {
      EXPECT_FALSE(piece.empty());
      if (chunk > 0) {
        EXPECT_LE(piece.size(), chunk);
      }
      bytes += piece;
    }
    EXPECT_EQ(bytes, kSse);
    EXPECT_EQ(reads, chunk == 0 ? 1 : (kSse.size() + chunk - 1) / chunk);
    std::string more;
    EXPECT_FALSE(transfer->Read(&more));
  }
}

TEST_F(RecorderTest, ReplayTakesExchangesByRequestThenByOrder) {
  Recorder recorder(folder_);
  RecordOne(&recorder, "{\"n\": 1}", "1");
  RecordOne(&recorder, "{\"n\": 2}", "2");
  RecordOne(&recorder, "{\"n\": 2}", "2 again");
  auto client = OpenReplay(folder_, 0);
  EXPECT_EQ(ReadAll(client->Start(Chat("{\"n\": 2}")).get()), "2");
  EXPECT_EQ(ReadAll(client->Start(Chat("{\"n\": 1}")).get()), "1");
  EXPECT_EQ(ReadAll(client->Start(Chat("{\"n\": 2}")).get()), "2 again");
  const std::string error = ErrorOf(Code::kNotFound, [&] { client->Start(Chat("{\"n\": 1}")); });
  EXPECT_EQ(error, folder_ + ": all 3 recorded exchanges are used up");
}

TEST_F(RecorderTest, ReplayNamesTheFirstByteThatDiffers) {
  Recorder recorder(folder_);
  RecordOne(&recorder, kBody, kSse);
  auto client = OpenReplay(folder_, 0);
  for (size_t at = 0; at < kBody.size(); ++at) {
    std::string body = kBody;
    body[at] = body[at] == 'x' ? 'y' : 'x';
    // What is no JSON is recorded as a string, and differs from its first byte on.
    size_t expected = at;
    try {
      ParseJson(body, "test");
    } catch (const Error&) {
      expected = 0;
    }
    const std::string error = ErrorOf(Code::kInvalidArgument, [&] { client->Start(Chat(body)); });
    EXPECT_NE(error.find("the body differs at byte " + std::to_string(expected) + ": "),
              std::string::npos)
        << error;
    EXPECT_TRUE(error.starts_with(folder_ + "/request.json: ")) << error;
  }
  const std::string shorter = ErrorOf(Code::kInvalidArgument, [&] { client->Start(Chat("{}")); });
  EXPECT_NE(shorter.find("differs at byte 1: recorded \"{\\\"model\\\": "), std::string::npos)
      << shorter;
  EXPECT_NE(shorter.find("now \"{}\""), std::string::npos) << shorter;
}

TEST_F(RecorderTest, ReplayComparesMethodAndPathButNotTheHost) {
  Recorder recorder(folder_);
  RecordOne(&recorder, kBody, kSse);
  auto client = OpenReplay(folder_, 0);
  HttpRequest request = Chat(kBody);
  request.method = "GET";
  EXPECT_NE(ErrorOf(Code::kInvalidArgument, [&] { client->Start(request); })
                .find("method POST was recorded, not GET"),
            std::string::npos);
  request = Chat(kBody);
  request.url = "https://api.example.org/v1/responses";
  EXPECT_NE(ErrorOf(Code::kInvalidArgument, [&] { client->Start(request); })
                .find("path /v1/chat/completions was recorded, not /v1/responses"),
            std::string::npos);
  request.url = "http://127.0.0.1:80/v1/chat/completions?x=1";
  EXPECT_EQ(ReadAll(client->Start(request).get()), kSse);
}

TEST_F(RecorderTest, ReplaysBodiesThatAreNoJsonOrNone) {
  Recorder recorder(folder_);
  HttpRequest models = Chat("");
  models.method = "GET";
  recorder.Start(models)->Bytes("[1]");
  recorder.Start(Chat("--boundary\r\n\xFF\"body\": \n"))->Bytes("[2]");
  // A body that looks like the file around it.
  recorder.Start(Chat("{\"a\":\n\"body\": {}\n}\n"))->Bytes("[3]");
  recorder.Start(Chat("{\n\"body\": 1\n}"))->Bytes("[4]");
  const std::string deep = std::string(128, '[') + std::string(128, ']');
  recorder.Start(Chat(deep))->Bytes("[5]");
  auto client = OpenReplay(folder_, 0);
  EXPECT_EQ(ReadAll(client->Start(Chat(deep)).get()), "[5]");
  EXPECT_EQ(ReadAll(client->Start(Chat("{\n\"body\": 1\n}")).get()), "[4]");
  EXPECT_EQ(ReadAll(client->Start(Chat("{\"a\":\n\"body\": {}\n}\n")).get()), "[3]");
  EXPECT_EQ(ReadAll(client->Start(Chat("--boundary\r\n\xFF\"body\": \n")).get()), "[2]");
  EXPECT_EQ(ReadAll(client->Start(models).get()), "[1]");
}

TEST_F(RecorderTest, ReplaysHowATransferFailed) {
  Recorder recorder(folder_);
  {
    auto cut = recorder.Start(Chat("{\"n\": 1}"));
    cut->Response(200, {});
    cut->Bytes("data: 1\n");
    cut->Failed(Error(Code::kTimeout, "idle", R"({"kind": "timeout"})"));
  }
  recorder.Start(Chat("{\"n\": 2}"))->Failed(Error(Code::kService, "refused"));
  auto client = OpenReplay(folder_, 3);
  auto cut = client->Start(Chat("{\"n\": 1}"));
  EXPECT_EQ(cut->Status(), 200);
  std::string bytes;
  const std::string error = ErrorOf(Code::kTimeout, [&] {
    while (cut->Read(&bytes)) {
    }
  });
  EXPECT_EQ(error, "idle");
  EXPECT_EQ(bytes, "data: 1\n");
  auto refused = client->Start(Chat("{\"n\": 2}"));
  EXPECT_EQ(ErrorOf(Code::kService, [&] { refused->Status(); }), "refused");
}

TEST_F(RecorderTest, ReplaySaysWhenTheRecordHasNoResponse) {
  Recorder recorder(folder_);
  recorder.Start(Chat(kBody));
  auto transfer = OpenReplay(folder_, 0)->Start(Chat(kBody));
  EXPECT_EQ(ErrorOf(Code::kIo, [&] { transfer->Status(); }),
            folder_ + ": the record ends before the response");
}

TEST_F(RecorderTest, ReplayIsCancelledFromAnywhere) {
  Recorder recorder(folder_);
  RecordOne(&recorder, kBody, kSse);
  auto transfer = OpenReplay(folder_, 1)->Start(Chat(kBody));
  std::string bytes;
  EXPECT_TRUE(transfer->Read(&bytes));
  std::thread([&] { transfer->Cancel(); }).join();
  ErrorOf(Code::kCancelled, [&] { transfer->Read(&bytes); });
  EXPECT_EQ(bytes.size(), 1u);
}

TEST_F(RecorderTest, ReplaysFoldersMadeByHand) {
  Put(folder_ + "/response.sse", "data: 1\n\n");
  EXPECT_EQ(OpenReplay(folder_, 0)->Start(Chat("{}"))->Status(), 200);
  // Formatted at will; the order of members counts, white space does not.
  Put(folder_ + "/request.json", "{\n  \"body\": {\n    \"a\": 1,\n    \"b\": [ ]\n  }\n}\n");
  auto client = OpenReplay(folder_, 0);
  EXPECT_NE(ErrorOf(Code::kInvalidArgument, [&] { client->Start(Chat("{\"b\":[],\"a\":1}")); })
                .find("differs at byte 2"),
            std::string::npos);
  EXPECT_EQ(ReadAll(client->Start(Chat("{\"a\":1,\"b\":[]}")).get()), "data: 1\n\n");
}

TEST_F(RecorderTest, ReplayNamesWhatIsWrongWithItsFiles) {
  ErrorOf(Code::kNotFound, [&] { OpenReplay(folder_, 0); });
  Put(folder_ + "/request.json", "{");
  EXPECT_TRUE(ErrorOf(Code::kInvalidArgument, [&] {
                OpenReplay(folder_, 0);
              }).starts_with(folder_ + "/request.json: "));
  Put(folder_ + "/request.json", "{}");
  Put(folder_ + "/response.sse", "");
  Put(folder_ + "/response.json", "{\"status\": 7}");
  auto transfer = OpenReplay(folder_, 0)->Start(Chat(""));
  try {
    transfer->Status();
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with(folder_ + "/response.json.status: "))
        << error.what();
  }
}

}  // namespace
}  // namespace finback
