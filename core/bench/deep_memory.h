// Memory of tokens that were never computed: random entries of the size and form of real ones.
#pragma once

#include "core/network/model.h"
#include "core/network/sequence.h"

namespace finback {

// Writes all that the sequence may ever be asked for; from then on it may stand at any position.
void FillRandomly(const Model& model, Sequence* sequence);

}  // namespace finback
