#include "tests/core/remote/transport/fault_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

extern char** environ;

namespace finback {
namespace {

std::string ReadAll(int file, char stop) {
  std::string text;
  char piece[4096];
  for (;;) {
    const ssize_t count = read(file, piece, sizeof(piece));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(piece, static_cast<size_t>(count));
    if (stop != '\0' && text.find(stop) != std::string::npos) return text;
  }
}

}  // namespace

FaultServer::FaultServer(const std::string& certificate, const std::string& key)
    : scheme_(certificate.empty() ? "http" : "https") {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  if (pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::vector<std::string> words = {"python3", FINBACK_SOURCE_DIR "/tests/remote/fault_server.py"};
  if (!certificate.empty()) words.insert(words.end(), {certificate, key});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int error =
      posix_spawnp(&process_, "python3", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  stdin_ = in[1];
  const std::string line = error == 0 ? ReadAll(out[0], '\n') : "";
  close(out[0]);
  const auto said = nlohmann::json::parse(line, nullptr, false);
  if (error != 0 || !said.is_object()) {
    close(stdin_);
    if (error == 0) waitpid(process_, nullptr, 0);
    throw std::runtime_error("the fault server did not start");
  }
  port_ = said["port"];
}

FaultServer::~FaultServer() {
  close(stdin_);
  waitpid(process_, nullptr, 0);
}

std::string FaultServer::Url(const std::string& scenario) const {
  return scheme_ + "://127.0.0.1:" + std::to_string(port_) + "/s/" + scenario;
}

nlohmann::json FaultServer::Log(const std::string& scenario) const {
  const int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string request = "GET /log?scenario=";
  // In a query '+' is a blank.
  for (const char c : scenario) request += c == '+' ? std::string("%2B") : std::string(1, c);
  request += " HTTP/1.1\r\n\r\n";
  std::string answer;
  if (connect(file, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
      send(file, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size())) {
    shutdown(file, SHUT_WR);  // the server closes when it has answered
    answer = ReadAll(file, '\0');
  }
  close(file);
  const size_t body = answer.find("\r\n\r\n");
  if (body == std::string::npos) throw std::runtime_error("the fault server does not answer");
  return nlohmann::json::parse(answer.substr(body + 4));
}

}  // namespace finback
