#include "core/kernels/roofs/roofs.h"

#include "core/kernels/isa.h"

namespace finback {

Roofs PickRoofs(uint32_t isa) {
  Roofs roofs;
#define FINBACK_READ_ROOF(needed, function) \
  if (roofs.read == nullptr && ((needed) & ~isa) == 0) roofs.read = function;
#define FINBACK_MULTIPLY_ROOF(slot, needed, function, operations) \
  if (roofs.slot.loop == nullptr && ((needed) & ~isa) == 0) roofs.slot = {function, operations};
#include "core/kernels/roofs/roofs.inc"
  return roofs;
}

}  // namespace finback
