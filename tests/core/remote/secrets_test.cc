// No text that leaves tells a secret: not the error, its details, the log, a record, the ledger.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/remote/remote_backend.h"
#include "tests/core/remote/transport/fault_server.h"

namespace finback {
namespace {

namespace fs = std::filesystem;

constexpr char kKey[] = "sk-Zq7Lw3Xv9Kt5Rb1Nm8Hd";
constexpr char kPassword[] = "Gj4%40Vy6Pc2Fs0";
constexpr char kTenant[] = "Tn5Qe8Uo2Ia7Wy";
// Of the password what its spellings have in common.
constexpr const char* kSecrets[] = {"Zq7Lw3Xv9Kt5Rb1Nm8Hd", "Vy6Pc2Fs0", kTenant};
constexpr size_t kPieceBytes = 8;

FaultServer& Server() {
  static FaultServer server;
  return server;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class SecretsTest : public testing::Test {
 protected:
  SecretsTest() : folder_(fs::path(testing::TempDir()) / "finback_secrets") {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    options_.model = "deepseek:deepseek-v4-pro";
    options_.service.api_key = kKey;
    options_.service.http_headers = std::string(R"({"X-Tenant": ")") + kTenant + "\"}";
    options_.service.connect_timeout_ms = 5000;
    options_.service.max_retries = 1;
    options_.service.record = (folder_ / "record").string();
    options_.service.ledger = (folder_ / "ledger.sqlite").string();
    options_.log = [this](LogLevel, const char* text) { told_ += std::string(text) + "\n"; };
  }

  // Asks, and gathers all that is said and written.
  void Ask(const std::string& request = R"({"messages": [{"role": "user", "content": "Hi"}]})") {
    try {
      const std::shared_ptr<Backend> backend = OpenRemoteBackend(options_);
      const std::unique_ptr<Stream> stream = backend->Start(ParseChatRequest(request));
      Event event;
      while (stream->Step(&event)) {
        if (event.kind == EventKind::kNotice) told_ += event.text + "\n";
      }
      ADD_FAILURE() << "it should have failed";
    } catch (const Error& error) {
      told_ += std::string(error.what()) + "\n" + error.details() + "\n";
      ++failures_;
    }
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      if (entry.is_regular_file()) told_ += ReadFile(entry.path()) + "\n";
    }
  }

  void ExpectNothingTold(const std::string& when) {
    for (const std::string secret : kSecrets) {
      for (size_t i = 0; i + kPieceBytes <= secret.size(); ++i) {
        const size_t at = told_.find(secret.substr(i, kPieceBytes));
        ASSERT_EQ(at, std::string::npos)
            << when << ": " << told_.substr(at < 60 ? 0 : at - 60, 160);
      }
    }
    told_.clear();
  }

  const fs::path folder_;
  EngineOptions options_;
  std::string told_;
  int failures_ = 0;
};

TEST_F(SecretsTest, NoAnswerOfAServiceMakesThemTold) {
  for (const char* scenario :
       {"spill-401", "spill-403", "spill-400", "spill-404", "spill-407", "spill-429", "spill-500",
        "spill-302", "spill-308", "spill-200", "garbage", "401-key", "redirect"}) {
    options_.service.base_url = Server().Url(std::string(scenario) + "~secrets");
    Ask();
    ExpectNothingTold(scenario);
  }
  EXPECT_EQ(failures_, 13);
}

TEST_F(SecretsTest, NoFailureOfTheConnectionMakesThemTold) {
  options_.service.base_url = "http://127.0.0.1:1/v1";
  Ask();
  ExpectNothingTold("refused");
  options_.service.base_url = "https://127.0.0.1:" + std::to_string(Server().port()) + "/v1";
  Ask();
  ExpectNothingTold("no TLS");
  options_.service.base_url = "http://no-such-host.invalid/v1";
  Ask();
  ExpectNothingTold("no host");
  EXPECT_EQ(failures_, 3);
}

TEST_F(SecretsTest, NoProxyMakesThemTold) {
  const std::string login = std::string("operator:") + kPassword + "@";
  const std::string here = "127.0.0.1:" + std::to_string(Server().port());
  options_.service.base_url = "http://far.invalid/s/spill-500~proxy";
  for (const std::string& proxy :
       {"http://" + login + here, login + here, "http://" + login + "127.0.0.1:1",
        "nonsense://" + login + here, "http://" + login + "no-such-host.invalid:1"}) {
    options_.service.proxy = proxy;
    Ask();
    ExpectNothingTold(proxy);
  }
  options_.service.proxy = "";
  setenv("http_proxy", ("http://" + login + here).c_str(), 1);
  options_.service.environment_proxy = true;
  Ask();
  unsetenv("http_proxy");
  ExpectNothingTold("environment");
  EXPECT_EQ(failures_, 6);
}

TEST_F(SecretsTest, NoOptionThatIsRefusedIsQuoted) {
  for (const std::string& url :
       {std::string(kKey), "http://operator:" + std::string(kPassword) + "@127.0.0.1/v1",
        "https://127.0.0.1/v1?key=" + std::string(kKey), "ftp://127.0.0.1/" + std::string(kKey),
        "//" + std::string(kKey).substr(3)}) {
    options_.service.base_url = url;
    Ask();
    ExpectNothingTold(url);
  }
  options_.service.base_url = Server().Url("spill-500~options");
  for (const std::string& headers :
       {std::string(kTenant), "{\"X-Tenant\": " + std::string(kTenant) + "}",
        "[\"" + std::string(kTenant) + "\"]",
        "{\"X-Tenant\": \"" + std::string(kTenant) + "\\u0001\"}",
        "{\"X-Tenant " + std::string(kTenant) + "\": \"x\"}"}) {
    options_.service.http_headers = headers;
    Ask();
    ExpectNothingTold(headers);
  }
  EXPECT_EQ(failures_, 10);
}

}  // namespace
}  // namespace finback
