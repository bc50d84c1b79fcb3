// The report of a study: one self-contained HTML page and the paper's figures as SVG and PNG.
//
// Pure input, files out: everything that is shown comes from ReportData, so that a report can be
// made from a live trainer, from a saved answer, or from synthetic data in a test.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/protocol.h"

namespace inferon::report {

inline constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

// One number with where it comes from.
struct ReportNumber {
  std::string key;    // Stable, for example "constrained_share".
  std::string label;  // For people.
  double value = kNoNumber;
  double low = kNoNumber;  // 95 % interval; NaN without one.
  double high = kNoNumber;
  std::string unit;   // "share", "nats", "codes", "experiments", "seconds", "us", "counts", "".
  std::string paper;  // The paper's figure as text; empty where it gives none.
  std::string provenance;  // Data set, job, model and rule behind the number.
};

// An array as it travels: little-endian bytes in C order.
struct ReportArray {
  std::string name;   // docs/formats.md lists them, for example "posterior.features.codes".
  std::string dtype;  // "u2", "u4", "f4" or "f8".
  std::vector<std::uint64_t> shape;
  std::string data;
};

// A line of the table of settings.
struct ReportSetting {
  std::string label;
  std::string value;
};

// A step of the study, for the table of times.
struct ReportStep {
  std::string title;
  std::string amount;  // For example "50 000 experiments".
  double seconds = kNoNumber;
  std::string note;
};

struct ReportData {
  std::string study;  // Study id.
  std::uint64_t seed = 0;
  Protocol protocol;             // Its Points() is the length T of every trace.
  std::uint32_t min_spikes = 1;  // Relevant experiments have min..max spikes in the stimulus.
  std::uint32_t max_spikes = 70;
  std::string device_mark;  // Where no chip made the data: "fake device"; else empty.
  // Whether the training losses on features and on traces are log densities, or squared errors.
  std::array<bool, 2> density_losses = {true, true};
  std::vector<ReportSetting> settings;
  std::vector<ReportStep> steps;
  std::vector<std::string> parameters;        // Names, d of them, in the order of the codes.
  std::vector<std::string> parameter_labels;  // For figures, for example "Δ_T"; as many.
  std::vector<std::string> features;          // Names, 12 of them.
  std::vector<std::string> feature_labels;    // For figures, with unit; as many.
  std::vector<ReportNumber> numbers;
  std::vector<ReportArray> arrays;
};

struct ReportOptions {
  // Program that renders SVG as PNG (Debian: librsvg2-bin), found on PATH.
  std::string png_converter = "rsvg-convert";
};

struct ReportFiles {
  std::filesystem::path page;                  // index.html
  std::vector<std::filesystem::path> figures;  // SVG, then PNG, in the order of the page.
  std::vector<std::string> warnings;           // For example that no PNG could be made.
};

// Writes index.html and figures/*.svg, figures/*.png into a folder, which is created where it is
// missing; files of an older report are replaced. kInvalidArgument names the array that is missing
// or has a wrong type or shape; kFailedPrecondition where the folder cannot be written. Figures of
// training and calibration are left out where their arrays are absent.
Result<ReportFiles> WriteReport(const ReportData& data, const std::filesystem::path& folder,
                                const ReportOptions& options = {});

// The number with this key; nullptr where there is none.
const ReportNumber* FindNumber(const std::vector<ReportNumber>& numbers, const std::string& key);

}  // namespace inferon::report
