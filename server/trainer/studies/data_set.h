// Data sets of a study: parameter sets and what was observed for them, row for row.
//
// In the study's folder, for a step S: S.theta.npy u2 [n,d], S.trace.npy u2 [n,points],
// S.spike_count.npy u4 [n], S.spike_times.npy f4 [all spikes], S.features.npy f4 [n,12] (NaN =
// missing), and the manifest S.json with the SHA-256 of each, written last: a data set whose
// manifest is there is complete. The same study gives the same bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/features/features.h"
#include "common/neuron/observation.h"
#include "common/neuron/parameters.h"
#include "common/neuron/protocol.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/studies/array_file.h"

namespace inferon::trainer {

// An experiment that failed for good: it has no row.
struct FailedExperiment {
  std::uint64_t index = 0;  // Of the experiment within its round.
  std::string error;
};

// Writes a data set beside its final names and renames at the end. Throws std::system_error when
// the disk refuses. Not thread-safe.
class DataSetWriter {
 public:
  DataSetWriter(const std::filesystem::path& folder, const std::string& step, std::size_t dimension,
                const Protocol& protocol);
  ~DataSetWriter();

  // Appends experiments; codes holds theirs, [batch.size(), dimension]. kDataLoss where the batch
  // does not have the protocol's points.
  Status Append(std::span<const std::uint16_t> codes, const ObservationBatch& batch);
  // Notes experiments that have no observation.
  void AppendFailed(std::uint64_t index, const std::string& error);
  std::uint64_t rows() const { return rows_; }
  std::uint64_t failed() const { return failed_.size(); }
  // Makes the data set visible: files, then manifest.
  void Finish();

 private:
  struct Part;
  Part& AddPart(const std::string& array, std::string_view type);
  std::filesystem::path FinalPath(const std::string& array) const;

  const std::filesystem::path folder_;
  const std::string step_;
  const std::size_t dimension_;
  const Protocol protocol_;
  std::vector<std::unique_ptr<Part>> parts_;  // theta, trace, spike_count, spike_times, features.
  std::vector<FailedExperiment> failed_;
  std::string provenance_;
  std::uint64_t rows_ = 0;
  std::uint64_t spikes_ = 0;
};

// A complete data set, mapped. Copies share the mapping; const calls are thread-safe.
class DataSet {
 public:
  // kNotFound where it is not complete, kDataLoss where files do not fit together.
  static Result<DataSet> Open(const std::filesystem::path& folder, const std::string& step);
  static bool Exists(const std::filesystem::path& folder, const std::string& step);

  std::uint64_t size() const { return theta_.rows(); }
  std::size_t dimension() const { return theta_.columns(); }
  std::size_t points() const { return trace_.columns(); }
  std::span<const std::uint16_t> Codes(std::uint64_t i) const { return theta_.Row(i); }
  std::span<const std::uint16_t> AllCodes() const { return theta_.values(); }
  std::span<const std::uint16_t> Trace(std::uint64_t i) const { return trace_.Row(i); }
  std::span<const float> FeatureRow(std::uint64_t i) const { return features_.Row(i); }
  std::span<const float> AllFeatures() const { return features_.values(); }
  // Spikes within the stimulus window.
  std::uint32_t StimulusSpikes(std::uint64_t i) const {
    return static_cast<std::uint32_t>(
        FeatureRow(i)[static_cast<std::size_t>(Feature::kSpikeCount)]);
  }
  Observation At(std::uint64_t i) const;
  // Lower-case hex SHA-256 of the manifest, which holds those of the files.
  const std::string& sha256() const { return sha256_; }
  std::uint64_t failed() const { return failed_; }

  // Rows for training; they hold on to the mapping.
  estimators::RowSource FeatureSource() const;
  estimators::RowSource TraceSource() const;

 private:
  DataSet(MappedArray<std::uint16_t> theta, MappedArray<std::uint16_t> trace,
          MappedArray<std::uint32_t> spike_count, MappedArray<float> spike_times,
          MappedArray<float> features);

  MappedArray<std::uint16_t> theta_;
  MappedArray<std::uint16_t> trace_;
  MappedArray<std::uint32_t> spike_count_;
  MappedArray<float> spike_times_;
  MappedArray<float> features_;
  std::vector<std::uint64_t> first_spike_;  // Of each row, in spike_times_.
  std::string sha256_;
  std::uint64_t failed_ = 0;
};

}  // namespace inferon::trainer
