// Dense products through OpenBLAS's sgemm, for machines whose instruction set has no kernel here.
//
//   weights  [kOutputs][kDepth]   32 KB, decoded to float32
//   input    [kRows][kDepth]       8 KB, rows beyond the last are zero
//   result   [kBlock][kOutputs]    8 KB
//
// sgemm may add in another order for another shape, so every call has the one shape kRows x
// kOutputs x kDepth (rows, outputs and depth padded with zeros), output tiles start at multiples of
// kOutputs, and blocks of K are added in ascending order: a row's result depends on nothing else.
#include "core/kernels/gemm_blas.h"

#include <dlfcn.h>

#include "core/kernels/decode.h"
#include "core/kernels/gemm.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace finback {
namespace {

constexpr int kRows = 8;
constexpr int kOutputs = 32;
constexpr int kDepth = 256;
constexpr size_t kBlock = 64;  // rows that share a decoded tile; a multiple of kRows

enum { kRowMajor = 101, kNoTranspose = 111, kTranspose = 112 };  // of CBLAS
using Sgemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k,
                       float alpha, const float* a, int lda, const float* b, int ldb, float beta,
                       float* c, int ldc);
using SetThreads = void (*)(int threads);
using CoreName = char* (*)();

// OpenBLAS takes any AMD processor of family 15 for an Opteron and then prefetches with 3DNow!,
// which emulated processors of that family (qemu64) do not have.
bool CanRunItsKernels(const char* core) {
#if defined(__x86_64__)
  if (strncmp(core, "Opteron", 7) != 0) return true;
  uint32_t a, b, c, d;
  return __get_cpuid(0x80000001u, &a, &b, &c, &d) && (d & (1u << 31)) != 0;
#else
  return core != nullptr;
#endif
}

// Never closed: its threads outlive any call.
Sgemm LoadSgemm() {
  void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  const SetThreads set_threads =
      reinterpret_cast<SetThreads>(dlsym(library, "openblas_set_num_threads"));
  const Sgemm sgemm = reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
  const CoreName core_name = reinterpret_cast<CoreName>(dlsym(library, "openblas_get_corename"));
  if (set_threads == nullptr || sgemm == nullptr || core_name == nullptr) return nullptr;
  if (!CanRunItsKernels(core_name())) return nullptr;
  set_threads(1);
  return sgemm;
}

Sgemm OpenSgemm() {
  static const Sgemm sgemm = LoadSgemm();
  return sgemm;
}

// weights[o][i] = W[tile + o, k + i], zero outside the matrix or the wanted outputs.
template <typename Decode>
void DecodeTile(const GemmArgs& args, size_t tile, size_t k, size_t n, float* weights) {
  for (size_t o = 0; o < kOutputs; ++o) {
    float* out = weights + o * kDepth;
    const bool wanted = tile + o >= args.out_begin && tile + o < args.out_end;
    if (wanted) Decode::Run(args, tile + o, k, n, out);
    const size_t valid = wanted ? n : 0;
    memset(out + valid, 0, (kDepth - valid) * sizeof(float));
  }
}

template <typename Decode>
void MultiplyTile(const GemmArgs& args, size_t tile, size_t first, size_t rows) {
  alignas(64) float weights[kOutputs * kDepth];
  alignas(64) float input[kRows * kDepth];
  alignas(64) float result[kBlock * kOutputs];
  const Sgemm sgemm = OpenSgemm();
  memset(result, 0, sizeof result);
  for (size_t k = 0; k < args.in; k += kDepth) {
    const size_t n = args.in - k < kDepth ? args.in - k : kDepth;
    DecodeTile<Decode>(args, tile, k, n, weights);
    for (size_t row = 0; row < rows; row += kRows) {
      memset(input, 0, sizeof input);
      for (size_t r = 0; r < kRows && row + r < rows; ++r) {
        memcpy(input + r * kDepth, args.x + (first + row + r) * args.x_stride + k,
               n * sizeof(float));
      }
      sgemm(kRowMajor, kNoTranspose, kTranspose, kRows, kOutputs, kDepth, 1.0f, input, kDepth,
            weights, kDepth, 1.0f, result + row * kOutputs, kOutputs);
    }
  }
  const size_t begin = tile > args.out_begin ? tile : args.out_begin;
  const size_t end = tile + kOutputs < args.out_end ? tile + kOutputs : args.out_end;
  for (size_t row = 0; row < rows; ++row) {
    memcpy(args.y + (first + row) * args.y_stride + (begin - args.y_origin),
           result + row * kOutputs + (begin - tile), (end - begin) * sizeof(float));
  }
}

template <typename Decode>
void GemmBlas(const GemmArgs& args) {
  for (size_t first = 0; first < args.rows; first += kBlock) {
    const size_t rows = args.rows - first < kBlock ? args.rows - first : kBlock;
    for (size_t tile = args.out_begin / kOutputs * kOutputs; tile < args.out_end;
         tile += kOutputs) {
      MultiplyTile<Decode>(args, tile, first, rows);
    }
  }
}

}  // namespace

bool OpenBlas() { return OpenSgemm() != nullptr; }

void GemmF32Blas(const GemmArgs& args) { GemmBlas<DecodeF32>(args); }
void GemmBf16Blas(const GemmArgs& args) { GemmBlas<DecodeBf16>(args); }
void GemmFp8Blas(const GemmArgs& args) { GemmBlas<DecodeFp8>(args); }
void GemmFp4Blas(const GemmArgs& args) { GemmBlas<DecodeFp4>(args); }

}  // namespace finback
