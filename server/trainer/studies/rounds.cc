#include "server/trainer/studies/rounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "common/base/philox.h"
#include "server/trainer/studies/classifier_steps.h"
#include "server/trainer/studies/draws.h"

namespace inferon::trainer {
namespace {

std::filesystem::path SetsPath(const StudyContext& study, const std::string& name) {
  return study.folder / (name + ".sets.npy");
}

Result<ParameterSets> ReadSets(const StudyContext& study, const std::string& name) {
  const auto sets = MappedArray<std::uint16_t>::Open(SetsPath(study, name));
  if (!sets) return tl::unexpected(sets.error());
  return ParameterSets{sets->columns(), {sets->values().begin(), sets->values().end()}};
}

void WriteSets(const StudyContext& study, const std::string& name, const ParameterSets& sets) {
  WriteArray(SetsPath(study, name), std::span(sets.codes), {sets.size(), sets.dimension});
  study.At(name + ":sets");
}

// Part of a round that is one job.
struct RoundPart {
  std::uint64_t first_set = 0;
  std::uint64_t sets = 0;
  std::string job;
};

ExperimentJob JobOf(const StudyContext& study, const Round& round, const RoundPart& part,
                    std::size_t number) {
  ExperimentJob job;
  job.project = study.spec.project;
  job.sets.dimension = round.sets.dimension;
  const auto codes =
      std::span(round.sets.codes)
          .subspan(part.first_set * round.sets.dimension, part.sets * round.sets.dimension);
  job.sets.codes.assign(codes.begin(), codes.end());
  const std::string digest =
      Sha256Hex({reinterpret_cast<const char*>(codes.data()), codes.size_bytes()}).substr(0, 8);
  job.request_id = fmt::format("{}.{}.{}.{}", study.id, round.name, number, digest);
  job.title = fmt::format("Study {}: {}", study.id, round.name);
  job.trials = round.trials;
  job.profile_toml = study.spec.profile_toml;
  job.protocol = study.spec.protocol;
  job.device = round.device.value_or(study.spec.device);
  job.seed = DerivedSeed(study.spec.seed, fmt::format("experiments/{}/{}", round.name, number));
  job.substrate = study.spec.substrate;
  job.priority = round.priority;
  return job;
}

// Submits all parts before the first result is waited for, so that the workers never idle.
Result<std::vector<RoundPart>> Submit(const StudyContext& study, const Round& round,
                                      std::stop_token stop) {
  std::vector<RoundPart> parts;
  // A job has at most this many experiments, whatever the trials.
  const std::uint64_t most = std::max(1u, study.options.sets_per_job / round.trials);
  for (std::uint64_t first = 0; first < round.sets.size(); first += most) {
    RoundPart part{.first_set = first,
                   .sets = std::min<std::uint64_t>(most, round.sets.size() - first)};
    const ExperimentJob job = JobOf(study, round, part, parts.size());
    const Result<std::string> name = study.experiments.Submit(job, stop);
    if (!name) return tl::unexpected(name.error());
    part.job = *name;
    study.journal.Change([&](StudyRecord& record) { record.jobs[job.request_id] = *name; });
    parts.push_back(std::move(part));
    study.At(round.name + ":submitted");
  }
  return parts;
}

// How real the device was that an observation's provenance tells of.
std::string DeviceMode(const std::string& provenance) {
  const auto json = nlohmann::json::parse(provenance, nullptr, false);
  if (!json.is_object()) return "unknown";
  for (const char* key : {"mode", "substrate"}) {  // An emulator's says no mode.
    const auto found = json.find(key);
    if (found != json.end() && found->is_string()) return found->get<std::string>();
  }
  return "unknown";
}

// Remembers how real the device was; refuses another mode than before unless the study allows it.
Status NoteMode(const StudyContext& study, const std::string& job,
                const ObservationBatch& observations) {
  const std::string mode = DeviceMode(observations.provenance);
  const std::vector<std::string> known = study.journal.Snapshot().modes;
  if (std::find(known.begin(), known.end(), mode) != known.end()) return {};
  if (!known.empty() && !study.spec.allow_mixed_modes) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("results of {} come from a device in mode '{}', the study's earlier "
                            "ones from mode '{}'",
                            job, mode, known.front()),
                "Start a new study on devices of one mode, or allow mixed modes");
  }
  study.journal.Change([&](StudyRecord& record) {
    const auto& modes = record.modes;
    if (std::find(modes.begin(), modes.end(), mode) == modes.end()) record.modes.push_back(mode);
  });
  return {};
}

// Takes the results of a round's jobs into its data set.
class RoundCollector {
 public:
  RoundCollector(const StudyContext& study, const Round& round)
      : study_(study),
        round_(round),
        total_(round.sets.size() * round.trials),
        writer_(study.folder, round.name, round.sets.dimension, study.spec.protocol) {}

  Status Collect(const RoundPart& part, std::stop_token stop) {
    return study_.experiments.Collect(part.job, part.sets * round_.trials, stop,
                                      [&](ExperimentResults results) {
                                        results.first_index += part.first_set * round_.trials;
                                        return Take(part, results);
                                      });
  }

  void Finish() { writer_.Finish(); }

 private:
  Status Take(const RoundPart& part, const ExperimentResults& results) {
    if (results.error.empty()) {
      if (Status same = NoteMode(study_, part.job, results.observations); !same) return same;
      std::vector<std::uint16_t> codes;
      codes.reserve(results.count * round_.sets.dimension);
      for (std::uint64_t e = results.first_index; e < results.first_index + results.count; ++e) {
        const auto row = round_.sets[e / round_.trials];
        codes.insert(codes.end(), row.begin(), row.end());
      }
      if (Status added = writer_.Append(codes, results.observations); !added) return added;
    } else if (Status allowed = TakeFailed(part, results); !allowed) {
      return allowed;
    }
    study_.journal.Progress(round_.step, writer_.rows() + writer_.failed(), total_, round_.name);
    study_.At(round_.name + ":results");
    return {};
  }

  Status TakeFailed(const RoundPart& part, const ExperimentResults& results) {
    for (std::uint64_t e = results.first_index; e < results.first_index + results.count; ++e) {
      writer_.AppendFailed(e, results.error);
    }
    const auto allowed =
        static_cast<std::uint64_t>(round_.failed_share * static_cast<double>(total_));
    if (writer_.failed() <= allowed) return {};
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} experiments of job {} failed for good, more than the {} that the "
                            "{} round allows; the last: {}",
                            writer_.failed(), part.job, allowed, round_.name, results.error),
                "Look at the job with `inferon job watch`, remove the cause and start a new study");
  }

  const StudyContext& study_;
  const Round& round_;
  const std::uint64_t total_;
  DataSetWriter writer_;
};

}  // namespace

std::uint64_t DerivedSeed(std::uint64_t seed, std::string_view name) {
  const PhiloxKey key = StreamKey(seed, name);
  return std::uint64_t{key[0]} << 32 | key[1];
}

Status RunRound(const StudyContext& study, const Round& round, std::stop_token stop) {
  if (DataSet::Exists(study.folder, round.name)) return {};
  const auto parts = Submit(study, round, stop);
  if (!parts) return tl::unexpected(parts.error());
  RoundCollector collector(study, round);
  for (const RoundPart& part : *parts) {
    if (Status status = collector.Collect(part, stop); !status) return status;
  }
  study.At(round.name + ":collected");
  collector.Finish();
  return {};
}

Status RunUniformRound(const StudyContext& study, const std::string& step, std::uint32_t count,
                       std::int32_t priority, std::stop_token stop) {
  const Round round{.name = step,
                    .step = step,
                    .sets = UniformSets(study.spec.seed, step, study.dimension(), 0, count),
                    .priority = priority,
                    .failed_share = study.options.failed_share};
  return RunRound(study, round, stop);
}

Status RunConstrainedRound(const StudyContext& study, const std::string& step, std::uint32_t count,
                           std::int32_t priority, std::stop_token stop) {
  if (!std::filesystem::exists(SetsPath(study, step))) {
    const auto classifier = LoadStudyClassifier(study);
    if (!classifier) return tl::unexpected(classifier.error());
    study.journal.Note(step, "drawing parameter sets");
    const auto draws =
        ConstrainedSets(classifier->PriorSupport(), study.spec.seed, step, study.dimension(), count,
                        study.options.least_acceptance, stop, nullptr);
    if (!draws) return tl::unexpected(draws.error());
    WriteFileAtomically(
        study.folder / (step + ".draws.json"),
        nlohmann::json{{"accepted", draws->sets.size()}, {"candidates", draws->candidates}}.dump() +
            "\n");
    WriteSets(study, step, draws->sets);
    study.journal.Note(step, "");
  }
  auto sets = ReadSets(study, step);
  if (!sets) return tl::unexpected(sets.error());
  const Round round{.name = step,
                    .step = step,
                    .sets = std::move(*sets),
                    .priority = priority,
                    .failed_share = study.options.failed_share};
  return RunRound(study, round, stop);
}

Status RunOtherRun(const StudyContext& study, std::stop_token stop) {
  auto sets = ReadSets(study, "validation");
  if (!sets) return tl::unexpected(sets.error());
  DeviceId device = study.spec.device;
  device.run = device.run < kMaxRun ? device.run + 1 : device.run - 1;
  const Round round{.name = kOtherRun,
                    .step = "diagnostics",
                    .sets = std::move(*sets),
                    .failed_share = study.options.failed_share,
                    .device = device};
  return RunRound(study, round, stop);
}

Result<DrawEffort> ReadDrawEffort(const StudyContext& study, const std::string& step) {
  const auto text = ReadFile(study.folder / (step + ".draws.json"));
  if (!text) return tl::unexpected(text.error());
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object()) {
    return Fail(ErrorCode::kDataLoss, step + ".draws.json is damaged", "Start a new study");
  }
  return DrawEffort{json.value("accepted", std::uint64_t{0}),
                    json.value("candidates", std::uint64_t{0})};
}

}  // namespace inferon::trainer
