#include "tests/report/synthetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/base/philox.h"

namespace inferon::report {
namespace {

constexpr std::size_t kParameters = 7;
constexpr std::size_t kFeatures12 = 12;

class Random {
 public:
  explicit Random(std::uint64_t seed) : sequence_(StreamKey(seed, "synthetic")) {}
  double Uniform() { return sequence_.Uniform(); }
  double Normal() {
    const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
    return radius * std::cos(2 * std::numbers::pi * Uniform());
  }

 private:
  PhiloxSequence sequence_;
};

// Membrane of a leaky neuron with an adapting rate: 1400 points in counts.
std::vector<double> MakeTrace(Random& random, double rate, double noise, std::size_t points) {
  std::vector<double> trace(points);
  double v = 260, adaptation = 0, drift = 0;
  for (std::size_t i = 0; i < points; ++i) {
    drift += 0.02 * random.Normal() - 0.01 * drift;
    const bool on = i >= 200 && i < 1200;
    v += 0.02 * (260 - v) + (on ? rate * (1 + 0.2 * drift) - adaptation : 0);
    adaptation *= 0.995;
    if (v > 560) {
      v = 240;
      adaptation += 0.25;
    }
    trace[i] = std::clamp(v + noise * random.Normal(), 200.0, 680.0);
  }
  return trace;
}

std::vector<double> MakeTraces(Random& random, std::vector<double> rates, double noise) {
  std::vector<double> all;
  for (const double rate : rates) {
    const std::vector<double> trace = MakeTrace(random, rate, noise, 1400);
    all.insert(all.end(), trace.begin(), trace.end());
  }
  return all;
}

std::vector<double> MakeCounts(Random& random, std::size_t n, double silent, double relevant) {
  std::vector<double> counts(n, 0.0);
  for (double& count : counts) {
    const double u = random.Uniform();
    if (u < silent) continue;
    const double low = u < silent + relevant ? 0 : std::log(71.0);
    const double high = u < silent + relevant ? std::log(71.0) : std::log(900.0);
    count = std::floor(std::exp(low + (high - low) * random.Uniform()));
  }
  return counts;
}

// Draws around the target: v_t (1) and delta_t (2) on a ridge, b (5) broad.
std::vector<double> MakeDraws(Random& random, const std::vector<double>& target, std::size_t n,
                              double width) {
  std::vector<double> codes;
  for (std::size_t i = 0; i < n; ++i) {
    const double ridge = random.Normal();
    for (std::size_t j = 0; j < kParameters; ++j) {
      double z = random.Normal();
      if (j == 1) z = ridge;
      if (j == 2) z = -0.95 * ridge + 0.3 * z;
      const double spread = j == 5 ? 220 : width * (0.6 + 0.15 * static_cast<double>(j));
      codes.push_back(std::clamp(std::round(target[j] + spread * z), 0.0, 1022.0));
    }
  }
  return codes;
}

std::vector<double> MakeFeatures(Random& random, const std::vector<double>& target, std::size_t n,
                                 double spread, bool adaptation_missing) {
  std::vector<double> values;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t f = 0; f < kFeatures12; ++f) {
      const bool missing = f == 5 && adaptation_missing;
      values.push_back(missing ? NAN : target[f] * (1 + spread * random.Normal()));
    }
  }
  return values;
}

void AddNumbers(ReportData& data) {
  const std::string rule = "synthetic data, rule of the test";
  const auto add = [&](std::string key, std::string label, double value, double low, double high,
                       std::string unit, std::string paper) {
    data.numbers.push_back({std::move(key), std::move(label), value, low, high, std::move(unit),
                            std::move(paper), rule});
  };
  add("seconds", "Time of the whole study", 684.2, kNoNumber, kNoNumber, "seconds", "");
  add("uniform_share", "Share of 1 to 70 spikes, uniform prior", 0.0204, 0.0192, 0.0217, "share",
      "2 %");
  add("constrained_share", "Share of 1 to 70 spikes, constrained prior", 0.413, 0.4075, 0.4186,
      "share", "38 %");
  add("share_ratio", "Constrained over uniform share", 20.2, 18.9, 21.7, "", "19");
  add("false_negative_rate", "False-negative rate of the classifier", 0.0312, 0.0222, 0.0461,
      "share", "\"low\"");
  add("false_negative_bound", "Its 95 % upper bound", 0.0461, kNoNumber, kNoNumber, "share", "");
  add("theta_inside_99_features", "Target inside the central 99 %, 12 features", 1, kNoNumber,
      kNoNumber, "", "dense near the target");
  add("theta_inside_99_summary", "Target inside the central 99 %, summary network", 1, kNoNumber,
      kNoNumber, "", "dense near the target");
  add("log_density_prior", "Log density, constrained prior", 3.31, kNoNumber, kNoNumber, "nats",
      "");
  add("log_density_features", "Log density, 12 features", 8.74, 8.52, 8.96, "nats", "");
  add("log_density_summary", "Log density, summary network", 11.02, 10.81, 11.23, "nats", "");
  add("log_density_difference", "Summary network minus features", 2.28, 2.01, 2.55, "nats", "> 0");
  for (const std::string input : {"features", "summary"}) {
    for (const std::string& parameter : data.parameters) {
      add("sbc_p_" + input + "_" + parameter, "Uniform ranks, " + input + ", " + parameter, 0.34,
          kNoNumber, kNoNumber, "", "");
    }
    for (const std::string& key : {input, "other_run_" + input}) {
      add("coverage_90_" + key, "Coverage of 90 % regions, " + key, 0.872, 0.842, 0.897, "share",
          "");
      add("calibration_p_" + key, "Smallest p, " + key, key == input ? 0.2 : 0.0004, kNoNumber,
          kNoNumber, "", "");
      data.numbers.back().provenance =
          key == input ? "calibrated: none of 17 tests rejects at 1 %; after Holm"
                       : "not calibrated: the posteriors are too narrow; after Holm";
      add("atc_" + key, "Area to the TARP curve, " + key, -0.012, kNoNumber, kNoNumber, "", "");
    }
  }
}

void AddCalibration(ReportData& data, Random& random) {
  for (const std::string input : {"features", "summary"}) {
    std::vector<double> loss, ranks;
    for (int epoch = 0; epoch < 30; ++epoch) {
      loss.push_back(-9 + 8 * std::exp(-epoch / 6.0) + 0.03 * random.Normal());
      loss.push_back(-8.7 + 7.8 * std::exp(-epoch / 6.0) + 0.03 * random.Normal());
    }
    for (std::size_t i = 0; i < 600 * kParameters; ++i) {
      ranks.push_back(std::floor(256 * std::pow(random.Uniform(), i % 7 == 2 ? 1.2 : 1.0)));
    }
    AddArray<double>(data, "training." + input + ".loss", "f8", {30, 2}, loss);
    AddArray<std::uint32_t>(data, "sbc." + input + ".ranks", "u4", {600, kParameters}, ranks);
    std::vector<double> band;
    for (double place = 0.05; place < 0.99; place += 0.05) {
      const double half = 0.115 * std::sqrt(place * (1 - place));
      band.insert(band.end(), {place, place - half, place + half});
    }
    AddArray<double>(data, "band." + input, "f8", {band.size() / 3, 3}, band);
    for (const std::string run : {"", ".other_run"}) {
      std::vector<double> levels, tarp;
      for (int i = 0; i < 600; ++i) {
        levels.push_back(std::pow(random.Uniform(), run.empty() ? 0.95 : 0.7));
        tarp.push_back(std::pow(random.Uniform(), run.empty() ? 1.0 : 0.8));
      }
      AddArray<double>(data, "levels." + input + run, "f8", {600}, levels);
      AddArray<double>(data, "tarp." + input + run, "f8", {600}, tarp);
      if (!run.empty()) {
        AddArray<std::uint32_t>(data, "sbc." + input + run + ".ranks", "u4", {600, kParameters},
                                ranks);
      }
    }
  }
}

}  // namespace

ReportData MakeSyntheticReport(const SyntheticOptions& options) {
  Random random(options.seed);
  ReportData data;
  data.study = "demo";
  data.seed = options.seed;
  data.settings = {{"substrate", "synthetic & <hermetic>"}, {"uniform round", "4000 experiments"}};
  data.steps = {{"Uniform round", "50 000 experiments", 61.2, ""}};
  data.parameters = {"g_l", "v_t", "delta_t", "v_r", "a", "b", "g_tau_w"};
  data.parameter_labels = {"g_L", "V_T", "Δ_T", "V_r", "a", "b", "g_τw"};
  data.features = {"spike_count",        "latency_us",       "mean_isi_us",
                   "first_isi_us",       "isi_cv",           "adaptation_index",
                   "peak_counts",        "width_us",         "fast_trough_counts",
                   "slow_trough_counts", "slow_trough_time", "baseline_counts"};
  data.feature_labels = {"spike count",
                         "latency (µs)",
                         "mean ISI (µs)",
                         "first ISI (µs)",
                         "ISI CV",
                         "adaptation index",
                         "peak (counts)",
                         "width (µs)",
                         "fast trough (counts)",
                         "slow trough (counts)",
                         "mean time of slow trough (fraction of ISI)",
                         "baseline (counts)"};
  AddNumbers(data);
  const std::vector<double> target = {320, 610, 540, 410, 220, 300, 480};
  const std::vector<double> features = {17, 42, 58, 31, 0.21, 0.08, 548, 6.2, 243, 262, 0.31, 260};
  const std::size_t n = options.draws;
  AddArray<std::uint16_t>(data, "uniform.spike_count", "u2", {options.uniform},
                          MakeCounts(random, options.uniform, 0.94, 0.021));
  AddArray<std::uint16_t>(data, "constrained.spike_count", "u2", {3000},
                          MakeCounts(random, 3000, 0.42, 0.41));
  AddArray<float>(data, "figure1a.traces", "f4", {4, 1400}, MakeTraces(random, {7, 9, 12, 16}, 3));
  AddArray<std::uint16_t>(data, "target.codes", "u2", {kParameters}, target);
  AddArray<float>(data, "target.trace", "f4", {1400}, MakeTraces(random, {11}, 3));
  AddArray<float>(data, "target.trials", "f4", {10, 1400},
                  MakeTraces(random, std::vector<double>(10, 11), 3));
  AddArray<float>(data, "target.features", "f4", {kFeatures12}, features);
  AddArray<float>(data, "ppc.repeats.features", "f4", {200, kFeatures12},
                  MakeFeatures(random, features, 200, 0.02, false));
  const std::vector<double> rates = {0.5, 6.5, 7, 8, 10, 12, 14, 18};
  AddArray<float>(data, "validation.trace", "f4", {8, 1400}, MakeTraces(random, rates, 3));
  AddArray<std::uint16_t>(data, "validation.codes", "u2", {8, kParameters},
                          MakeDraws(random, target, 8, 100));
  for (const std::string input : {"features", "summary"}) {
    const bool summary = input == "summary";
    AddArray<std::uint16_t>(data, "posterior." + input + ".codes", "u2", {n, kParameters},
                            MakeDraws(random, target, n, summary ? 45 : 110));
    AddArray<double>(data, "posterior." + input + ".log_density", "f8", {n},
                     std::vector<double>(n, 9.0));
    AddArray<std::uint16_t>(data, "map." + input + ".codes", "u2", {kParameters}, target);
    AddArray<float>(data, "map." + input + ".trace", "f4", {1400},
                    MakeTraces(random, {summary ? 11.1 : 11.6}, 3));
    AddArray<float>(data, "ppc." + input + ".features", "f4", {n, kFeatures12},
                    MakeFeatures(random, features, n, summary ? 0.06 : 0.14, true));
    AddArray<float>(data, "validation.map." + input + ".trace", "f4", {8, 1400},
                    MakeTraces(random, rates, 3));
  }
  if (options.calibration) AddCalibration(data, random);
  return data;
}

}  // namespace inferon::report
