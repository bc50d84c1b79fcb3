#include "server/trainer/studies/target_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "common/base/files.h"
#include "common/base/philox.h"
#include "server/trainer/studies/estimator_steps.h"
#include "server/trainer/studies/rounds.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

// Spikes that make a good figure, and codes that keep its posterior off the box's edge (the central
// 90 %).
constexpr std::uint32_t kLeastTargetSpikes = 8;
constexpr std::uint32_t kMostTargetSpikes = 30;
constexpr std::uint16_t kLeastTargetCode = kCodeCount / 20;
constexpr std::uint16_t kMostTargetCode = kMaxCode - kCodeCount / 20;

std::filesystem::path ChoicePath(const StudyContext& study) {
  return study.folder / "target.choice.json";
}
std::filesystem::path PosteriorPath(const StudyContext& study, const std::string& input,
                                    const std::string& what) {
  return study.folder / fmt::format("posterior.{}.{}", input, what);
}

bool AllSpikesInStimulus(const DataSet& data, std::uint64_t row) {
  return data.At(row).spike_time_us.size() == data.StimulusSpikes(row);
}

bool IsCentral(std::span<const std::uint16_t> codes) {
  return std::ranges::all_of(codes, [](std::uint16_t code) {
    return code >= kLeastTargetCode && code <= kMostTargetCode;
  });
}

// First validation row of the strictest rule that any row obeys.
std::optional<std::uint64_t> ChooseRow(const DataSet& validation, const StudySpec& spec,
                                       std::string& rule) {
  const auto first = [&](auto&& fits) -> std::optional<std::uint64_t> {
    for (std::uint64_t row = 0; row < validation.size(); ++row) {
      if (spec.IsRelevant(validation.StimulusSpikes(row)) && fits(row)) return row;
    }
    return std::nullopt;
  };
  const auto good_count = [&](std::uint64_t row) {
    const std::uint32_t spikes = validation.StimulusSpikes(row);
    return spikes >= kLeastTargetSpikes && spikes <= kMostTargetSpikes &&
           AllSpikesInStimulus(validation, row);
  };
  rule = fmt::format("{}..{} spikes, all in the stimulus, every code in {}..{}", kLeastTargetSpikes,
                     kMostTargetSpikes, kLeastTargetCode, kMostTargetCode);
  auto row = first([&](auto r) { return good_count(r) && IsCentral(validation.Codes(r)); });
  if (row) return row;
  rule = fmt::format("{}..{} spikes, all in the stimulus", kLeastTargetSpikes, kMostTargetSpikes);
  row = first(good_count);
  if (row) return row;
  rule = "a relevant spike count";
  return first([](auto) { return true; });
}

struct Target {
  std::vector<std::uint16_t> codes;
  std::string source;
};

Result<Target> ChooseTarget(const StudyContext& study) {
  Target target;
  if (!study.spec.target_codes.empty()) {
    target.codes.assign(study.spec.target_codes.begin(), study.spec.target_codes.end());
    target.source = "given with the study";
    return target;
  }
  const auto validation = DataSet::Open(study.folder, "validation");
  if (!validation) return tl::unexpected(validation.error());
  std::string rule;
  const auto row = ChooseRow(*validation, study.spec, rule);
  if (!row) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("none of {} validation experiments has a relevant spike count",
                            validation->size()),
                "Enlarge the validation round or give target_codes");
  }
  const auto codes = validation->Codes(*row);
  target.codes.assign(codes.begin(), codes.end());
  target.source = fmt::format("first validation row with {}: row {} ({} spikes)", rule, *row,
                              validation->StimulusSpikes(*row));
  return target;
}

Result<json> ReadChoice(const StudyContext& study) {
  const auto text = ReadFile(ChoicePath(study));
  if (!text) return tl::unexpected(text.error());
  json j = json::parse(*text, nullptr, false);
  if (!j.is_object() || !j.contains("codes") || !j.contains("source")) {
    return Fail(ErrorCode::kDataLoss, "target.choice.json is damaged", "Start a new study");
  }
  return j;
}

std::vector<float> InputOf(const std::string& input, const DataSet& data, std::uint64_t row) {
  Features features{};
  std::ranges::copy(data.FeatureRow(row), features.begin());
  return InputRow(input, data.At(row), features);
}

// Most probable sets of the figure-4 observations, appended to `maps`.
Status AppendFigureMaps(const StudyContext& study, const LoadedModel& model,
                        const DataSet& validation, std::vector<std::uint16_t>& maps,
                        std::stop_token stop) {
  const std::string& input = model.record.input;
  const std::vector<std::uint64_t> rows = FigureRows(study, validation);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::uint64_t seed = DerivedSeed(study.spec.seed, fmt::format("figure4/{}/{}", input, i));
    PosteriorSampler sampler(model, InputOf(input, validation, rows[i]), seed);
    const auto map = FindMap(sampler, study.spec.map_draws, model.dimension(), stop);
    if (!map) return tl::unexpected(map.error());
    maps.insert(maps.end(), map->codes.begin(), map->codes.end());
    study.journal.Progress("posterior", study.spec.posterior_draws + (i + 1) * study.spec.map_draws,
                           study.spec.posterior_draws + rows.size() * study.spec.map_draws, input);
  }
  return {};
}

}  // namespace

Result<std::string> TargetChoice(const StudyContext& study) {
  const auto choice = ReadChoice(study);
  if (!choice) return tl::unexpected(choice.error());
  return choice->at("source").get<std::string>();
}

std::vector<std::uint64_t> FigureRows(const StudyContext& study, const DataSet& validation) {
  PhiloxSequence random(StreamKey(study.spec.seed, "figure4"));
  const std::uint64_t wanted =
      std::min<std::uint64_t>(study.options.validation_traces, validation.size());
  std::set<std::uint64_t> rows;
  while (rows.size() < wanted) {
    rows.insert(random.Below(static_cast<std::uint32_t>(validation.size())));
  }
  return {rows.begin(), rows.end()};
}

Status RunTarget(const StudyContext& study, std::stop_token stop) {
  if (!std::filesystem::exists(ChoicePath(study))) {
    const auto target = ChooseTarget(study);
    if (!target) return tl::unexpected(target.error());
    WriteFileAtomically(ChoicePath(study),
                        json{{"codes", target->codes}, {"source", target->source}}.dump() + "\n");
    study.At("target:choice");
  }
  const auto choice = ReadChoice(study);
  if (!choice) return tl::unexpected(choice.error());
  study.journal.Note("target", choice->at("source").get<std::string>());
  const Round round{
      .name = "target",
      .step = "target",
      .sets = {study.dimension(), choice->at("codes").get<std::vector<std::uint16_t>>()},
      .trials = study.spec.target_trials,
      .priority = 1};
  return RunRound(study, round, stop);
}

Status DrawPosterior(const StudyContext& study, const std::string& input, std::stop_token stop) {
  if (std::filesystem::exists(PosteriorPath(study, input, "json"))) return {};
  const auto model = study.registry.Load(ModelId(study.id, input));
  if (!model) return tl::unexpected(model.error());
  const auto target = DataSet::Open(study.folder, "target");
  if (!target) return tl::unexpected(target.error());
  const auto validation = DataSet::Open(study.folder, "validation");
  if (!validation) return tl::unexpected(validation.error());

  PosteriorSampler sampler(**model, InputOf(input, *target, 0),
                           DerivedSeed(study.spec.seed, "posterior/" + input));
  const auto draws = sampler.Next(study.spec.posterior_draws, stop);
  if (!draws) return tl::unexpected(draws.error());
  const MapEstimate map = MostProbable(*draws);
  std::vector<std::uint16_t> maps = map.codes;
  const Status appended = AppendFigureMaps(study, **model, *validation, maps, stop);
  if (!appended) return appended;

  const std::size_t d = study.dimension();
  WriteArray(PosteriorPath(study, input, "codes.npy"), std::span<const std::uint16_t>(draws->codes),
             {draws->size(), d});
  WriteArray(PosteriorPath(study, input, "log_density.npy"),
             std::span<const double>(draws->log_density), {draws->size()});
  WriteArray(PosteriorPath(study, input, "maps.npy"), std::span<const std::uint16_t>(maps),
             {maps.size() / d, d});
  study.At("posterior:" + input);
  WriteFileAtomically(
      PosteriorPath(study, input, "json"),
      json{{"acceptance", sampler.acceptance()}, {"map_log_density", map.log_density}}.dump() +
          "\n");
  return {};
}

Result<PosteriorFiles> ReadPosterior(const StudyContext& study, const std::string& input) {
  auto codes = MappedArray<std::uint16_t>::Open(PosteriorPath(study, input, "codes.npy"));
  if (!codes) return tl::unexpected(codes.error());
  auto density = MappedArray<double>::Open(PosteriorPath(study, input, "log_density.npy"));
  if (!density) return tl::unexpected(density.error());
  auto maps = MappedArray<std::uint16_t>::Open(PosteriorPath(study, input, "maps.npy"));
  if (!maps) return tl::unexpected(maps.error());
  const auto text = ReadFile(PosteriorPath(study, input, "json"));
  if (!text) return tl::unexpected(text.error());
  const json j = json::parse(*text, nullptr, false);
  return PosteriorFiles{*codes, *density, *maps, j.is_object() ? j.value("acceptance", 0.0) : 0.0};
}

Status RunCheck(const StudyContext& study, const std::string& input, std::stop_token stop) {
  const auto posterior = ReadPosterior(study, input);
  if (!posterior) return tl::unexpected(posterior.error());
  Round round{.name = "check-" + input, .step = "check", .sets = {.dimension = study.dimension()}};
  for (const auto& part : {posterior->codes, posterior->maps}) {
    round.sets.codes.insert(round.sets.codes.end(), part.values().begin(), part.values().end());
  }
  return RunRound(study, round, stop);
}

}  // namespace inferon::trainer
