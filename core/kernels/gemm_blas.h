// OpenBLAS, opened when first asked for.
#pragma once

namespace finback {

// Whether the blas tier can be used. The first call loads the library, which starts threads of its
// own and is then told to use one: so it is made only when that tier is chosen, or by tests and
// benchmarks. Any thread.
bool OpenBlas();

}  // namespace finback
