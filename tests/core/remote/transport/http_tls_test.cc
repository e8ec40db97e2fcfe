#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <thread>

#include "core/base/freed_by.h"
#include "core/base/status.h"
#include "core/remote/transport/http.h"
#include "tests/core/remote/transport/fault_server.h"

namespace finback {
namespace {

using Key = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreedBy<X509_EXTENSION_free>>;
using File = std::unique_ptr<FILE, FreedBy<fclose>>;

void Extend(X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) {
    throw std::runtime_error("no certificate extension");
  }
}

// A certificate that vouches for itself, and its key, in files that go with the object.
class TestCertificate {
 public:
  TestCertificate(const char* names, long valid_seconds) {
    char folder[] = "/tmp/finback_tls_XXXXXX";
    if (!mkdtemp(folder)) throw std::runtime_error("no folder for a certificate");
    folder_ = folder;
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate(X509_new());
    X509* x509 = certificate.get();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x509), valid_seconds);
    X509_set_pubkey(x509, key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("finback test"), -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    Extend(x509, NID_basic_constraints, "critical,CA:TRUE");
    Extend(x509, NID_subject_alt_name, names);
    const File certificate_file(fopen(path().c_str(), "w"));
    const File key_file(fopen(key_path().c_str(), "w"));
    if (X509_sign(x509, key.get(), EVP_sha256()) == 0 || !certificate_file || !key_file ||
        PEM_write_X509(certificate_file.get(), x509) != 1 ||
        PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
            1) {
      throw std::runtime_error("no certificate");
    }
  }
  ~TestCertificate() {
    unlink(path().c_str());
    unlink(key_path().c_str());
    rmdir(folder_.c_str());
  }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  std::string path() const { return folder_ + "/certificate.pem"; }
  std::string key_path() const { return folder_ + "/key.pem"; }

 private:
  std::string folder_;
};

constexpr char kLoopback[] = "IP:127.0.0.1";
constexpr long kDay = 86'400;

HttpRequest Chat(const FaultServer& server, const std::string& scenario) {
  HttpRequest request;
  request.url = server.Url(scenario) + "/chat/completions";
  request.body = R"({"stream":true})";
  return request;
}

HttpSettings Trusting(const std::string& ca_file) {
  HttpSettings settings;
  settings.ignore_environment = true;
  settings.ca_file = ca_file;
  return settings;
}

std::string BodyOf(HttpTransfer* transfer) {
  std::string body;
  while (transfer->Read(&body)) {
  }
  return body;
}

TEST(HttpTlsTest, ServiceIsTrustedByTheCaFile) {
  const TestCertificate certificate(kLoopback, kDay);
  const FaultServer server(certificate.path(), certificate.key_path());
  const auto client = HttpClient::Open(Trusting(certificate.path()));
  for (const char* scenario : {"answer", "answer+split", "answer"}) {
    auto transfer = client->Start(Chat(server, scenario));
    EXPECT_EQ(transfer->Status(), 200);
    EXPECT_TRUE(BodyOf(transfer.get()).ends_with("data: [DONE]\n\n"));
  }
}

TEST(HttpTlsTest, ServiceThatProvesNothingIsRefusedForGood) {
  const TestCertificate good(kLoopback, kDay), other_name("DNS:other.invalid", kDay),
      expired(kLoopback, -3600), stranger(kLoopback, kDay);
  const struct {
    const char* what;
    const TestCertificate* certificate;
    std::string ca_file, reason;
  } rows[] = {
      {"the system's authorities", &good, "", "certificate"},
      {"another's authority", &good, stranger.path(), "certificate"},
      {"another's name", &other_name, other_name.path(), "127.0.0.1"},
      {"expired", &expired, expired.path(), "expired"},
      {"no such file", &good, "/nonexistent/ca.pem", "/nonexistent/ca.pem"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    const FaultServer server(row.certificate->path(), row.certificate->key_path());
    const auto client = HttpClient::Open(Trusting(row.ca_file));
    try {
      client->Start(Chat(server, "answer"))->Status();
      ADD_FAILURE() << "was trusted";
    } catch (const Error& error) {
      const Failure failure = FailureOf(error);
      EXPECT_EQ(failure.kind, FailureKind::kTransport);
      EXPECT_FALSE(failure.retryable);
      EXPECT_NE(std::string(error.what()).find(row.reason), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("while connecting"), std::string::npos);
    }
  }
}

TEST(HttpTlsTest, ResetAndCancelEndAnEncryptedStream) {
  const TestCertificate certificate(kLoopback, kDay);
  const FaultServer server(certificate.path(), certificate.key_path());
  const auto client = HttpClient::Open(Trusting(certificate.path()));
  const auto kind_of = [](HttpTransfer* transfer) {
    try {
      BodyOf(transfer);
    } catch (const Error& error) {
      return FailureOf(error).kind;
    }
    return FailureKind::kBudget;
  };
  EXPECT_EQ(kind_of(client->Start(Chat(server, "reset-mid-event")).get()), FailureKind::kTransport);
  auto transfer = client->Start(Chat(server, "stall"));
  EXPECT_EQ(transfer->Status(), 200);
  std::thread canceller([&] { transfer->Cancel(); });
  EXPECT_EQ(kind_of(transfer.get()), FailureKind::kCancelled);
  canceller.join();
}

}  // namespace
}  // namespace finback
