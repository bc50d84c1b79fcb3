#include "tests/emulator/emulator_fixture.h"

#include "common/base/check.h"
#include "common/base/philox.h"

namespace inferon::worker {

Profile ShippedProfile() { return BuiltInProfile("adex-paper").value(); }

void Pin(Profile& profile, Parameter parameter, double value) {
  profile.map[static_cast<std::size_t>(parameter)] = {value, 0, value};
}

Profile WithoutNoise(Profile profile) {
  profile.mismatch_voltage_mv = profile.mismatch_relative = 0;
  profile.run_drift_codes = profile.write_jitter_codes = profile.trial_jitter_codes = 0;
  profile.membrane_noise_mv = profile.threshold_noise_mv = profile.readout_noise_counts = 0;
  return profile;
}

Profile QuietProfile() {
  Profile profile = WithoutNoise(ShippedProfile());
  profile.madc_gain = 1;
  profile.madc_offset = profile.madc_min = 0;
  profile.madc_max = 1023;
  profile.settle_us = 0;
  profile.exponential = ExponentialForm::kIndependent;
  profile.exponential_g_ns = 0;
  return profile;
}

ParameterSets EqualSets(const Profile& profile, std::size_t sets, std::uint16_t code) {
  return {profile.dimension(), std::vector<std::uint16_t>(sets * profile.dimension(), code)};
}

ParameterSets RandomSets(const Profile& profile, std::size_t sets, std::uint64_t seed) {
  PhiloxSequence random(StreamKey(seed, "test"));
  ParameterSets result{profile.dimension(), {}};
  for (std::size_t i = 0; i < sets * profile.dimension(); ++i) {
    result.codes.push_back(static_cast<std::uint16_t>(random.Below(kCodeCount)));
  }
  return result;
}

RunRequest Request(const Profile& profile, ParameterSets sets, std::uint32_t trials) {
  RunRequest request{.profile = profile, .seed = 1, .trials = trials};
  request.count = static_cast<std::uint32_t>(sets.size()) * trials;
  request.sets = std::move(sets);
  return request;
}

ObservationBatch RunOrDie(const RunRequest& request, int threads) {
  Result<ObservationBatch> batch = MakeEmulator({threads})->Run(request, {});
  if (!batch) std::fprintf(stderr, "%s\n", batch.error().Text().c_str());
  INFERON_CHECK(batch.has_value());
  return *std::move(batch);
}

}  // namespace inferon::worker
