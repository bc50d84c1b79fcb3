#include "server/trainer/engine/study_round.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/files.h"
#include "common/features/features.h"
#include "common/inference/names.h"
#include "common/neuron/profile.h"
#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/study_record.h"

namespace inferon::trainer {
namespace {

constexpr std::uint64_t kBlockValues = 1 << 20;  // Points of traces in one block.

Result<StudyRecord> ReadStudy(const std::filesystem::path& folder, const std::string& study) {
  const auto text = ReadFile(folder / "study.json");
  if (!text) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no study {}", study),
                "List the studies with 'inferon study list'");
  }
  return StudyFromJson(*text);
}

// Round names of the pipeline are ids.
Result<DataSet> OpenRound(const std::filesystem::path& folder, const std::string& study,
                          const std::string& round) {
  if (Status ok = CheckId("round", round); !ok) return tl::unexpected(ok.error());
  if (!DataSet::Exists(folder, round)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("study {} has no complete round '{}'", study, round),
                "Rounds are uniform, calibration, audit, constrained, validation and target; wait "
                "until it has run");
  }
  return DataSet::Open(folder, round);
}

StudyRows RowsOf(const DataSet& data, std::uint64_t first, std::uint64_t count) {
  StudyRows rows;
  for (std::uint64_t i = first; i < first + count; ++i) {
    const auto codes = data.Codes(i);
    rows.codes.insert(rows.codes.end(), codes.begin(), codes.end());
    const auto features = data.FeatureRow(i);
    rows.features.insert(rows.features.end(), features.begin(), features.end());
    const Observation observation = data.At(i);
    rows.trace.insert(rows.trace.end(), observation.trace.begin(), observation.trace.end());
    rows.spike_count.push_back(static_cast<std::uint32_t>(observation.spike_time_us.size()));
    rows.spike_time_us.insert(rows.spike_time_us.end(), observation.spike_time_us.begin(),
                              observation.spike_time_us.end());
  }
  return rows;
}

}  // namespace

Result<StudyRoundInfo> ReadStudyRound(const std::filesystem::path& studies,
                                      const std::string& study, const std::string& round,
                                      const InferenceEngine::TakeStudyRows& take,
                                      std::stop_token stop) {
  if (Status ok = CheckId("study", study); !ok) return tl::unexpected(ok.error());
  const std::filesystem::path folder = studies / study;
  const auto record = ReadStudy(folder, study);
  if (!record) return tl::unexpected(record.error());
  const auto data = OpenRound(folder, study, round);
  if (!data) return tl::unexpected(data.error());
  const auto profile = ParseProfile(record->spec.profile_toml);
  if (!profile) return tl::unexpected(profile.error());
  StudyRoundInfo info{study,
                      round,
                      data->size(),
                      data->points(),
                      record->spec.protocol.grid_step_us,
                      profile->ParameterNames(),
                      {},
                      data->sha256()};
  for (std::size_t f = 0; f < kFeatureCount; ++f) {
    info.features.emplace_back(FeatureName(static_cast<Feature>(f)));
  }
  const std::uint64_t block =
      std::max<std::uint64_t>(1, kBlockValues / std::max<std::uint64_t>(info.points, 1));
  for (std::uint64_t at = 0; at < info.rows; at += block) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the export was cancelled");
    const std::uint64_t n = std::min(block, info.rows - at);
    if (Status ok = take(info, RowsOf(*data, at, n)); !ok) return tl::unexpected(ok.error());
  }
  return info;
}

}  // namespace inferon::trainer
