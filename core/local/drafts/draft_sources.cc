#include "core/local/drafts/draft_sources.h"

#include "core/base/status.h"
#include "core/network/draft/draft_block.h"

namespace finback {

DraftSources ChooseDrafts(const Model& model, DraftChoice choice) {
  const bool block = DraftBlock::IsIn(model);
  switch (choice) {
    case DraftChoice::kOff:
      return {};
    case DraftChoice::kLookup:
      return {.lookup = true};
    case DraftChoice::kBlock:
      if (block) return {.block = true};
      break;
    case DraftChoice::kAuto:
      return {.lookup = true, .block = block};
  }
  if (model.config().foreign_drafts) {
    throw Error(Code::kInvalidArgument,
                "option draft: block: the checkpoint's draft module (mtp.*) is of another design "
                "than the draft block of the first checkpoints, and is not run: take auto or "
                "lookup");
  }
  throw Error(Code::kInvalidArgument,
              "option draft: block: the checkpoint has no draft block that can be run (mtp.0, a "
              "window alone): take auto or lookup");
}

}  // namespace finback
