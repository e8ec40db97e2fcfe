#include "core/network/model.h"

#include "core/base/status.h"

namespace finback {

std::unique_ptr<Model> Model::Open(const std::string& folder, const ModelOptions& options) {
  return std::unique_ptr<Model>(new Model(folder, options));
}

Model::Model(const std::string& folder, const ModelOptions& options)
    : folder_(folder),
      config_(LoadConfig(folder)),
      precision_(options.precision),
      weights_(Weights::Open(folder, config_, options.weights)) {
  if (weights_->found_drafts() != FoundDrafts::kOurs) {  // known from the tensors' names alone
    config_.foreign_drafts |= weights_->found_drafts() == FoundDrafts::kForeign;
    if (config_.drafts > 0 && !config_.foreign_drafts) {
      config_.notes.push_back(
          Format("%d draft blocks (mtp.*) are named, but the files have none: "
                 "answers are the same without them",
                 config_.drafts));
    }
    config_.drafts = 0;
    config_.layers.resize(static_cast<size_t>(config_.layers_count));
  }
  compute_ =
      std::make_unique<Compute>(config_, options.precision, options.threads, options.profile);
}

}  // namespace finback
