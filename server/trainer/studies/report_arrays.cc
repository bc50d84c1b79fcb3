#include <algorithm>
#include <limits>

#include "server/trainer/statistics/calibration.h"
#include "server/trainer/studies/report_step.h"

namespace inferon::trainer {
namespace {

// Most counts that one array of the report holds: it stays under the API's 64 MiB.
constexpr std::uint64_t kMostCounts = 30'000'000;
constexpr std::uint64_t kSampleTraces = 4;
constexpr std::uint64_t kShownTrials = 10;

template <typename T>
ReportArray MakeArray(const std::string& name, const std::vector<T>& values,
                      std::vector<std::uint64_t> shape) {
  return {name, std::string(NpyType<T>().substr(1)), std::move(shape),
          std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T))};
}

// Spikes in the stimulus window of each experiment.
ReportArray SpikeCounts(const std::string& name, const DataSet& data) {
  std::vector<std::uint16_t> counts;
  for (std::uint64_t i = 0; i < std::min(data.size(), kMostCounts); ++i) {
    counts.push_back(static_cast<std::uint16_t>(std::min<std::uint32_t>(
        data.StimulusSpikes(i), std::numeric_limits<std::uint16_t>::max())));
  }
  return MakeArray(name, counts, {counts.size()});
}

ReportArray Traces(const std::string& name, const DataSet& data,
                   const std::vector<std::uint64_t>& rows) {
  std::vector<float> traces;
  for (const std::uint64_t row : rows) {
    const auto trace = data.Trace(row);
    traces.insert(traces.end(), trace.begin(), trace.end());
  }
  return MakeArray(name, traces, {rows.size(), data.points()});
}

ReportArray OneTrace(const std::string& name, const DataSet& data, std::uint64_t row) {
  ReportArray array = Traces(name, data, {row});
  array.shape = {data.points()};
  return array;
}

ReportArray FeatureRows(const std::string& name, const DataSet& data, std::uint64_t rows) {
  const auto values = data.AllFeatures().first(rows * kFeatureCount);
  return MakeArray(name, std::vector<float>(values.begin(), values.end()), {rows, kFeatureCount});
}

std::vector<std::uint64_t> Consecutive(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> rows;
  for (std::uint64_t i = first; i < first + count; ++i) rows.push_back(i);
  return rows;
}

// Relevant experiments with few to many spikes: the lower quantiles of the spike count, each count
// once.
std::vector<std::uint64_t> SampleRows(const DataSet& data, const StudySpec& spec) {
  std::vector<std::pair<std::uint32_t, std::uint64_t>> relevant;
  for (std::uint64_t i = 0; i < data.size(); ++i) {
    const std::uint32_t spikes = data.StimulusSpikes(i);
    if (spec.IsRelevant(spikes)) relevant.emplace_back(spikes, i);
  }
  std::sort(relevant.begin(), relevant.end());
  std::vector<std::uint64_t> rows;
  std::uint32_t last = std::numeric_limits<std::uint32_t>::max();
  for (std::uint64_t i = 0; i < kSampleTraces && !relevant.empty(); ++i) {
    const auto& [spikes, row] = relevant[relevant.size() * (2 * i + 1) / (2 * kSampleTraces)];
    if (spikes != last) rows.push_back(row);
    last = spikes;
  }
  return rows;
}

ReportArray Losses(const InputResults& r) {
  std::vector<double> values;
  const std::size_t epochs = std::min(r.losses.training.size(), r.losses.heldout.size());
  for (std::size_t e = 0; e < epochs; ++e) {
    values.push_back(r.losses.training[e]);
    values.push_back(r.losses.heldout[e]);
  }
  return MakeArray("training." + r.input + ".loss", values, {epochs, 2});
}

ReportArray CoverageCurve(const InputResults& r) {
  std::vector<double> values;
  for (const double level : CredibleLevels()) {
    values.push_back(level);
    values.push_back(statistics::Coverage(r.diagnostics.validation.tests.levels, level));
  }
  return MakeArray("coverage." + r.input, values, {values.size() / 2, 2});
}

// What the figures of calibration are drawn from. Nothing where no row could be tested.
void AddTests(const std::string& name, const RoundDiagnostics& round, std::uint64_t d,
              std::vector<ReportArray>& arrays) {
  const statistics::CalibrationResult& tests = round.tests;
  const std::uint64_t n = round.rows.size();
  if (n == 0) return;
  arrays.push_back(MakeArray("sbc." + name + ".ranks", tests.ranks, {n, d}));
  arrays.push_back(MakeArray("levels." + name, tests.levels, {n}));
  arrays.push_back(MakeArray("tarp." + name, tests.tarp_levels, {n}));
  std::vector<double> band;
  for (const auto& point : tests.band) {
    band.insert(band.end(), {point.place, point.low, point.high});
  }
  arrays.push_back(MakeArray("band." + name, band, {tests.band.size(), 3}));
}

void AddInput(const InputResults& r, std::vector<ReportArray>& arrays) {
  const auto& codes = r.posterior.codes;
  const std::uint64_t n = codes.rows();
  const std::uint64_t d = codes.columns();
  const std::uint64_t figures = r.posterior.maps.rows() - 1;
  const auto copy = [](auto values) {
    return std::vector<typename decltype(values)::value_type>(values.begin(), values.end());
  };
  arrays.push_back(MakeArray("posterior." + r.input + ".codes", copy(codes.values()), {n, d}));
  arrays.push_back(MakeArray("posterior." + r.input + ".log_density",
                             copy(r.posterior.log_density.values()), {n}));
  arrays.push_back(MakeArray("map." + r.input + ".codes", copy(r.posterior.maps.Row(0)), {d}));
  arrays.push_back(OneTrace("map." + r.input + ".trace", r.check, n));
  arrays.push_back(FeatureRows("ppc." + r.input + ".features", r.check, n));
  arrays.push_back(
      Traces("validation.map." + r.input + ".trace", r.check, Consecutive(n + 1, figures)));
  arrays.push_back(Losses(r));
  arrays.push_back(CoverageCurve(r));
  AddTests(r.input, r.diagnostics.validation, d, arrays);
  if (r.diagnostics.other_run) {
    AddTests(r.input + ".other_run", *r.diagnostics.other_run, d, arrays);
  }
}

}  // namespace

std::vector<ReportArray> ReportArrays(const StudyContext& study, const StudyResults& results) {
  std::vector<ReportArray> arrays;
  const DataSet& target = results.target;
  arrays.push_back(SpikeCounts("uniform.spike_count", results.uniform));
  arrays.push_back(SpikeCounts("constrained.spike_count", results.constrained));
  arrays.push_back(
      Traces("figure1a.traces", results.constrained, SampleRows(results.constrained, study.spec)));
  const auto theta = target.Codes(0);
  arrays.push_back(MakeArray("target.codes", std::vector<std::uint16_t>(theta.begin(), theta.end()),
                             {theta.size()}));
  arrays.push_back(OneTrace("target.trace", target, 0));
  arrays.push_back(
      Traces("target.trials", target, Consecutive(0, std::min(kShownTrials, target.size()))));
  ReportArray features = FeatureRows("target.features", target, 1);
  features.shape = {kFeatureCount};
  arrays.push_back(std::move(features));
  arrays.push_back(FeatureRows("ppc.repeats.features", target, target.size()));
  const std::vector<std::uint64_t> figure_rows = FigureRows(study, results.validation);
  arrays.push_back(Traces("validation.trace", results.validation, figure_rows));
  std::vector<std::uint16_t> codes;
  for (const std::uint64_t row : figure_rows) {
    const auto set = results.validation.Codes(row);
    codes.insert(codes.end(), set.begin(), set.end());
  }
  arrays.push_back(MakeArray("validation.codes", codes, {figure_rows.size(), target.dimension()}));
  for (const InputResults& r : results.inputs) AddInput(r, arrays);
  return arrays;
}

}  // namespace inferon::trainer
