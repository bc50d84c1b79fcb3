#include "server/trainer/studies/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/philox.h"
#include "server/trainer/queries/posterior.h"
#include "server/trainer/statistics/summaries.h"
#include "server/trainer/studies/estimator_steps.h"
#include "server/trainer/studies/rounds.h"
#include "server/trainer/studies/target_steps.h"

namespace inferon::trainer {
namespace {

// Calls of the estimator are small here: a few hundred draws are wanted for each observation.
constexpr std::size_t kTile = 512;
constexpr std::size_t kGuessRows = 4000;

estimators::RowSource SourceOf(const std::string& input, const DataSet& data) {
  return input == "summary" ? data.TraceSource() : data.FeatureSource();
}

std::vector<float> InputOf(const estimators::RowSource& source, std::uint64_t row) {
  std::vector<float> x(source.columns);
  const std::uint32_t index = static_cast<std::uint32_t>(row);
  source.fill(std::span(&index, 1), x.data());
  return x;
}

// Log density of the true parameters of the held-out rows. A code is put at a random place of its
// cell, as in training; the place is the same for both models.
std::vector<double> HeldoutDensities(const StudyContext& study, const LoadedModel& model,
                                     const DataSet& validation) {
  const std::vector<std::uint64_t> rows = HeldoutRows(study, validation);
  const std::size_t d = study.dimension();
  PhiloxSequence random(StreamKey(study.spec.seed, "heldout"));
  std::vector<float> theta;
  theta.reserve(rows.size() * d);
  for (const std::uint64_t row : rows) {
    for (const std::uint16_t code : validation.Codes(row)) {
      theta.push_back(static_cast<float>((code + random.Uniform()) / kCodeCount));
    }
  }
  const estimators::RowSource all = SourceOf(model.record.input, validation);
  const estimators::RowSource held_out{rows.size(), all.columns,
                                       [&](std::span<const std::uint32_t> indices, float* out) {
                                         std::vector<std::uint32_t> wanted;
                                         for (const std::uint32_t i : indices) {
                                           wanted.push_back(static_cast<std::uint32_t>(rows[i]));
                                         }
                                         all.fill(wanted, out);
                                       }};
  return model.estimator->LogDensityPairs(held_out, {theta.data(), rows.size(), d});
}

std::vector<double> Doubles(std::span<const std::uint16_t> codes) {
  return {codes.begin(), codes.end()};
}

// What the input says of the parameters, learned on constrained experiments, which no test uses.
Result<statistics::ThetaGuess> FitGuess(const StudyContext& study, const std::string& input) {
  const auto data = DataSet::Open(study.folder, "constrained");
  if (!data) return tl::unexpected(data.error());
  const estimators::RowSource source = SourceOf(input, *data);
  const std::size_t rows = std::min<std::size_t>(data->size(), kGuessRows);
  std::vector<std::uint32_t> indices(rows);
  std::iota(indices.begin(), indices.end(), 0u);
  std::vector<float> x(rows * source.columns);
  source.fill(indices, x.data());
  const std::vector<double> theta = Doubles(data->AllCodes().first(rows * study.dimension()));
  return statistics::ThetaGuess::Fit(theta, study.dimension(), x, source.columns);
}

// Mean over the parameters of the log of the draws' standard deviation, at least half a code.
double LogWidth(std::span<const double> draws, std::size_t d) {
  double sum = 0;
  for (std::size_t p = 0; p < d; ++p) {
    std::vector<double> column;
    for (std::size_t i = p; i < draws.size(); i += d) column.push_back(draws[i]);
    sum += std::log(std::max(statistics::StandardDeviation(column), 0.5));
  }
  return sum / static_cast<double>(d);
}

// Tests one model on one round. Not thread-safe.
class RoundTest {
 public:
  RoundTest(const StudyContext& study, const LoadedModel& model, const DataSet& data,
            const std::string& name, const statistics::ThetaGuess& guess)
      : study_(study),
        model_(model),
        data_(data),
        name_(name),
        source_(SourceOf(model.record.input, data)),
        tests_(guess, DerivedSeed(study.spec.seed, "tests/" + name + "/" + model.record.input)) {}

  Result<RoundDiagnostics> Run(std::stop_token stop) {
    out_.heldout = HeldoutDensities(study_, model_, data_);
    for (std::uint64_t row = 0; row < data_.size(); ++row) {
      if (Status ok = AddRow(row, stop); !ok) return tl::unexpected(ok.error());
      study_.journal.Progress("diagnostics", row + 1, data_.size(),
                              name_ + "/" + model_.record.input);
    }
    out_.outlier_share = static_cast<double>(outliers_) / static_cast<double>(data_.size());
    if (tests_.pairs() > 0) {
      out_.tests = tests_.Finish();
      out_.verdict = out_.tests.Verdict(study_.profile.ParameterNames());
    } else {
      out_.verdict = "not tested: no observation gave enough draws inside the constrained prior";
    }
    return std::move(out_);
  }
  double LocalPValue(std::span<const float> x, std::span<const double> draws) const {
    return tests_.LocalPValue(x, draws);
  }

 private:
  Status AddRow(std::uint64_t row, std::stop_token stop) {
    const std::vector<float> x = InputOf(source_, row);
    outliers_ += model_.estimator->OutlierScore(x) > kOutlierScore;
    const std::string stream = fmt::format("{}/{}/{}", name_, model_.record.input, row);
    PosteriorSampler sampler(model_, x, DerivedSeed(study_.spec.seed, stream), {.tile = kTile});
    const auto draws = sampler.Next(study_.options.calibration_draws, stop);
    if (!draws && draws.error().code == ErrorCode::kFailedPrecondition) {
      ++out_.left_out;
      return {};
    }
    if (!draws) return tl::unexpected(draws.error());
    const std::size_t d = study_.dimension();
    const auto truth = data_.Codes(row);
    const std::vector<float> centre = CellCentres(truth);
    const double density = model_.estimator->LogDensity(x, {centre.data(), 1, d}).front();
    const std::vector<double> codes = Doubles(draws->codes);
    tests_.Add(row, {Doubles(truth), x, codes, density, draws->log_density});
    out_.rows.push_back(static_cast<std::uint32_t>(row));
    out_.widths.push_back(LogWidth(codes, d));
    return {};
  }

  const StudyContext& study_;
  const LoadedModel& model_;
  const DataSet& data_;
  const std::string name_;
  const estimators::RowSource source_;
  statistics::CalibrationTests tests_;
  RoundDiagnostics out_;
  std::uint64_t outliers_ = 0;
};

// What the tests and the model say of the target's own observation.
Status DiagnoseTarget(const StudyContext& study, const LoadedModel& model, const RoundTest& test,
                      Diagnostics& out) {
  const auto target = DataSet::Open(study.folder, "target");
  if (!target) return tl::unexpected(target.error());
  const auto posterior = ReadPosterior(study, model.record.input);
  if (!posterior) return tl::unexpected(posterior.error());
  const std::vector<float> x = InputOf(SourceOf(model.record.input, *target), 0);
  out.target_outlier_score = model.estimator->OutlierScore(x);
  if (posterior->codes.rows() < 2) return {};
  out.local_p_value = test.LocalPValue(x, Doubles(posterior->codes.values()));
  return {};
}

}  // namespace

std::vector<std::uint64_t> HeldoutRows(const StudyContext& study, const DataSet& validation) {
  std::vector<std::uint64_t> rows;
  for (std::uint64_t row = 0; row < validation.size(); ++row) {
    if (study.spec.IsRelevant(validation.StimulusSpikes(row))) rows.push_back(row);
  }
  return rows;
}

Status Diagnose(const StudyContext& study, const std::string& input, std::stop_token stop) {
  if (HasDiagnostics(study, input)) return {};
  const auto model = study.registry.Load(ModelId(study.id, input));
  if (!model) return tl::unexpected(model.error());
  const auto guess = FitGuess(study, input);
  if (!guess) return tl::unexpected(guess.error());
  const auto validation = DataSet::Open(study.folder, "validation");
  if (!validation) return tl::unexpected(validation.error());
  Diagnostics out;
  RoundTest test(study, **model, *validation, "validation", *guess);
  auto tested = test.Run(stop);
  if (!tested) return tl::unexpected(tested.error());
  out.validation = std::move(*tested);
  if (DataSet::Exists(study.folder, kOtherRun)) {
    const auto other = DataSet::Open(study.folder, kOtherRun);
    if (!other) return tl::unexpected(other.error());
    auto result = RoundTest(study, **model, *other, kOtherRun, *guess).Run(stop);
    if (!result) return tl::unexpected(result.error());
    out.other_run = std::move(*result);
  }
  if (Status ok = DiagnoseTarget(study, **model, test, out); !ok) return ok;
  WriteDiagnostics(study, input, out);
  return {};
}

}  // namespace inferon::trainer
