#include "server/trainer/studies/data_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/hash.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kTheta = 0;
constexpr std::size_t kTrace = 1;
constexpr std::size_t kSpikeCount = 2;
constexpr std::size_t kSpikeTimes = 3;
constexpr std::size_t kFeatures = 4;
constexpr int kSchema = 1;

std::filesystem::path ArrayPath(const std::filesystem::path& folder, const std::string& step,
                                const std::string& array) {
  return folder / fmt::format("{}.{}.npy", step, array);
}

std::filesystem::path ManifestPath(const std::filesystem::path& folder, const std::string& step) {
  return folder / fmt::format("{}.json", step);
}

}  // namespace

// One array on its way to the disk.
struct DataSetWriter::Part {
  std::string array;
  std::filesystem::path part_path;
  ArrayWriter writer;

  Part(std::string name, const std::filesystem::path& path, std::string_view type)
      : array(std::move(name)), part_path(path), writer(path, type) {}
};

DataSetWriter::DataSetWriter(const std::filesystem::path& folder, const std::string& step,
                             std::size_t dimension, const Protocol& protocol)
    : folder_(folder), step_(step), dimension_(dimension), protocol_(protocol) {
  AddPart("theta", NpyType<std::uint16_t>());
  AddPart("trace", NpyType<std::uint16_t>());
  AddPart("spike_count", NpyType<std::uint32_t>());
  AddPart("spike_times", NpyType<float>());
  AddPart("features", NpyType<float>());
}

DataSetWriter::~DataSetWriter() = default;

DataSetWriter::Part& DataSetWriter::AddPart(const std::string& array, std::string_view type) {
  std::filesystem::path part_path = FinalPath(array);
  part_path += ".part";
  return *parts_.emplace_back(std::make_unique<Part>(array, part_path, type));
}

std::filesystem::path DataSetWriter::FinalPath(const std::string& array) const {
  return ArrayPath(folder_, step_, array);
}

Status DataSetWriter::Append(std::span<const std::uint16_t> codes, const ObservationBatch& batch) {
  INFERON_CHECK(codes.size() == batch.size() * dimension_);
  if (batch.points != protocol_.Points()) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("an observation of {} has {} points instead of {}", step_, batch.points,
                            protocol_.Points()),
                "Check that the workers run the version of this trainer");
  }
  if (provenance_.empty()) provenance_ = batch.provenance;
  parts_[kTheta]->writer.Append(codes);
  parts_[kTrace]->writer.Append(std::span(batch.trace));
  parts_[kSpikeCount]->writer.Append(std::span(batch.spike_count));
  parts_[kSpikeTimes]->writer.Append(std::span(batch.spike_time_us));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Features features = ExtractFeatures(Extract(batch, i), protocol_);
    parts_[kFeatures]->writer.Append(std::span<const float>(features));
  }
  rows_ += batch.size();
  spikes_ += batch.spike_time_us.size();
  return {};
}

void DataSetWriter::AppendFailed(std::uint64_t index, const std::string& error) {
  failed_.push_back({index, error});
}

void DataSetWriter::Finish() {
  const std::vector<std::vector<std::uint64_t>> shapes = {
      {rows_, dimension_}, {rows_, protocol_.Points()}, {rows_}, {spikes_}, {rows_, kFeatureCount}};
  nlohmann::json manifest = {{"schema", kSchema}, {"step", step_}, {"rows", rows_}};
  manifest["provenance"] =
      provenance_.empty() ? nlohmann::json::object() : nlohmann::json::parse(provenance_);
  manifest["failed"] = nlohmann::json::array();
  for (const FailedExperiment& f : failed_) {
    manifest["failed"].push_back({{"index", f.index}, {"error", f.error}});
  }
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Part& part = *parts_[i];
    part.writer.Finish(shapes[i]);
    manifest["arrays"][part.array] = {{"file", FinalPath(part.array).filename().string()},
                                      {"shape", shapes[i]},
                                      {"sha256", HashFile(part.part_path)}};
    std::filesystem::rename(part.part_path, FinalPath(part.array));
  }
  SyncPath(folder_);
  WriteFileAtomically(ManifestPath(folder_, step_), manifest.dump(1) + "\n");
}

DataSet::DataSet(MappedArray<std::uint16_t> theta, MappedArray<std::uint16_t> trace,
                 MappedArray<std::uint32_t> spike_count, MappedArray<float> spike_times,
                 MappedArray<float> features)
    : theta_(std::move(theta)),
      trace_(std::move(trace)),
      spike_count_(std::move(spike_count)),
      spike_times_(std::move(spike_times)),
      features_(std::move(features)) {
  first_spike_.reserve(size() + 1);
  std::uint64_t first = 0;
  for (const std::uint32_t count : spike_count_.values()) {
    first_spike_.push_back(first);
    first += count;
  }
  first_spike_.push_back(first);
}

bool DataSet::Exists(const std::filesystem::path& folder, const std::string& step) {
  return std::filesystem::exists(ManifestPath(folder, step));
}

Result<DataSet> DataSet::Open(const std::filesystem::path& folder, const std::string& step) {
  const auto manifest = ReadFile(ManifestPath(folder, step));
  if (!manifest) return tl::unexpected(manifest.error());
  const auto path = [&](const char* array) { return ArrayPath(folder, step, array); };
  auto theta = MappedArray<std::uint16_t>::Open(path("theta"));
  if (!theta) return tl::unexpected(theta.error());
  auto trace = MappedArray<std::uint16_t>::Open(path("trace"));
  if (!trace) return tl::unexpected(trace.error());
  auto counts = MappedArray<std::uint32_t>::Open(path("spike_count"));
  if (!counts) return tl::unexpected(counts.error());
  auto times = MappedArray<float>::Open(path("spike_times"));
  if (!times) return tl::unexpected(times.error());
  auto features = MappedArray<float>::Open(path("features"));
  if (!features) return tl::unexpected(features.error());
  DataSet set(*theta, *trace, *counts, *times, *features);
  const std::uint64_t rows = set.size();
  if (trace->rows() != rows || counts->rows() != rows || features->rows() != rows ||
      features->columns() != kFeatureCount || set.first_spike_.back() != times->values().size()) {
    return Fail(
        ErrorCode::kDataLoss,
        fmt::format("the arrays of data set {} in {} do not fit together", step, folder.string()),
        "Restore the folder or start a new study");
  }
  set.sha256_ = Sha256Hex(*manifest);
  const auto json = nlohmann::json::parse(*manifest, nullptr, false);
  if (json.is_object() && json.contains("failed")) set.failed_ = json["failed"].size();
  return set;
}

Observation DataSet::At(std::uint64_t i) const {
  Observation observation;
  const auto trace = Trace(i);
  observation.trace.assign(trace.begin(), trace.end());
  const auto times =
      spike_times_.values().subspan(first_spike_[i], first_spike_[i + 1] - first_spike_[i]);
  observation.spike_time_us.assign(times.begin(), times.end());
  return observation;
}

estimators::RowSource DataSet::FeatureSource() const {
  return {size(), kFeatureCount,
          [features = features_](std::span<const std::uint32_t> rows, float* out) {
            for (const std::uint32_t row : rows) {
              out = std::ranges::copy(features.Row(row), out).out;
            }
          }};
}

estimators::RowSource DataSet::TraceSource() const {
  return {size(), points(), [trace = trace_](std::span<const std::uint32_t> rows, float* out) {
            for (const std::uint32_t row : rows) {
              out = std::ranges::copy(trace.Row(row), out).out;
            }
          }};
}

}  // namespace inferon::trainer
