// Observations written to files, block by block.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/observation.h"
#include "common/neuron/protocol.h"

namespace inferon::cli {

// Writes traces, spikes and features of experiments in order. Failures of the disk throw.
class ObservationWriter {
 public:
  virtual ~ObservationWriter() = default;
  // `batch` holds the experiments from first_index on, of this protocol.
  virtual void Append(std::uint64_t first_index, const ObservationBatch& batch,
                      const Protocol& protocol) = 0;
  // Ends the files; their names.
  virtual std::vector<std::string> Close() = 0;
};

// index.npy u8 [n], traces.npy u2 [n, points], spike_counts.npy u4 [n], spikes.npy f4 [spikes],
// features.npy f4 [n, 12].
std::unique_ptr<ObservationWriter> MakeNpyWriter(const std::filesystem::path& folder,
                                                 std::size_t points);
// traces.csv, spikes.csv, features.csv; first column "experiment".
std::unique_ptr<ObservationWriter> MakeCsvWriter(const std::filesystem::path& folder,
                                                 const Protocol& protocol);

// The protocol that observations say they were made with; nullopt where they do not.
std::optional<Protocol> ProtocolOf(const std::string& provenance);

}  // namespace inferon::cli
