// A sampled membrane trace and the slopes that spikes are found and measured by. Unit-free:
// voltages in mV or MADC counts, times in ms or us.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace inferon {

// Equally long; times ascend strictly. The vectors behind it outlive it.
struct TraceView {
  std::span<const double> time;
  std::span<const double> v;
  std::size_t size() const { return v.size(); }
};

// Part of a trace, in its unit of time.
struct Window {
  double start = 0;
  double stop = 0;
};

// The sample nearest to a time (the earlier of two); the first or last beyond the ends.
std::size_t IndexAt(std::span<const double> time, double at);

// Slopes (v[k+1] - v[k]) / (t[k+1] - t[k]), size() - 1 of them. Where the samples are equidistant
// and `corner` (in cycles a unit of time, kHz for ms) lies below half the sampling rate, the trace
// is low-pass filtered first; otherwise it is taken as it is.
std::vector<double> Slopes(const TraceView& trace, double corner);

}  // namespace inferon
