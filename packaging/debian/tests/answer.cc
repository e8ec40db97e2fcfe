// Asks krill through finback.hpp; the test called cmake builds it.
#include <finback/finback.hpp>
#include <iostream>

int main() try {
  finback::Engine engine({{"model", "krill"}});
  finback::Stream stream =
      engine.Chat(R"({"messages": [{"role": "user", "content": "What do baleen whales eat?"}]})");
  for (const finback::Event &event : stream) {
    if (event.kind == finback::EventKind::kContent) std::cout << event.text;
  }
  std::cout << std::endl;
} catch (const finback::Error &error) {
  std::cerr << error.what() << std::endl;
  return 1;
}
