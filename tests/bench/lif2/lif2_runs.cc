#include "tests/bench/lif2/lif2_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "common/features/features.h"
#include "worker/emulator/emulator.h"

namespace inferon::lif2 {
namespace {

constexpr std::size_t kBatch = 10'000;  // Sets in one call of the emulator.
const Protocol kShort{{{50, 450, 1}}, 500, 1};

}  // namespace

Prior CodePrior(const Profile& profile) {
  Prior prior;
  for (const std::string& name : profile.ParameterNames()) {
    prior.parameters.push_back({name, "", PriorKind::kInteger, 0, kMaxCode});
  }
  return prior;
}

Simulator::Simulator()
    : profile_(BuiltInProfile("lif2").value()), emulator_(worker::MakeEmulator({})) {}

std::vector<float> Simulator::Run(std::span<const std::uint16_t> codes) {
  std::vector<float> x;
  x.reserve(codes.size() / kParameters * kColumns);
  for (std::size_t at = 0; at < codes.size(); at += kBatch * kParameters) {
    const auto part = codes.subspan(at, std::min(kBatch * kParameters, codes.size() - at));
    worker::RunRequest request{.profile = profile_, .protocol = kShort, .seed = 1};
    request.first_index = runs_;
    request.sets = {kParameters, {part.begin(), part.end()}};
    request.count = static_cast<std::uint32_t>(request.sets.size());
    const auto batch = emulator_->Run(request, {});
    if (!batch) {
      fmt::print(stderr, "{}\n", batch.error().Text());
      std::exit(1);
    }
    std::span<const float> times = batch->spike_time_us;
    for (std::size_t i = 0; i < batch->size(); ++i) {
      const auto trace = batch->Trace(i);
      const auto spikes = times.first(batch->spike_count[i]);
      times = times.subspan(spikes.size());
      const Features features =
          ExtractFeatures({{trace.begin(), trace.end()}, {spikes.begin(), spikes.end()}}, kShort);
      for (const Feature f : {Feature::kLatency, Feature::kMeanIsi, Feature::kPeak}) {
        x.push_back(features[static_cast<std::size_t>(f)]);
      }
    }
    runs_ += request.count;
  }
  return x;
}

}  // namespace inferon::lif2
