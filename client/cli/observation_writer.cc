#include "client/cli/observation_writer.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <span>

#include "client/library/npy.h"
#include "common/features/features.h"

namespace inferon::cli {
namespace {

class NpyFiles : public ObservationWriter {
 public:
  NpyFiles(const std::filesystem::path& folder, std::size_t points)
      : index_(folder / "index.npy", "<u8", {}),
        traces_(folder / "traces.npy", "<u2", {points}),
        counts_(folder / "spike_counts.npy", "<u4", {}),
        spikes_(folder / "spikes.npy", "<f4", {}),
        features_(folder / "features.npy", "<f4", {kFeatureCount}) {}

  void Append(std::uint64_t first_index, const ObservationBatch& batch,
              const Protocol& protocol) override {
    const std::size_t n = batch.size();
    traces_.Append(std::span<const std::uint16_t>(batch.trace), n);
    counts_.Append(std::span<const std::uint32_t>(batch.spike_count), n);
    spikes_.Append(std::span<const float>(batch.spike_time_us), batch.spike_time_us.size());
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint64_t index = first_index + i;
      index_.Append(std::span<const std::uint64_t>(&index, 1), 1);
      const Features features = ExtractFeatures(Extract(batch, i), protocol);
      features_.Append(std::span<const float>(features), 1);
    }
  }

  std::vector<std::string> Close() override {
    for (auto* file : {&index_, &traces_, &counts_, &spikes_, &features_}) file->Close();
    return {"index.npy", "traces.npy", "spike_counts.npy", "spikes.npy", "features.npy"};
  }

 private:
  client::NpyWriter index_;
  client::NpyWriter traces_;
  client::NpyWriter counts_;
  client::NpyWriter spikes_;
  client::NpyWriter features_;
};

class CsvFiles : public ObservationWriter {
 public:
  CsvFiles(const std::filesystem::path& folder, const Protocol& protocol) {
    for (auto* file : {&traces_, &spikes_, &features_}) {
      file->exceptions(std::ios::failbit | std::ios::badbit);
    }
    traces_.open(folder / "traces.csv");
    spikes_.open(folder / "spikes.csv");
    features_.open(folder / "features.csv");
    traces_ << "experiment";
    for (std::size_t p = 0; p < protocol.Points(); ++p) {
      traces_ << fmt::format(",{:g}", static_cast<double>(p) * protocol.grid_step_us);
    }
    traces_ << '\n';
    spikes_ << "experiment,spike_time_us\n";
    features_ << "experiment";
    for (std::size_t f = 0; f < kFeatureCount; ++f) {
      features_ << ',' << FeatureName(static_cast<Feature>(f));
    }
    features_ << '\n';
  }

  void Append(std::uint64_t first_index, const ObservationBatch& batch,
              const Protocol& protocol) override {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::uint64_t index = first_index + i;
      const Observation observation = Extract(batch, i);
      traces_ << index;
      for (const std::uint16_t counts : batch.Trace(i)) traces_ << ',' << counts;
      traces_ << '\n';
      for (const float time : observation.spike_time_us) {
        spikes_ << fmt::format("{},{}\n", index, time);
      }
      features_ << index;
      for (const float value : ExtractFeatures(observation, protocol)) {
        features_ << (IsMissing(value) ? std::string(",") : fmt::format(",{}", value));
      }
      features_ << '\n';
    }
  }

  std::vector<std::string> Close() override {
    for (auto* file : {&traces_, &spikes_, &features_}) file->close();
    return {"traces.csv", "spikes.csv", "features.csv"};
  }

 private:
  std::ofstream traces_;
  std::ofstream spikes_;
  std::ofstream features_;
};

}  // namespace

std::unique_ptr<ObservationWriter> MakeNpyWriter(const std::filesystem::path& folder,
                                                 std::size_t points) {
  return std::make_unique<NpyFiles>(folder, points);
}

std::unique_ptr<ObservationWriter> MakeCsvWriter(const std::filesystem::path& folder,
                                                 const Protocol& protocol) {
  return std::make_unique<CsvFiles>(folder, protocol);
}

std::optional<Protocol> ProtocolOf(const std::string& provenance) {
  try {
    const nlohmann::json json = nlohmann::json::parse(provenance).at("protocol");
    Protocol protocol{.steps = {}};
    for (const nlohmann::json& step : json.at("steps")) {
      protocol.steps.push_back(
          {step.at(0).get<double>(), step.at(1).get<double>(), step.at(2).get<double>()});
    }
    protocol.duration_us = json.at("duration_us").get<double>();
    protocol.grid_step_us = json.at("grid_step_us").get<double>();
    if (!ValidateProtocol(protocol)) return std::nullopt;
    return protocol;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace inferon::cli
