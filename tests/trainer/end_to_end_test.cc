// A small study with the real estimators on the real emulator, in one process.
#include <gtest/gtest.h>

#include <cmath>
#include <condition_variable>
#include <map>
#include <mutex>

#include "common/neuron/profile.h"
#include "server/trainer/queries/posterior.h"
#include "server/trainer/studies/data_set.h"
#include "server/trainer/torch_estimator_factory.h"
#include "tests/trainer/study_fixture.h"
#include "worker/emulator/emulator.h"

namespace inferon::trainer {
namespace {

// Runs jobs on the emulator, one at a time. Thread-safe.
class EmulatedExperiments : public Experiments {
 public:
  Result<std::string> Submit(const ExperimentJob& job, std::stop_token) override {
    const std::lock_guard lock(mu_);
    jobs_[job.request_id] = job;
    return job.request_id;
  }
  Status Collect(const std::string& name, std::uint64_t experiments, std::stop_token stop,
                 const std::function<Status(ExperimentResults)>& take) override {
    const std::lock_guard lock(mu_);
    const ExperimentJob& job = jobs_.at(name);
    worker::RunRequest request{.profile = *ParseProfile(job.profile_toml),
                               .protocol = job.protocol,
                               .device = job.device,
                               .seed = job.seed,
                               .trials = job.trials,
                               .count = static_cast<std::uint32_t>(experiments),
                               .sets = job.sets};
    auto batch = emulator_->Run(request, stop);
    if (!batch) return tl::unexpected(batch.error());
    return take({0, request.count, std::move(*batch), {}});
  }
  Status Cancel(const std::string&, std::stop_token) override { return {}; }

 private:
  std::mutex mu_;
  std::map<std::string, ExperimentJob> jobs_;  // Guarded by mu_.
  const std::unique_ptr<worker::Substrate> emulator_ = worker::MakeEmulator({});
};

StudySpec SmallSpec() {
  StudySpec spec;
  spec.profile_toml = BuiltInProfile("adex-paper")->text;
  spec.uniform_count = 6000;
  spec.calibration_count = 6000;
  spec.audit_count = 2000;
  spec.constrained_count = 3000;
  spec.validation_count = 100;
  spec.false_negative_rate = 0.2;
  spec.posterior_draws = 300;
  spec.map_draws = 500;
  spec.target_trials = 20;
  spec.features_estimator.max_epochs = 8;
  spec.features_estimator.batch_size = 32;
  spec.summary_estimator.max_epochs = 3;
  spec.summary_estimator.batch_size = 32;
  return spec;
}

struct Outcome {
  StudyRecord record;
  std::map<std::string, double> numbers;
  std::string constrained_sha256;
  std::string features_weights;
};

// Runs the study to its end; with `cut`, stops it once the given point has come and starts again.
Outcome RunSmallStudy(const std::filesystem::path& data, const std::string& cut) {
  const auto factory = MakeTorchEstimatorFactory();
  EmulatedExperiments experiments;
  Registry registry(data / "models", *factory);
  if (!cut.empty()) {
    std::mutex mu;
    std::condition_variable wake;
    bool reached = false;
    ManagerOptions options;
    options.pipeline.members_at_once = 2;  // The run that ends the study trains one after another.
    options.pipeline.at_point = [&](std::string_view point) {
      const std::lock_guard lock(mu);
      if (point == cut) reached = true;
      wake.notify_all();
    };
    StudyManager manager(data / "studies", experiments, *factory, registry, SystemClock(), options);
    EXPECT_TRUE(manager.Create("small", SmallSpec()));
    std::unique_lock lock(mu);
    wake.wait(lock, [&] { return reached; });
  }
  StudyManager manager(data / "studies", experiments, *factory, registry, SystemClock(), {});
  Outcome outcome{*manager.Create("small", SmallSpec()), {}, {}, {}};
  while (outcome.record.state == StudyState::kRunning) {
    outcome.record = *manager.Wait("small", outcome.record.revision, std::chrono::seconds(1));
  }
  if (outcome.record.state != StudyState::kSucceeded) return outcome;
  const auto report = manager.ReadStudyReport("small");
  for (const ReportNumber& n : report->numbers) outcome.numbers[n.key] = n.value;
  outcome.constrained_sha256 = DataSet::Open(data / "studies" / "small", "constrained")->sha256();
  outcome.features_weights = registry.Get("small-features")->weights_sha256;
  return outcome;
}

TEST(EndToEndTest, SmallStudyLearnsAndIsTheSameAfterBeingStopped) {
  const TemporaryFolder whole_folder;
  const Outcome whole = RunSmallStudy(whole_folder.path(), "");
  ASSERT_EQ(whole.record.state, StudyState::kSucceeded) << whole.record.error;
  std::map<std::string, double> n = whole.numbers;
  EXPECT_GT(n["share_ratio"], 5);
  EXPECT_GT(n["log_density_features"], n["log_density_prior"]);
  EXPECT_GT(n["log_density_summary"], n["log_density_prior"]);

  const TemporaryFolder cut_folder;
  const Outcome cut = RunSmallStudy(cut_folder.path(), "features:epoch");
  ASSERT_EQ(cut.record.state, StudyState::kSucceeded) << cut.record.error;
  EXPECT_EQ(cut.constrained_sha256, whole.constrained_sha256);
  EXPECT_EQ(cut.features_weights, whole.features_weights);
  for (const auto& [key, value] : whole.numbers) {
    if (key == "seconds" || std::isnan(value)) continue;
    EXPECT_EQ(cut.numbers.at(key), value) << key;
  }
}

}  // namespace
}  // namespace inferon::trainer
