#include "server/trainer/estimators/backend.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "common/base/clock.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/tensors.h"

namespace inferon::estimators {
namespace {

constexpr std::uint32_t kFlushToZero = 0x8040;  // MXCSR: FTZ and DAZ.
constexpr double kSlowGflops = 15;              // The reference BLAS makes about 3.
constexpr const char* kCoreVariable = "OPENBLAS_CORETYPE";
constexpr const char* kWideCore = "SKYLAKEX";

void LimitBlasToOneThread() {
  static const bool done = [] {
    if (void* symbol = dlsym(RTLD_DEFAULT, "openblas_set_num_threads")) {
      reinterpret_cast<void (*)(int)>(symbol)(1);
    }
    return true;
  }();
  (void)done;
}

void SetThreads(int threads) {
  // Asked first, because a thread's own count is initialised from the process-wide one at first
  // use.
  if (at::get_num_threads() != threads) at::set_num_threads(threads);
}

// Processor whose kernels OpenBLAS chose, or "".
std::string BlasCore() {
  void* symbol = dlsym(RTLD_DEFAULT, "openblas_get_corename");
  return symbol == nullptr ? "" : reinterpret_cast<char* (*)()>(symbol)();
}

bool HasAvx512() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vl") != 0;
#else
  return false;
#endif
}

std::string VectorLevel() {
#if defined(__x86_64__)
  if (HasAvx512()) return "AVX-512";
  if (__builtin_cpu_supports("avx2")) return "AVX2";
  return "SSE";
#else
  return "generic";
#endif
}

bool HasHalfWidthKernels() {
  const std::string core = BlasCore();
  return HasAvx512() && (core == "Haswell" || core == "Zen");
}

// Best of some matrix products, in 10^9 operations a second.
double MeasureGflops() {
  constexpr std::int64_t kSize = 256;
  const at::Tensor a = at::full({kSize, kSize}, 0.5, Floats());
  double best = 0;
  for (int i = 0; i < 6; ++i) {
    const SteadyTime start = SystemClock().Now();
    const at::Tensor product = at::mm(a, a);
    const std::chrono::duration<double> spent = SystemClock().Now() - start;
    best = std::max(best, 2.0 * kSize * kSize * kSize / std::max(spent.count(), 1e-9) / 1e9);
  }
  return best;
}

}  // namespace

ComputeScope::ComputeScope(int threads) : threads_before_(at::get_num_threads()) {
  LimitBlasToOneThread();
  SetThreads(threads);
#if defined(__x86_64__)
  control_before_ = _mm_getcsr();
  _mm_setcsr(control_before_ | kFlushToZero);
#endif
}

ComputeScope::~ComputeScope() {
#if defined(__x86_64__)
  _mm_setcsr(control_before_);
#endif
  SetThreads(threads_before_);
}

Status CheckDevice(const std::string& device) {
  if (device == kCpuDevice) return {};
  if (device != kCudaDevice) {
    return InvalidArgument("there is no device '" + device + "'", "choose cpu or cuda");
  }
  if (at::globalContext().hasCUDA()) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              "the device is cuda, but this LibTorch finds no CUDA device",
              "choose cpu, or build against a LibTorch with CUDA on a machine that has one");
}

void UseWidestBlas(char** argv) {
  if (!HasHalfWidthKernels() || std::getenv(kCoreVariable) != nullptr) return;
  if (setenv(kCoreVariable, kWideCore, 0) != 0) return;
  std::error_code
      error;  // The program's own path, so that it keeps its name in lists of processes.
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) execv(self.c_str(), argv);  // Returns only where it cannot: then all stays as it is.
}

std::string DescribeBackend() {
  const ComputeScope scope(1);
  const double gflops = MeasureGflops();
  const std::string core = BlasCore();
  std::string text =
      fmt::format("LibTorch {}, {}, {:.0f} GF/s on one thread, {}, {} processors", TORCH_VERSION,
                  core.empty() ? "unknown BLAS" : "OpenBLAS (" + core + " kernels)", gflops,
                  VectorLevel(), std::thread::hardware_concurrency());
  if (gflops < kSlowGflops) {
    text +=
        "; warning: matrix products are slow, install libopenblas0-pthread and select it with "
        "update-alternatives";
  }
  if (HasHalfWidthKernels()) {
    text += fmt::format("; note: {}={} in the environment gives AVX-512 kernels", kCoreVariable,
                        kWideCore);
  }
  return text;
}

}  // namespace inferon::estimators
