// Options that say which recording a command looks at, and what it reads from them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/command_context.h"
#include "common/recordings/recording_file.h"
#include "common/recordings/stimulus.h"

namespace CLI {
class App;
}

namespace inferon::cli {

// What --sweep takes for every sweep that has a current step.
inline constexpr std::string_view kAllSteps = "all-steps";

struct RecordingOptionsGiven {
  std::string file;
  std::string sweep;  // Number, name, all-steps or empty.
  ReadOptions read;
  std::vector<double> window;  // START, STOP, ms; empty: found from the current.
  StimulusOptions stimulus;
};

void AddRecordingOptions(CLI::App& command, RecordingOptionsGiven& options);
// Only how a file is read: --sweep, --columns, --units, --decimal-comma, --resample, --max-samples.
void AddReadOptions(CLI::App& command, std::string& sweep, ReadOptions& read);

// One sweep with its step.
struct Sweep {
  SweepInfo info;
  Recording recording;
  std::optional<StepWindow> step;      // Missing where it is neither given nor found.
  std::string no_step;                 // Why.
  std::optional<double> amplitude_pa;  // Of the step, where the current is known.
  std::vector<CurrentPulse> others;    // Further pulses, where the step was found.
};

// A sweep that was not looked at, and why.
struct SkippedSweep {
  std::string name;
  std::string reason;
};

struct ChosenSweeps {
  std::string format;
  std::size_t in_file = 0;
  std::vector<Sweep> sweeps;  // At least one, each without its samples: a file may hold more of
                              // them than memory does.
  std::vector<SkippedSweep> skipped;
};
// Takes a sweep while its samples are there.
using SweepVisitor = std::function<void(const Sweep&)>;

// Reads a sweep and finds its step. Refuses a --step-window that is empty or outside.
Result<Sweep> ReadSweep(const RecordingFile& file, std::size_t index,
                        const RecordingOptionsGiven& options);

// Reads the sweeps that --sweep names (without it the only one, or every one that has a step), one
// after the other, and shows each to `visit`.
Result<ChosenSweeps> ReadSweeps(const RecordingOptionsGiven& options, const SweepVisitor& visit);
// Exactly one, refusing where more are there to choose from.
Result<Sweep> ReadOneSweep(const RecordingOptionsGiven& options);

// Says on stderr what a user should know of a sweep: the reader's notes, doubts about the trace.
void WarnAbout(Console& console, const Sweep& sweep);

}  // namespace inferon::cli
