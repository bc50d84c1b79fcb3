// What the worker and its child say to each other, as structs. JSON ends here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/chip/chip_mapping.h"
#include "worker/brainscales2/frame.h"

namespace inferon::worker {

inline constexpr double kCyclesPerUs = 125;  // FPGA and chip time count in 8 ns.

// Who answers.
struct Hello {
  int protocol = 0;
  std::string mode;  // "hardware", "zeromock", "simulation" or "fake".
  std::string chip;  // Unique identifier.
  std::string bitfile;
  std::string repository;
  bool shared = false;  // Other users have the chip between programs (quiggeldy).
  int child_version = 0;
  std::map<std::string, std::string> versions;
  bool operator==(const Hello&) const = default;
};

// One neuron, configured but for what a parameter set determines.
struct OpenRequest {
  std::uint32_t neuron = 0;
  std::string calibration;     // Path, empty: none.
  std::string calibration_id;  // SHA-256 of its bytes, empty: none.
  FieldValues fixed;
  std::string readout_source = "membrane";
  int fast_clock_scale = 0;
  int slow_clock_scale = 0;
  double settle_us = 20'000;
  double first_settle_us = 100'000;
  double trial_pause_us = 5'000;
};

// Experiments of one playback program.
struct BatchRequest {
  std::vector<std::string> fields;
  std::vector<std::uint16_t> codes;                                 // [sets, fields], row-major.
  std::vector<std::uint32_t> rows;                                  // Set of each experiment.
  std::vector<std::pair<std::int64_t, std::int64_t>> steps_cycles;  // Stimulus on, off.
  std::int64_t duration_cycles = 0;
  // For fakes, which have no noise of their own.
  std::uint64_t seed = 0;
  std::uint64_t first_index = 0;
  std::uint32_t trials = 1;
};

struct Monitors {
  std::optional<double> temperature_c;
  std::vector<double> supply_v;
};

struct BatchReply {
  std::uint32_t experiments = 0;
  double hardware_us = 0;       // Programmed time.
  double waiting_us = 0;        // Beyond it: queue of a shared chip, transfers.
  bool repeated = false;        // The child had to run it twice.
  std::uint32_t saturated = 0;  // Experiments with samples outside the usable range.
  Monitors monitors;
  std::vector<std::uint16_t> sample_value;  // Counts, experiment after experiment.
  std::vector<std::int32_t> sample_time;    // Cycles from time zero of the experiment.
  std::vector<std::uint32_t> sample_count;  // [experiments]
  std::vector<std::int32_t> spike_time;     // Cycles from time zero.
  std::vector<std::uint32_t> spike_count;   // [experiments]
};

struct HealthReply {
  Monitors monitors;
  std::uint32_t sawtooth_samples = 0;
  std::uint32_t sawtooth_breaks = 0;
};

// What a child started with --check says of itself, without being asked.
struct LibraryCheck {
  std::string name;
  bool ok = false;
  std::string detail;
  std::string advice;
};

std::string EncodeHelloRequest(int protocol);
std::string EncodeOpen(const OpenRequest& request);
std::string EncodeBatch(const BatchRequest& request);
std::string EncodeHealth();
std::string EncodeCalibrate(const std::string& calibration, const std::string& calibration_id,
                            bool exclusive);
std::string EncodeClose();

// The reply, or the child's refusal as an error with its code; kDataLoss for another type.
Status CheckReply(const WireFrame& frame, std::string_view type);
// These expect their type (CheckReply). kDataLoss for missing or malformed members.
Result<Hello> DecodeHello(const WireFrame& frame);
Result<std::string> DecodeCalibrationId(const WireFrame& frame, std::string_view type);
Result<BatchReply> DecodeBatch(const WireFrame& frame);
Result<HealthReply> DecodeHealth(const WireFrame& frame);
Result<std::vector<LibraryCheck>> DecodeCheck(const WireFrame& frame);

// The child's side, for fakes and for replaying. Every row of a decoded batch names a set that is
// there.
Result<OpenRequest> DecodeOpen(const WireFrame& frame);
Result<BatchRequest> DecodeBatchRequest(const WireFrame& frame);
std::string EncodeHello(const Hello& hello);
std::string EncodeOpened(const std::string& type, const std::string& calibration_id);
std::string EncodeBatchReply(const BatchReply& reply);
std::string EncodeHealthReply(const HealthReply& reply);
std::string EncodeRefusal(const Error& error);
std::string EncodeCheck(const std::vector<LibraryCheck>& checks);

}  // namespace inferon::worker
