#include "tests/trainer/toy_experiments.h"

#include <algorithm>
#include <condition_variable>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "common/base/philox.h"
#include "common/neuron/profile.h"

namespace inferon::trainer {
namespace {

constexpr std::uint64_t kBlock = 50;

std::uint32_t SpikesOf(std::uint16_t code) {
  if (code >= kToyRelevant) return 1 + static_cast<std::uint32_t>(code - kToyRelevant) % 50;
  return code < 500 ? 0 : 100;
}

}  // namespace

Protocol ToyProtocol() { return {.steps = {{5, 35, 1}}, .duration_us = 40, .grid_step_us = 1}; }

StudySpec ToySpec() {
  StudySpec spec;
  spec.profile_toml = BuiltInProfile("adex-paper")->text;
  spec.project = "default";
  spec.protocol = ToyProtocol();
  spec.uniform_count = 600;
  spec.calibration_count = 600;
  spec.audit_count = 300;
  spec.constrained_count = 400;
  spec.validation_count = 40;
  spec.false_negative_rate = 0.1;
  spec.posterior_draws = 50;
  spec.map_draws = 60;
  spec.target_trials = 12;
  return spec;
}

ObservationBatch ToyObservations(const ExperimentJob& job, std::uint64_t first,
                                 std::uint64_t count) {
  ObservationBatch batch;
  batch.points = job.protocol.Points();
  batch.provenance = R"({"substrate":"toy"})";
  const PhiloxKey key = StreamKey(job.seed, "toy");
  for (std::uint64_t e = first; e < first + count; ++e) {
    const std::uint16_t code = job.sets[e / job.trials][0];
    for (std::size_t point = 0; point < batch.points; ++point) {
      const PhiloxBlock noise =
          Philox(key, {static_cast<std::uint32_t>(e), static_cast<std::uint32_t>(point), 0, 0});
      batch.trace.push_back(static_cast<std::uint16_t>(100 + code / 2 + noise[0] % 20));
    }
    const std::uint32_t spikes = SpikesOf(code);
    for (std::uint32_t k = 0; k < spikes; ++k) {
      batch.spike_time_us.push_back(5 + 30 * (static_cast<float>(k) + 0.5f) /
                                            static_cast<float>(spikes));
    }
    batch.spike_count.push_back(spikes);
  }
  return batch;
}

ToyExperiments::ToyExperiments(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
}

Result<std::string> ToyExperiments::Submit(const ExperimentJob& job, std::stop_token stop) {
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped");
  if (refuse) {
    if (Status allowed = refuse(job); !allowed) return tl::unexpected(allowed.error());
  }
  const std::string content = Sha256Hex({reinterpret_cast<const char*>(job.sets.codes.data()),
                                         job.sets.codes.size() * sizeof(std::uint16_t)}) +
                              std::to_string(job.seed) + "/" + std::to_string(job.trials);
  const auto before = ReadFile(folder_ / job.request_id);
  if (before && *before != content) {
    return Fail(ErrorCode::kAlreadyExists, "another job has this request id");
  }
  if (!before) WriteFileAtomically(folder_ / job.request_id, content);
  const std::lock_guard lock(mu_);
  const std::string name = "projects/" + job.project + "/jobs/" + job.request_id;
  jobs_[name] = job;
  return name;
}

Status ToyExperiments::Collect(const std::string& job_name, std::uint64_t experiments,
                               std::stop_token stop,
                               const std::function<Status(ExperimentResults)>& take) {
  ExperimentJob job;
  {
    std::unique_lock lock(mu_);
    job = jobs_.at(job_name);
    if (hang) {
      std::condition_variable_any never;
      never.wait(lock, stop, [] { return false; });
    }
  }
  for (std::uint64_t first = 0; first < experiments;) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped");
    const bool failed = fails && fails(job, first);
    const std::uint64_t count = fails ? 1 : std::min(kBlock, experiments - first);
    ExperimentResults results{first, static_cast<std::uint32_t>(count), {}, {}};
    if (failed) {
      results.error = "poisoned";
    } else {
      results.observations = ToyObservations(job, first, count);
      if (mode) results.observations.provenance = "{\"mode\":\"" + mode(job) + "\"}";
    }
    if (Status taken = take(std::move(results)); !taken) return taken;
    first += count;
  }
  return {};
}

Status ToyExperiments::Cancel(const std::string& job_name, std::stop_token) {
  const std::lock_guard lock(mu_);
  cancelled_.insert(job_name);
  return {};
}

std::set<std::string> ToyExperiments::cancelled() const {
  const std::lock_guard lock(mu_);
  return cancelled_;
}

std::map<std::string, ExperimentJob> ToyExperiments::jobs() const {
  const std::lock_guard lock(mu_);
  return jobs_;
}

std::set<std::string> ToyExperiments::submitted() const {
  const std::lock_guard lock(mu_);
  std::set<std::string> names;
  for (const auto& [name, job] : jobs_) names.insert(name);
  return names;
}

}  // namespace inferon::trainer
