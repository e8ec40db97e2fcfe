#include "core/network/model.h"

#include "core/network/model_impl.h"

namespace finback {

Model::Model() : impl_(std::make_unique<Impl>()) {}
Model::~Model() = default;

std::unique_ptr<Model> Model::Open(const std::string& folder, const ModelOptions& options) {
  std::unique_ptr<Model> model(new Model());
  Impl& impl = *model->impl_;
  impl.folder = folder;
  impl.config = LoadConfig(folder);
  impl.precision = options.precision;
  impl.weights = Weights::Open(folder, impl.config);
  if (impl.weights->foreign_drafts()) {  // known from the tensors' names alone
    impl.config.foreign_drafts = true;
    impl.config.drafts = 0;
    impl.config.layers.resize(static_cast<size_t>(impl.config.layers_count));
  }
  impl.compute = std::make_unique<Compute>(impl.config, options.precision, options.threads);
  return model;
}

const Config& Model::config() const { return impl_->config; }
const Weights& Model::weights() const { return *impl_->weights; }
Precision Model::precision() const { return impl_->precision; }
const Parallel& Model::parallel() const { return impl_->compute->parallel; }
const std::string& Model::folder() const { return impl_->folder; }

}  // namespace finback
