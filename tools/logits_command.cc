// finback logits: token ids in, the network's logits out; snapshots in between.
#include <algorithm>
#include <bit>
#include <optional>

#include "tools/commands.h"
#include "tools/engine_options.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/token_ids.h"

namespace {

constexpr size_t kDefaultRows = 128;  // logits held at once when --chunk does not say

struct LogitsOptions {
  EngineOptions engine;
  std::string tokens, out, snapshot, resume;
  size_t chunk = 0;
  std::optional<size_t> snapshot_at;
};

void SaveSnapshot(const finback_sequence* sequence, const std::string& path) {
  const BytesHandle bytes(Checked(finback_sequence_snapshot(sequence)));
  OutputFile file(path);
  file.Write(finback_bytes_data(bytes.get()), finback_bytes_size(bytes.get()));
  file.Close();
}

// The file is little-endian wherever it is written.
void WriteRows(std::vector<float>* rows, size_t count, OutputFile* out) {
  if constexpr (std::endian::native == std::endian::big) {
    for (size_t i = 0; i < count; ++i) {
      (*rows)[i] = std::bit_cast<float>(__builtin_bswap32(std::bit_cast<uint32_t>((*rows)[i])));
    }
  }
  out->Write(rows->data(), count * sizeof(float));
}

void CheckOptions(const LogitsOptions& options, size_t tokens) {
  if (options.snapshot_at && options.snapshot.empty()) {
    throw Failure(kExitUsage, "--snapshot-at needs --snapshot FILE");
  }
  if (options.snapshot_at && *options.snapshot_at > tokens) {
    throw Failure(kExitUsage, "--snapshot-at " + std::to_string(*options.snapshot_at) +
                                  ": there are only " + std::to_string(tokens) + " tokens");
  }
}

int RunLogits(LogitsOptions options) {
  const std::vector<int32_t> ids = ParseTokenIds(ReadFile(options.tokens), options.tokens);
  CheckOptions(options, ids.size());
  const size_t snapshot_at = options.snapshot_at.value_or(ids.size());
  // A sequence just long enough; how long a resumed one is, only the snapshot knows.
  if (!options.engine.has_context() && options.resume.empty() && !ids.empty()) {
    options.engine.Set("context_tokens", std::to_string(ids.size()));
  }

  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  const SequenceHandle sequence(Checked(finback_sequence_new(engine.get())));
  if (!options.resume.empty()) {
    const std::string snapshot = ReadFile(options.resume);
    Check(finback_sequence_restore(sequence.get(), snapshot.data(), snapshot.size()));
  }
  OutputFile out(options.out);
  const size_t vocab = finback_sequence_vocab(sequence.get());
  const size_t step =
      std::min(options.chunk != 0 ? options.chunk : kDefaultRows, std::max<size_t>(ids.size(), 1));
  std::vector<float> rows(step * vocab);
  for (size_t done = 0;;) {
    if (done == snapshot_at && !options.snapshot.empty()) {
      SaveSnapshot(sequence.get(), options.snapshot);
    }
    if (done == ids.size()) break;
    const size_t stop = done < snapshot_at ? snapshot_at : ids.size();
    const size_t count = std::min(step, stop - done);
    Check(finback_sequence_evaluate(sequence.get(), ids.data() + done, count, rows.data(), count));
    WriteRows(&rows, count * vocab, &out);
    done += count;
    progress.Update("prefill", done, ids.size());
  }
  progress.Clear();
  out.Close();
  return kExitOk;
}

}  // namespace

void AddLogitsCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App* command = app->add_subcommand("logits", "The network's logits for given token ids");
  command->footer(
      "OUT gets float32, little-endian, [tokens, vocabulary]. "
      "A snapshot holds the state after N of\n"
      "the given tokens (all, without --snapshot-at); --resume goes on from it, and OUT then has\n"
      "rows for the tokens given now. Neither --chunk nor --threads changes a bit of the result.");
  options->engine.AddModel(command, ModelArgument::kRequiredPositional);
  command->add_option("--tokens", options->tokens, "File of whitespace-separated ids")
      ->required()
      ->type_name("FILE");
  command->add_option("--out", options->out, "File to write")->required()->type_name("FILE");
  command->add_option("--snapshot-at", options->snapshot_at, "Snapshot after this many tokens")
      ->type_name("N");
  command->add_option("--snapshot", options->snapshot, "Write a snapshot")->type_name("FILE");
  command->add_option("--resume", options->resume, "Start from a snapshot")->type_name("FILE");
  options->engine.AddContext(command);
  options->engine.AddComputing(command);
  CLI::Option* chunk = command->get_option("--chunk");
  command->callback([options, chunk, action] {
    if (chunk->count() != 0) options->chunk = chunk->as<size_t>();
    *action = [options] { return RunLogits(*options); };
  });
}
