// Runs tests/remote/fault_server.py for as long as the object lives. Any thread.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace finback {

class FaultServer {
 public:
  // With the files of a certificate and its key it speaks TLS. Throws std::runtime_error.
  explicit FaultServer(const std::string& certificate = {}, const std::string& key = {});
  ~FaultServer();
  FaultServer(const FaultServer&) = delete;
  FaultServer& operator=(const FaultServer&) = delete;

  int port() const { return port_; }
  // A base URL, without a slash at the end. tests/remote/README.md has the scenarios.
  std::string Url(const std::string& scenario) const;
  // The scenario's requests so far. Not over TLS.
  nlohmann::json Log(const std::string& scenario) const;

 private:
  std::string scheme_;
  int port_ = 0;
  pid_t process_ = -1;
  int stdin_ = -1;  // closing it ends the server
};

}  // namespace finback
