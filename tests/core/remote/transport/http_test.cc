#include "core/remote/transport/http.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/status.h"
#include "tests/core/remote/transport/fault_server.h"

namespace {

// Looking up kSlowHost lasts until it is told to end.
constexpr char kSlowHost[] = "slow.invalid";
struct SlowLookup {
  std::mutex lock;
  std::condition_variable changed;
  int running = 0;
  bool ends = false;

  int Run() {
    std::unique_lock held(lock);
    ++running;
    changed.notify_all();
    changed.wait(held, [this] { return ends; });
    --running;
    changed.notify_all();
    return EAI_AGAIN;
  }
  void AwaitRunning(int count) {
    std::unique_lock held(lock);
    changed.wait(held, [&] { return running == count; });
  }
  void Set(bool value) {
    const std::lock_guard held(lock);
    ends = value;
    changed.notify_all();
  }
};
SlowLookup& TheSlowLookup() {
  static auto* lookup = new SlowLookup;  // for threads that outlive main
  return *lookup;
}

}  // namespace

// Stands before the C library's for libcurl as well.
extern "C" [[gnu::visibility("default")]] int getaddrinfo(const char* node, const char* service,
                                                          const addrinfo* hints,
                                                          addrinfo** result) {
  if (node && std::string_view(node) == kSlowHost) return TheSlowLookup().Run();
  static const auto next =
      reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return next(node, service, hints, result);
}

namespace finback {
namespace {

using Clock = std::chrono::steady_clock;

int64_t MsSince(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

// Listens, and never accepts: the first connection is made, further ones are not.
class DeafListener {
 public:
  enum class Queue { kOpen, kFull };
  explicit DeafListener(Queue queue) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_, generic, size), 0);
    EXPECT_EQ(listen(listener_, 0), 0);
    EXPECT_EQ(getsockname(listener_, generic, &size), 0);
    port_ = ntohs(address.sin_port);
    for (int i = 0; queue == Queue::kFull && i < 3; ++i) {
      fillers_.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      connect(fillers_.back(), generic, size);
    }
  }
  ~DeafListener() {
    for (const int filler : fillers_) close(filler);
    close(listener_);
  }
  std::string Url(const std::string& scheme) const {
    return scheme + "://127.0.0.1:" + std::to_string(port_);
  }

 private:
  int listener_ = -1, port_ = 0;
  std::vector<int> fillers_;
};

struct Answer {
  int status = 0;
  HeaderList headers;
  std::string body;
  int pieces = 0;
  size_t largest_piece = 0;
};

Answer Finish(HttpTransfer* transfer) {
  Answer answer;
  answer.status = transfer->Status();
  answer.headers = transfer->headers();
  for (size_t before = 0; transfer->Read(&answer.body); before = answer.body.size()) {
    ++answer.pieces;
    answer.largest_piece = std::max(answer.largest_piece, answer.body.size() - before);
  }
  return answer;
}

std::string HeaderOf(const HeaderList& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "(none)";
}

struct Caught {
  Failure failure;
  std::string message, details;
};

Caught Catch(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return {FailureOf(error), error.what(), error.details()};
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

constexpr char kSecret[] = "sk-0123456789abcdef0123456789abcdef";

class HttpTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new FaultServer; }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  HttpTest() {
    HttpSettings settings;
    settings.ignore_environment = true;
    settings.user_agent = "finback-test";
    client_ = HttpClient::Open(settings);
  }

  // A streamed chat completion.
  HttpRequest Chat(const std::string& scenario) const {
    HttpRequest request;
    request.url = server_->Url(scenario) + "/chat/completions";
    request.headers = {std::string("Authorization: Bearer ") + kSecret,
                       "Content-Type: application/json", "Accept: text/event-stream"};
    request.body = R"({"stream":true})";
    return request;
  }
  HttpRequest Chat(const std::string& scenario, const HttpTimeouts& timeouts) const {
    HttpRequest request = Chat(scenario);
    request.timeouts = timeouts;
    return request;
  }
  static HttpRequest At(const std::string& url, const HttpTimeouts& timeouts = {}) {
    HttpRequest request;
    request.url = url;
    request.timeouts = timeouts;
    return request;
  }
  Answer Fetch(HttpRequest request) const {
    return Finish(client_->Start(std::move(request)).get());
  }

  static FaultServer* server_;
  std::unique_ptr<HttpClient> client_;
};
FaultServer* HttpTest::server_ = nullptr;

// --- requests and answers --------------------------------------------------------------------

TEST_F(HttpTest, StatusHeadersAndBodyArrive) {
  HttpRequest request = At(server_->Url("plain~status") + "/models");
  request.method = "GET";
  const Answer answer = Fetch(request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(HeaderOf(answer.headers, "content-type"), "application/json");
  EXPECT_EQ(HeaderOf(answer.headers, "x-request-id"), "req-1");
  EXPECT_EQ(nlohmann::json::parse(answer.body)["data"][0]["id"], "deepseek-flash");
  EXPECT_EQ(server_->Log("plain~status")[0]["method"], "GET");
}

TEST_F(HttpTest, RequestArrivesAsGivenAndWithNothingThatWasNotAskedFor) {
  HttpRequest request = Chat("echo");
  request.headers.insert(request.headers.end(), {"X-Empty:", "x-spaced:  a b "});
  request.body.assign(3 << 20, 'x');  // large enough for libcurl to ask first
  auto echo = nlohmann::json::parse(Fetch(request).body);
  EXPECT_EQ(echo["method"], "POST");
  // Which ones follows libcurl's build; each is decoded.
  EXPECT_EQ(echo["headers"].erase("accept-encoding"), 1u);
  EXPECT_EQ(echo["body"], request.body);
  const auto expected = nlohmann::json{{"host", "127.0.0.1:" + std::to_string(server_->port())},
                                       {"user-agent", "finback-test"},
                                       {"authorization", std::string("Bearer ") + kSecret},
                                       {"content-type", "application/json"},
                                       {"accept", "text/event-stream"},
                                       {"x-empty", ""},
                                       {"x-spaced", "a b"},
                                       {"content-length", std::to_string(request.body.size())}};
  EXPECT_EQ(echo["headers"], expected);
}

TEST_F(HttpTest, MethodsAndTheirBodies) {
  const struct {
    const char *method, *body;
  } rows[] = {{"GET", ""},    {"GET", "x"},    {"POST", ""},
              {"DELETE", ""}, {"DELETE", "x"}, {"PUT", "x"}};
  for (const auto& row : rows) {
    HttpRequest request = At(server_->Url("echo") + "/files");
    request.method = row.method;
    request.body = row.body;
    const auto echo = nlohmann::json::parse(Fetch(request).body);
    EXPECT_EQ(echo["method"], row.method);
    EXPECT_EQ(echo["body"], row.body);
    EXPECT_FALSE(echo["headers"].contains("content-type")) << echo;
    EXPECT_FALSE(echo["headers"].contains("expect"));
  }
  HttpRequest head = At(server_->Url("200-empty") + "/models");
  head.method = "HEAD";
  EXPECT_EQ(Fetch(head).status, 200);
}

TEST_F(HttpTest, StreamComesAsItIsSent) {
  const std::string whole = Fetch(Chat("answer")).body;
  EXPECT_TRUE(whole.ends_with("data: [DONE]\n\n"));
  const Answer slow = Fetch(Chat("answer+slow"));
  EXPECT_EQ(slow.body, whole);
  EXPECT_GT(slow.pieces, 3);
  EXPECT_EQ(Fetch(Chat("answer+split")).body, whole);
  EXPECT_EQ(Fetch(Chat("answer+close")).body, whole);
}

TEST_F(HttpTest, AnswersThatAreNoSuccessAreAnswers) {
  const Answer limited = Fetch(Chat("429-seconds"));
  EXPECT_EQ(limited.status, 429);
  EXPECT_EQ(HeaderOf(limited.headers, "retry-after"), "1");
  EXPECT_NE(limited.body.find("Too many requests"), std::string::npos);
  const Answer empty = Fetch(Chat("200-empty"));
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.body, "");
}

TEST_F(HttpTest, RedirectIsNotFollowed) {
  const Answer answer = Fetch(Chat("redirect~1"));
  EXPECT_EQ(answer.status, 307);
  EXPECT_EQ(HeaderOf(answer.headers, "location"), "/s/answer/chat/completions");
  EXPECT_EQ(server_->Log("redirect~1").size(), 1u);
}

TEST_F(HttpTest, InterimAnswersAndTrailersAreNotTheAnswersHeaders) {
  const Answer answer = Fetch(Chat("interim"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "body");
  EXPECT_EQ(HeaderOf(answer.headers, "x-interim"), "(none)");
  EXPECT_EQ(HeaderOf(answer.headers, "x-trailer"), "(none)");
}

TEST_F(HttpTest, LargeBodyIsHeldInBoundedPieces) {
  const Answer answer = Fetch(Chat("big-50000000"));
  ASSERT_EQ(answer.body.size(), 50'000'000u);
  size_t wrong = 0;
  for (size_t i = 0; i < answer.body.size(); ++i) {
    wrong += static_cast<unsigned char>(answer.body[i]) != i % 251;
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_LE(answer.largest_piece, 2u << 20);
}

TEST_F(HttpTest, ReadingAfterTheEndAndAfterAnErrorSaysTheSameAgain) {
  auto transfer = client_->Start(Chat("answer"));
  Finish(transfer.get());
  std::string bytes;
  EXPECT_FALSE(transfer->Read(&bytes));
  EXPECT_EQ(transfer->Status(), 200);

  auto broken = client_->Start(Chat("reset-before-headers"));
  const std::string message = Catch([&] { broken->Status(); }).message;
  EXPECT_EQ(Catch([&] { broken->Status(); }).message, message);
  EXPECT_EQ(Catch([&] { broken->Read(&bytes); }).message, message);

  auto idle = client_->Start(Chat("stall", {0, 0, 100, 0}));
  const std::string limit = Catch([&] { Finish(idle.get()); }).message;
  const auto start = Clock::now();
  EXPECT_EQ(Catch([&] { idle->Read(&bytes); }).message, limit);
  EXPECT_LT(MsSince(start), 100);  // it does not wait again
}

// --- connections -----------------------------------------------------------------------------

TEST_F(HttpTest, FinishedTransfersLeaveTheirConnectionToTheNext) {
  std::vector<std::unique_ptr<HttpTransfer>> alive;
  for (int i = 0; i < 4; ++i) {
    alive.push_back(client_->Start(Chat("answer~reuse")));
    Finish(alive.back().get());
  }
  const auto log = server_->Log("answer~reuse");
  ASSERT_EQ(log.size(), 4u);
  for (const auto& entry : log) EXPECT_EQ(entry["connection"], log[0]["connection"]);
}

TEST_F(HttpTest, SimultaneousTransfersHaveTheirOwnConnections) {
  auto first = client_->Start(Chat("answer+slow~two"));
  auto second = client_->Start(Chat("answer+slow~two"));
  first->Status();
  second->Status();
  EXPECT_EQ(Finish(second.get()).body, Finish(first.get()).body);
  const auto log = server_->Log("answer+slow~two");
  ASSERT_EQ(log.size(), 2u);
  EXPECT_NE(log[0]["connection"], log[1]["connection"]);
}

TEST_F(HttpTest, AbandonedTransferClosesItsConnection) {
  {
    auto transfer = client_->Start(Chat("stall~abandoned"));
    std::string bytes;
    EXPECT_TRUE(transfer->Read(&bytes));
  }
  Fetch(Chat("answer~abandoned"));
  const int dropped = server_->Log("stall~abandoned")[0]["connection"];
  EXPECT_NE(server_->Log("answer~abandoned")[0]["connection"], dropped);
  const auto start = Clock::now();
  while (server_->Log("stall~abandoned")[0]["outcome"] == "open" && MsSince(start) < 5000) {
    std::this_thread::yield();
  }
  EXPECT_EQ(server_->Log("stall~abandoned")[0]["outcome"], "client closed");
}

TEST_F(HttpTest, TransferOutlivesItsClient) {
  auto transfer = client_->Start(Chat("answer+slow"));
  client_.reset();
  EXPECT_EQ(Finish(transfer.get()).status, 200);
}

TEST_F(HttpTest, HundredTransfersAreOpenAtOnce) {
  constexpr int kCount = 100;
  std::barrier all_open(kCount);
  std::atomic<int> cancelled{0}, answered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kCount; ++i) {
    threads.emplace_back([&] {
      std::string bytes;
      auto transfer = client_->Start(Chat("stall~hundred"));
      const bool open = transfer->Status() == 200 && transfer->Read(&bytes);
      all_open.arrive_and_wait();
      transfer->Cancel();
      try {
        transfer->Read(&bytes);
      } catch (const Error& error) {
        cancelled += open && error.code() == Code::kCancelled;
      }
      transfer.reset();
      const Answer answer = Fetch(Chat("answer~hundred"));
      answered += answer.status == 200 && answer.body.ends_with("data: [DONE]\n\n");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cancelled, kCount);
  EXPECT_EQ(answered, kCount);
}

// --- limits in time --------------------------------------------------------------------------

TEST_F(HttpTest, EachLimitNamesItselfAndThePhase) {
  const DeafListener full(DeafListener::Queue::kFull), open(DeafListener::Queue::kOpen);
  constexpr int64_t kLimit = 100, kLong = 60'000;
  const HttpTimeouts connect = {kLimit, kLong, kLong, kLong}, first = {kLong, kLimit, kLong, kLong},
                     idle = {kLong, kLong, kLimit, kLong}, total = {kLong, kLong, kLong, kLimit};
  const struct {
    const char* what;
    HttpRequest request;
    const char *limit, *phase;
    bool retryable;
  } rows[] = {
      {"no connection", At(full.Url("http"), connect), "connect", "connecting", true},
      {"no TLS", At(open.Url("https"), connect), "connect", "connecting", true},
      {"no connection, others", At(full.Url("http"), first), "first-token", "connecting", true},
      {"no connection, total", At(full.Url("http"), total), "total", "connecting", false},
      {"no answer", Chat("hang", first), "first-token", "waiting for the answer", true},
      {"no answer, idle", Chat("hang", idle), "idle", "waiting for the answer", true},
      {"no answer, total", Chat("hang", total), "total", "waiting for the answer", false},
      {"no body", Chat("hang-headers", first), "first-token", "reading the answer", true},
      {"comments", Chat("comments", first), "first-token", "reading the answer", true},
      {"silence", Chat("stall", idle), "idle", "reading the answer", true},
      {"comments, total", Chat("stall-comments", total), "total", "reading the answer", false},
      {"trickle", Chat("trickle", total), "total", "reading the answer", false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    const auto start = Clock::now();
    const Caught caught = Catch([&] { Fetch(row.request); });
    EXPECT_GE(MsSince(start), kLimit);
    EXPECT_EQ(caught.failure.kind, FailureKind::kTimeout);
    EXPECT_EQ(caught.failure.retryable, row.retryable);
    const std::string reason =
        std::string(" while ") + row.phase + ": " + row.limit + " limit of 100 ms";
    EXPECT_NE(caught.message.find("127.0.0.1:"), std::string::npos) << caught.message;
    EXPECT_NE(caught.message.find(reason), std::string::npos) << caught.message;
  }
}

TEST_F(HttpTest, CommentsKeepAStreamFromBeingIdle) {
  // 25 comments, 20 ms apart, are more than the limit in all.
  const Answer answer = Fetch(Chat("comments-25", {10'000, 60'000, 400, 0}));
  EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
}

TEST_F(HttpTest, FirstTokenLimitEndsWithTheToken) {
  auto transfer = client_->Start(Chat("stall-comments", {10'000, 100, 10'000, 300}));
  std::string bytes;
  EXPECT_TRUE(transfer->Read(&bytes));
  transfer->TokenSeen();
  const Caught caught = Catch([&] { Finish(transfer.get()); });
  EXPECT_NE(caught.message.find("total limit"), std::string::npos) << caught.message;
}

TEST_F(HttpTest, ZeroMeansNoLimit) {
  EXPECT_EQ(Fetch(Chat("answer+slow", {0, 0, 0, 0})).status, 200);
}

TEST_F(HttpTest, ReaderThatWasAwayGetsTheBytesThatCame) {
  auto transfer = client_->Start(Chat("comments-5", {10'000, 150, 150, 0}));
  EXPECT_EQ(transfer->Status(), 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(400));  // longer than every limit
  std::string bytes;
  while (bytes.find("[DONE]") == std::string::npos) {
    ASSERT_TRUE(transfer->Read(&bytes));
    if (bytes.find("data:") != std::string::npos) transfer->TokenSeen();
  }
}

TEST_F(HttpTest, FloodOfCommentsDoesNotOutrunTheLimits) {
  for (const HttpTimeouts& limits : {HttpTimeouts{0, 100, 0, 0}, HttpTimeouts{0, 0, 0, 100}}) {
    auto transfer = client_->Start(Chat("comment-flood", limits));
    std::string bytes;
    const Caught caught = Catch([&] {
      for (; transfer->Read(&bytes); bytes.clear()) {
      }
    });
    EXPECT_EQ(caught.failure.kind, FailureKind::kTimeout);
  }
}

// --- what breaks -----------------------------------------------------------------------------

TEST_F(HttpTest, BrokenConnectionsAreTransportFailuresThatNameThePhase) {
  const struct {
    const char *scenario, *phase;
    bool has_body;
  } rows[] = {
      {"reset-before-headers", "waiting for the answer", false},
      {"close-before-headers", "waiting for the answer", false},
      {"garbage", "waiting for the answer", false},
      {"reset-after-headers", "reading the answer", false},
      {"reset-mid-event", "reading the answer", true},
      {"close-mid-event", "reading the answer", true},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.scenario);
    auto transfer = client_->Start(Chat(row.scenario));
    std::string body;
    const Caught caught = Catch([&] {
      while (transfer->Read(&body)) {
      }
    });
    EXPECT_EQ(caught.failure.kind, FailureKind::kTransport);
    EXPECT_EQ(caught.failure.http_status, row.phase[0] == 'r' ? 200 : 0);
    EXPECT_NE(caught.message.find(row.phase), std::string::npos) << caught.message;
    EXPECT_EQ(body.find("Two and") != std::string::npos, row.has_body) << body;
  }
}

TEST_F(HttpTest, OrderlyEndAmidAnEventIsForTheReaderToJudge) {
  const Answer answer = Fetch(Chat("end-mid-event"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.body.ends_with("\n"));
}

TEST_F(HttpTest, PortWithoutAServerIsATransportFailure) {
  const Caught caught = Catch([&] { Fetch(At("http://127.0.0.1:1/v1")); });
  EXPECT_EQ(caught.failure.kind, FailureKind::kTransport);
  EXPECT_TRUE(caught.failure.retryable);
  EXPECT_NE(caught.message.find("127.0.0.1:1 while connecting"), std::string::npos)
      << caught.message;
}

TEST_F(HttpTest, EndlessHeadersAreRefused) {
  const Caught caught = Catch([&] { Fetch(Chat("header-flood")); });
  EXPECT_EQ(caught.failure.kind, FailureKind::kTransport);
  EXPECT_FALSE(caught.failure.retryable);
  EXPECT_NE(caught.message.find("KiB of headers"), std::string::npos) << caught.message;
}

TEST_F(HttpTest, WhatCannotBeSentIsRefusedWithoutQuotingIt) {
  const std::string url = server_->Url("answer");
  const auto with = [&](const std::string& method, const std::string& header) {
    HttpRequest request = At(url);
    request.method = method;
    request.headers = {header};
    return request;
  };
  const std::string bearer = std::string("Authorization: Bearer ") + kSecret;
  const HttpRequest rows[] = {
      At(""),
      At(kSecret),
      At(std::string("file:///") + kSecret),
      At(std::string("ftp://x/") + kSecret),
      At(std::string("http://user:") + kSecret + "@127.0.0.1/"),
      At(std::string("http://127.0.0.1:99999/") + kSecret),
      At(std::string("http:// x/") + kSecret),
      with("POST", bearer + "\r\nX-Other: 1"),
      with("POST", bearer + "\n"),
      with("POST", std::string(bearer + '\0' + "x", bearer.size() + 2)),
      with("POST", kSecret),
      with("POST", std::string(": ") + kSecret),
      with("POST", std::string("two words: ") + kSecret),
      with("", bearer),
      with("GET /x HTTP/1.1\r\nX: y\r\n\r\nPOST", bearer),
  };
  for (const HttpRequest& request : rows) {
    try {
      client_->Start(request);
      ADD_FAILURE() << request.url << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument) << error.what();
      EXPECT_EQ(std::string(error.what()).find("0123456789"), std::string::npos) << error.what();
    }
  }
}

TEST_F(HttpTest, NoFailureTellsTheKey) {
  const HttpTimeouts quick = {1000, 100, 100, 0};
  for (const char* scenario : {"garbage", "reset-before-headers", "reset-mid-event", "hang",
                               "stall", "header-flood", "close-mid-event"}) {
    HttpRequest request = Chat(scenario, quick);
    request.url += std::string("?key=") + kSecret;
    const Caught caught = Catch([&] { Fetch(request); });
    EXPECT_EQ((caught.message + caught.details).find("0123456789"), std::string::npos)
        << scenario << ": " << caught.message << caught.details;
  }
}

// --- proxies ---------------------------------------------------------------------------------

TEST_F(HttpTest, ProxyIsTheOptionsOrTheEnvironmentsUnlessThatIsIgnored) {
  const std::string proxy = "http://127.0.0.1:" + std::to_string(server_->port());
  const std::string absolute = "http://far.invalid/s/plain~proxy/models";
  HttpRequest request = At(absolute);
  request.method = "GET";
  const auto status = [&](const HttpSettings& settings) {
    auto transfer = HttpClient::Open(settings)->Start(request);
    return transfer->Status();
  };
  HttpSettings by_option;
  by_option.ignore_environment = true;
  by_option.proxy = proxy;
  EXPECT_EQ(status(by_option), 200);
  EXPECT_EQ(server_->Log("plain~proxy")[0]["target"], absolute);

  setenv("http_proxy", proxy.c_str(), 1);
  EXPECT_EQ(status({}), 200);
  HttpSettings ignoring;
  ignoring.ignore_environment = true;
  EXPECT_EQ(Catch([&] { status(ignoring); }).failure.kind, FailureKind::kTransport);
  unsetenv("http_proxy");
}

// A proxy's refusal is not the service's, whether it was asked for a tunnel or for the page itself.
TEST_F(HttpTest, ProxyThatWantsALoginOrRefusesATunnelIsSaidToBeTheOne) {
  const std::string here = "127.0.0.1:" + std::to_string(server_->port());
  const std::string login = std::string("operator:") + kSecret + "@";
  const struct {
    const char *url, *words;
    bool retryable;
  } rows[] = {
      {"https://status-407.invalid/v1", "the proxy wants a login (HTTP 407)", false},
      {"https://status-407.invalid:8443/v1", "in the option proxy or in the environment's", false},
      {"https://status-403.invalid/v1", "the proxy refused to connect (HTTP 403)", false},
      {"https://status-404.invalid/v1", "the proxy refused to connect (HTTP 404)", false},
      {"https://status-502.invalid/v1", "the proxy refused to connect (HTTP 502)", true},
      {"https://status-503.invalid/v1", "the proxy refused to connect (HTTP 503)", true},
  };
  for (const auto& row : rows) {
    for (const std::string& proxy : {"http://" + here, "http://" + login + here}) {
      SCOPED_TRACE(row.url);
      HttpSettings settings;
      settings.ignore_environment = true;
      settings.proxy = proxy;
      const Caught caught =
          Catch([&] { HttpClient::Open(settings)->Start(At(row.url))->Status(); });
      EXPECT_EQ(caught.failure.kind, FailureKind::kTransport);
      EXPECT_EQ(caught.failure.retryable, row.retryable);
      EXPECT_NE(caught.message.find(row.words), std::string::npos) << caught.message;
      EXPECT_EQ((caught.message + caught.details).find("0123456789"), std::string::npos);
    }
  }
  // A page that a proxy gets itself has the proxy's status.
  HttpSettings settings;
  settings.ignore_environment = true;
  settings.proxy = "http://" + here;
  auto transfer =
      HttpClient::Open(settings)->Start(At("http://far.invalid/s/status-407~plain/models"));
  EXPECT_EQ(transfer->Status(), 407);
  const Failure failure = ClassifyResponse(407, transfer->headers(), "<html></html>");
  EXPECT_EQ(failure.message, kProxyLogin);
  EXPECT_FALSE(failure.retryable);
}

// --- cancelling ------------------------------------------------------------------------------

// Cancels from another thread once the reader has waited for a while, or at once; how long it took
// the reader to return and to be rid of the transfer is recorded in microseconds.
void ExpectCancelled(HttpClient* client, const HttpRequest& request, const std::string& name) {
  SCOPED_TRACE(name);
  auto transfer = client->Start(request);
  std::atomic<Clock::rep> asked{0};
  std::thread canceller([&] {
    // After libcurl's own timers, which would wake the reader too.
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    asked = Clock::now().time_since_epoch().count();
    transfer->Cancel();
  });
  const Caught caught = Catch([&] { Finish(transfer.get()); });
  canceller.join();
  transfer.reset();
  const auto spent = Clock::now().time_since_epoch() - Clock::duration(asked.load());
  testing::Test::RecordProperty(
      "cancel_us_" + name,
      std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(spent).count()));
  EXPECT_LT(spent, std::chrono::seconds(1));
  EXPECT_EQ(caught.failure.kind, FailureKind::kCancelled);
  EXPECT_FALSE(caught.failure.retryable);
}

TEST_F(HttpTest, CancelFromAnotherThreadReturnsInEveryPhase) {
  const DeafListener full(DeafListener::Queue::kFull), open(DeafListener::Queue::kOpen);
  ExpectCancelled(client_.get(), At(full.Url("http")), "connect");
  ExpectCancelled(client_.get(), At(open.Url("https")), "tls");
  for (const char* scenario : {"hang", "hang-headers", "stall", "stall-comments", "trickle"}) {
    ExpectCancelled(client_.get(), Chat(scenario), scenario);
  }
  // The client is as good as before.
  EXPECT_EQ(Fetch(Chat("answer")).status, 200);
}

TEST_F(HttpTest, CancelDoesNotWaitForALookup) {
  SlowLookup& lookup = TheSlowLookup();
  lookup.Set(false);
  const std::string url = std::string("http://") + kSlowHost + ":8080/v1";
  ExpectCancelled(client_.get(), At(url), "lookup");
  lookup.AwaitRunning(1);  // still
  // Nor do a limit, another transfer, or the client's end.
  const Caught caught = Catch([&] { Fetch(At(url, {100, 0, 0, 0})); });
  EXPECT_EQ(caught.failure.kind, FailureKind::kTimeout);
  EXPECT_EQ(Fetch(Chat("answer")).status, 200);
  const auto start = Clock::now();
  client_.reset();
  EXPECT_LT(MsSince(start), 1000);
  lookup.AwaitRunning(2);
  lookup.Set(true);
  lookup.AwaitRunning(0);
}

TEST_F(HttpTest, FailedLookupIsATransportFailure) {
  TheSlowLookup().Set(true);
  const Caught caught = Catch([&] { Fetch(At(std::string("http://") + kSlowHost + "/")); });
  EXPECT_EQ(caught.failure.kind, FailureKind::kTransport);
  EXPECT_NE(caught.message.find(kSlowHost), std::string::npos) << caught.message;
}

TEST_F(HttpTest, NamesTheLimitOnOpenFiles) {
  const HttpRequest request = Chat("answer");
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // Not one file more.
  const int lowest = dup(STDIN_FILENO);
  ASSERT_GE(lowest, 0);
  close(lowest);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(lowest);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  const Caught caught = Catch([&] { client_->Start(request)->Status(); });
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(caught.failure.kind, FailureKind::kTransport);
  EXPECT_NE(caught.message.find("ulimit -n"), std::string::npos) << caught.message;
}

TEST_F(HttpTest, CancelBeforeTheFirstWaitSendsNothing) {
  auto transfer = client_->Start(Chat("answer~never"));
  transfer->Cancel();
  std::string bytes;
  EXPECT_EQ(Catch([&] { transfer->Status(); }).failure.kind, FailureKind::kCancelled);
  EXPECT_EQ(Catch([&] { transfer->Read(&bytes); }).failure.kind, FailureKind::kCancelled);
  EXPECT_EQ(server_->Log("answer~never").size(), 0u);
}

TEST_F(HttpTest, CancelAfterTheEndDisturbsNoOther) {
  auto ended = client_->Start(Chat("answer"));
  Finish(ended.get());
  auto next = client_->Start(Chat("answer+slow"));
  next->Status();
  ended->Cancel();
  EXPECT_EQ(Finish(next.get()).status, 200);
}

}  // namespace
}  // namespace finback
