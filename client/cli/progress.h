// Progress of something long: a bar with rate and time left on a terminal, plain lines from time to
// time in a pipe; always on stderr, nothing with --json.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "client/cli/console.h"
#include "common/base/clock.h"

namespace inferon::cli {

struct ProgressState {
  std::string title;
  std::string unit;  // Plural: "experiments", "epochs".
  std::uint64_t done = 0;
  std::uint64_t total = 0;  // 0: unknown.
  double rate = 0;          // Units a second; 0: unknown.
  double elapsed_seconds = 0;
  std::string note;
};

// One line without line end, at most `width` columns:
// "uniform round  [#########-----]  61 %  30 500/50 000 experiments  4 012/s  5 s left".
std::string RenderBar(const ProgressState& state, int width);
// The same without a bar, for logs.
std::string RenderLine(const ProgressState& state);

// Not thread-safe.
class Progress {
 public:
  Progress(Console& console, Clock& clock, std::string title, std::string unit);
  ~Progress();  // Ends the bar's line.
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows the state when it is time: ten times a second on a terminal, every ten seconds in a pipe.
  void Update(std::uint64_t done, std::uint64_t total, const std::string& note = {});
  // Shows the last state and ends the line.
  void Finish();

 private:
  void Show();
  double Rate() const;

  struct Sample {
    SteadyTime time;
    std::uint64_t done;
  };
  Console& console_;
  Clock& clock_;
  const SteadyTime start_;
  ProgressState state_;
  std::deque<Sample> samples_;  // Of the last half minute, for the rate.
  std::optional<SteadyTime> shown_;
  bool stale_ = false;  // Something changed since it was shown.
  bool open_ = false;   // The bar's line has no end yet.
};

}  // namespace inferon::cli
