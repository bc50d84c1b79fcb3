#include "client/cli/recording_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>

namespace inferon::cli {
namespace {

Status CheckWindow(const StepWindow& window, const Recording& recording) {
  if (window.start_ms < window.stop_ms && window.start_ms >= recording.time_ms.front() &&
      window.stop_ms <= recording.time_ms.back()) {
    return {};
  }
  return InvalidArgument(
      fmt::format("--step-window {:g},{:g} is empty or outside the recording, which reaches from "
                  "{:g} to {:g} ms",
                  window.start_ms, window.stop_ms, recording.time_ms.front(),
                  recording.time_ms.back()),
      "Give start and stop of the step in ms of the recording");
}

void Take(Sweep sweep, const SweepVisitor& visit, ChosenSweeps& chosen) {
  visit(sweep);
  sweep.recording = {};
  chosen.sweeps.push_back(std::move(sweep));
}

// Every sweep that can be read and has a step; the others with the reason.
Status ReadAllSteps(const RecordingFile& file, const RecordingOptionsGiven& options,
                    const SweepVisitor& visit, ChosenSweeps& chosen) {
  for (std::size_t i = 0; i < file.sweeps().size(); ++i) {
    const SweepInfo& info = file.sweeps()[i];
    if (!info.problem.empty()) {
      chosen.skipped.push_back({info.name, info.problem});
      continue;
    }
    Result<Sweep> sweep = ReadSweep(file, i, options);
    if (!sweep) {
      chosen.skipped.push_back({info.name, sweep.error().message});
    } else if (!sweep->step) {
      chosen.skipped.push_back({info.name, sweep->no_step});
    } else {
      Take(std::move(*sweep), visit, chosen);
    }
  }
  if (!chosen.sweeps.empty()) return {};
  return InvalidArgument(
      fmt::format("{} has no sweep with a known step; {}: {}", options.file,
                  chosen.skipped.front().name, chosen.skipped.front().reason),
      "See 'inferon recording info' for its sweeps, choose one with --sweep, and say where its "
      "step is with --step-window START,STOP");
}

}  // namespace

void AddReadOptions(CLI::App& command, std::string& sweep, ReadOptions& read) {
  command.add_option("--sweep", sweep, "Sweep of an NWB file: its number, its name or all-steps")
      ->type_name("N|NAME|all-steps");
  command
      .add_option("--columns", read.columns,
                  "Columns of a table without header: time_ms,voltage_mV or "
                  "time_s,current_pA,voltage_mV; skip leaves one out")
      ->type_name("NAME_UNIT,...");
  command
      .add_option("--units", read.units,
                  "Units where the file tells none: of a table's columns (ms,mV,pA), or of voltage "
                  "and current of an NWB file (V,A)")
      ->type_name("UNIT,...");
  command.add_flag("--decimal-comma", read.decimal_comma,
                   "Commas of a table are decimal marks, its fields separated by ; or blanks");
  command.add_flag("--resample", read.resample,
                   "Interpolate irregular times to equal distances instead of refusing them");
  command.add_option("--max-samples", read.max_samples, "Most samples of a sweep")
      ->check(CLI::PositiveNumber);
}

void AddRecordingOptions(CLI::App& command, RecordingOptionsGiven& options) {
  command.add_option("file", options.file, "Recording: CSV, text columns or NWB (1 or 2)")
      ->required()
      ->type_name("FILE");
  AddReadOptions(command, options.sweep, options.read);
  command
      .add_option("--step-window", options.window,
                  "Start and stop of the current step, ms (found from the current)")
      ->delimiter(',')
      ->expected(2)
      ->default_str("")
      ->type_name("START,STOP");
  command
      .add_option("--least-step", options.stimulus.least_step_ms,
                  "Shorter current pulses are test pulses, ms")
      ->check(CLI::NonNegativeNumber);
}

Result<Sweep> ReadSweep(const RecordingFile& file, std::size_t index,
                        const RecordingOptionsGiven& options) {
  Result<Recording> recording = file.Read(index);
  if (!recording) return tl::unexpected(recording.error());
  Sweep sweep{.info = file.sweeps()[index], .recording = std::move(*recording)};
  sweep.info.samples = sweep.recording.time_ms.size();
  sweep.info.rate_khz = 1 / SampleStep(sweep.recording);
  if (!options.window.empty()) {
    const StepWindow window{options.window[0], options.window[1]};
    if (Status good = CheckWindow(window, sweep.recording); !good) {
      return tl::unexpected(good.error());
    }
    sweep.step = window;
    const double amplitude = AmplitudeIn(sweep.recording, window);
    if (!std::isnan(amplitude)) sweep.amplitude_pa = amplitude;
  } else if (Result<Stimulus> found = FindStimulus(sweep.recording, options.stimulus)) {
    sweep.step = found->step.window;
    sweep.amplitude_pa = found->step.amplitude_pa;
    sweep.others = std::move(found->others);
  } else {
    sweep.no_step = found.error().message;
  }
  return sweep;
}

Result<ChosenSweeps> ReadSweeps(const RecordingOptionsGiven& options, const SweepVisitor& visit) {
  const Result<std::unique_ptr<RecordingFile>> file = OpenRecording(options.file, options.read);
  if (!file) return tl::unexpected(file.error());
  ChosenSweeps chosen{.format = std::string((*file)->format()),
                      .in_file = (*file)->sweeps().size()};
  std::size_t index = 0;
  if (options.sweep == kAllSteps || (options.sweep.empty() && chosen.in_file > 1)) {
    if (Status read = ReadAllSteps(**file, options, visit, chosen); !read) {
      return tl::unexpected(read.error());
    }
    return chosen;
  }
  if (!options.sweep.empty()) {
    const Result<std::size_t> found = FindSweep(**file, options.sweep);
    if (!found) return tl::unexpected(found.error());
    index = *found;
  }
  Result<Sweep> sweep = ReadSweep(**file, index, options);
  if (!sweep) return tl::unexpected(sweep.error());
  Take(std::move(*sweep), visit, chosen);
  return chosen;
}

Result<Sweep> ReadOneSweep(const RecordingOptionsGiven& options) {
  if (options.sweep == kAllSteps) {
    return InvalidArgument("this takes one sweep", "Give its number with --sweep N");
  }
  const Result<std::unique_ptr<RecordingFile>> file = OpenRecording(options.file, options.read);
  if (!file) return tl::unexpected(file.error());
  if (options.sweep.empty() && (*file)->sweeps().size() > 1) {
    return InvalidArgument(
        fmt::format("{} has {} sweeps", options.file, (*file)->sweeps().size()),
        fmt::format("Choose one with --sweep N; 'inferon recording info {}' lists them",
                    options.file));
  }
  std::size_t index = 0;
  if (!options.sweep.empty()) {
    const Result<std::size_t> found = FindSweep(**file, options.sweep);
    if (!found) return tl::unexpected(found.error());
    index = *found;
  }
  return ReadSweep(**file, index, options);
}

void WarnAbout(Console& console, const Sweep& sweep) {
  for (const std::string& note : sweep.recording.notes) {
    console.Note(fmt::format("{}: {}.", sweep.info.name, note));
  }
  for (const std::string& doubt : FindDoubts(sweep.recording)) {
    console.Warn(fmt::format("{}: {}", sweep.info.name, doubt));
  }
}

}  // namespace inferon::cli
