#include "server/trainer/studies/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/philox.h"
#include "server/trainer/queries/posterior.h"
#include "server/trainer/statistics/calibration.h"
#include "server/trainer/studies/estimator_steps.h"
#include "server/trainer/studies/rounds.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

// Calls of the estimator are small here: a few hundred draws are wanted for each observation.
constexpr std::size_t kTile = 512;

std::filesystem::path Path(const StudyContext& study, const std::string& input,
                           const std::string& what) {
  return study.folder / fmt::format("diagnostics.{}.{}", input, what);
}

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

// Ranks and credible level of one validation row, appended to the diagnostics.
Status AppendCalibration(const StudyContext& study, const LoadedModel& model,
                         const DataSet& validation, std::uint64_t row, Diagnostics& out,
                         std::stop_token stop) {
  const std::vector<float> x = InputOf(SourceOf(model.record.input, validation), row);
  const std::string stream = fmt::format("calibration/{}/{}", model.record.input, row);
  PosteriorSampler sampler(model, x, DerivedSeed(study.spec.seed, stream), {.tile = kTile});
  const auto draws = sampler.Next(study.options.calibration_draws, stop);
  if (!draws && draws.error().code == ErrorCode::kFailedPrecondition) {
    ++out.left_out;
    return {};
  }
  if (!draws) return tl::unexpected(draws.error());
  const std::size_t d = study.dimension();
  const auto truth = validation.Codes(row);
  PhiloxSequence random(StreamKey(study.spec.seed, "ranks/" + stream));
  std::vector<std::uint16_t> column(draws->size());
  for (std::size_t p = 0; p < d; ++p) {
    for (std::size_t i = 0; i < column.size(); ++i) column[i] = draws->codes[i * d + p];
    out.ranks.push_back(statistics::RankOf(truth[p], column, random));
  }
  const std::vector<float> centre = CellCentres(truth);
  const double density = model.estimator->LogDensity(x, {centre.data(), 1, d}).front();
  out.levels.push_back(statistics::HighestDensityLevel(density, draws->log_density));
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
  if (std::filesystem::exists(Path(study, input, "json"))) return {};
  const auto model = study.registry.Load(ModelId(study.id, input));
  if (!model) return tl::unexpected(model.error());
  const auto validation = DataSet::Open(study.folder, "validation");
  if (!validation) return tl::unexpected(validation.error());
  Diagnostics out;
  out.heldout = HeldoutDensities(study, **model, *validation);
  for (std::uint64_t row = 0; row < validation->size(); ++row) {
    const Status status = AppendCalibration(study, **model, *validation, row, out, stop);
    if (!status) return status;
    study.journal.Progress("diagnostics", row + 1, validation->size(), input);
  }
  const std::size_t d = study.dimension();
  WriteArray(Path(study, input, "heldout.npy"), std::span<const double>(out.heldout),
             {out.heldout.size()});
  WriteArray(Path(study, input, "ranks.npy"), std::span<const std::uint32_t>(out.ranks),
             {out.ranks.size() / d, d});
  WriteArray(Path(study, input, "levels.npy"), std::span<const double>(out.levels),
             {out.levels.size()});
  study.At("diagnostics:" + input);
  WriteFileAtomically(
      Path(study, input, "json"),
      json{{"draws", study.options.calibration_draws}, {"left_out", out.left_out}}.dump() + "\n");
  return {};
}

Result<Diagnostics> ReadDiagnostics(const StudyContext& study, const std::string& input) {
  const auto heldout = MappedArray<double>::Open(Path(study, input, "heldout.npy"));
  if (!heldout) return tl::unexpected(heldout.error());
  const auto ranks = MappedArray<std::uint32_t>::Open(Path(study, input, "ranks.npy"));
  if (!ranks) return tl::unexpected(ranks.error());
  const auto levels = MappedArray<double>::Open(Path(study, input, "levels.npy"));
  if (!levels) return tl::unexpected(levels.error());
  const auto text = ReadFile(Path(study, input, "json"));
  if (!text) return tl::unexpected(text.error());
  const json j = json::parse(*text, nullptr, false);
  if (!j.is_object()) {
    return Fail(ErrorCode::kDataLoss, "the diagnostics of " + input + " are damaged",
                "Start a new study");
  }
  Diagnostics out;
  out.heldout.assign(heldout->values().begin(), heldout->values().end());
  out.ranks.assign(ranks->values().begin(), ranks->values().end());
  out.levels.assign(levels->values().begin(), levels->values().end());
  out.draws = j.value("draws", 0u);
  out.left_out = j.value("left_out", std::uint64_t{0});
  return out;
}

}  // namespace inferon::trainer
