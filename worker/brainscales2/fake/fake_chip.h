// A chip that is not there: samples and spikes as the MADC of a real one would bring them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/chip/chip_mapping.h"
#include "worker/brainscales2/messages.h"

namespace inferon::worker {

// Makes the samples of a batch. Not thread-safe.
class FakeChip {
 public:
  virtual ~FakeChip() = default;
  // Fills everything of the reply but its times and monitors. kInvalidArgument for what it cannot
  // do, kNotFound for what a replay does not have.
  virtual Result<BatchReply> Run(const OpenRequest& open, const BatchRequest& batch) = 0;
};

// The emulator behind a MADC: the profile and the mapping turn chip fields back into parameters.
struct EmulatedChipOptions {
  std::string profile = "adex-paper";
  std::string mapping = "adex-paper";
  std::string chip = "fake-0";
  int threads = 1;
  double drift_counts = 0;  // The read-out moves by this many counts from batch to batch.
};
Result<std::unique_ptr<FakeChip>> MakeEmulatedChip(const EmulatedChipOptions& options);

// Full-rate samples without any physics, as fast as they can be written: for measuring the way.
std::unique_ptr<FakeChip> MakeSyntheticChip();

// Serves recorded batches (NAME.request and NAME.reply frames in a folder, docs/brainscales2.md):
// an experiment gets the recording with its fields' values and stimulus, repeats in turn.
Result<std::unique_ptr<FakeChip>> MakeReplayChip(const std::string& folder, Hello& recorded);

// Times of the samples of a recording, cycles from time zero: from 2 us before to 5 us after it.
std::vector<std::int32_t> SampleTimes(std::int64_t duration_cycles);

}  // namespace inferon::worker
