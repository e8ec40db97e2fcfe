// Where an engine's drafts come from: what was asked for, of what the checkpoint has.
#pragma once

#include "core/engine/options.h"
#include "core/network/model.h"

namespace finback {

struct DraftSources {
  bool lookup = false, block = false;

  bool any() const { return lookup || block; }
};

// Throws kInvalidArgument where a block is asked for by name and none can be run.
DraftSources ChooseDrafts(const Model& model, DraftChoice choice);

}  // namespace finback
