// make_models FOLDER: the checkpoints that the tests of this folder run on.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "tests/core/local/model_builder.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const std::string folder = argv[1];
    std::filesystem::create_directories(folder);
    finback::MakeRandomModel(folder + "/random", 7);
    std::vector<finback::ScriptStep> steps = finback::Chain(
        {"<think>", "Let me", " think.", "</think>", "Hello", " world", "!", finback::kEosText});
    // Favoured by a bias: text without an end.
    steps.push_back({"</think>", "tick", 0.6});
    for (const finback::ScriptStep& step : finback::Chain({"tick", " tock", " tack", "tick"})) {
      steps.push_back(step);
    }
    finback::MakeScriptedModel(folder + "/scripted", steps);
  } catch (const std::exception& error) {
    fprintf(stderr, "make_models: %s\n", error.what());
    return 1;
  }
  return 0;
}
