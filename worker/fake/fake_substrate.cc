#include "worker/fake/fake_substrate.h"

#include <condition_variable>
#include <stdexcept>
#include <utility>

namespace inferon::worker {
namespace {

constexpr std::uint64_t kMixer = 0x9E3779B97F4A7C15u;
constexpr std::uint64_t kCounts = 1024;

}  // namespace

SubstrateDescription FakeSubstrate::Describe() const {
  return {.substrate = "emulator", .mode = "fake", .chip = "", .calibration_id = ""};
}

Result<ObservationBatch> FakeSubstrate::Run(const RunRequest& request, std::stop_token stop) {
  FakeRun run;
  {
    std::lock_guard lock(mu_);
    runs_.push_back(request);
    if (!script_.empty()) {
      run = std::move(script_.front());
      script_.pop_front();
    }
  }
  if (run) return run(request, stop);
  return FakeObservations(request);
}

Status FakeSubstrate::Health() {
  std::lock_guard lock(mu_);
  return health_;
}

void FakeSubstrate::Script(FakeRun run) {
  std::lock_guard lock(mu_);
  script_.push_back(std::move(run));
}

void FakeSubstrate::SetHealth(Status health) {
  std::lock_guard lock(mu_);
  health_ = std::move(health);
}

std::vector<RunRequest> FakeSubstrate::Runs() const {
  std::lock_guard lock(mu_);
  return runs_;
}

ObservationBatch FakeObservations(const RunRequest& request) {
  ObservationBatch batch;
  batch.points = request.protocol.Points();
  for (std::uint32_t i = 0; i < request.count; ++i) {
    const std::uint64_t index = request.first_index + i;
    const std::uint64_t row = index / request.trials - request.first_index / request.trials;
    std::uint64_t mixed = (request.seed + index) * kMixer;
    for (const std::uint16_t code : request.sets[row]) mixed = (mixed ^ code) * kMixer;
    for (std::size_t p = 0; p < batch.points; ++p) {
      batch.trace.push_back(static_cast<std::uint16_t>(((mixed >> 20) + p) % kCounts));
    }
    batch.spike_count.push_back(static_cast<std::uint32_t>(index % 3));
    for (std::uint64_t s = 0; s < index % 3; ++s) {
      batch.spike_time_us.push_back(1.0f + static_cast<float>(s));
    }
  }
  batch.provenance = R"({"substrate":"fake"})";
  return batch;
}

FakeRun FailingRun(Error error) {
  return [error](const RunRequest&, std::stop_token) -> Result<ObservationBatch> {
    return tl::unexpected(error);
  };
}

FakeRun ThrowingRun() {
  return [](const RunRequest&, std::stop_token) -> Result<ObservationBatch> {
    throw std::runtime_error("the link to the chip broke");
  };
}

FakeRun EndlessRun() {
  return [](const RunRequest&, std::stop_token stop) -> Result<ObservationBatch> {
    std::mutex mu;
    std::condition_variable_any never;
    std::unique_lock lock(mu);
    never.wait(lock, stop, [] { return false; });
    return Fail(ErrorCode::kCancelled, "stopped");
  };
}

}  // namespace inferon::worker
