#include "tests/bench/lif2/brute_force.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "common/base/check.h"
#include "common/neuron/parameters.h"
#include "server/trainer/statistics/cholesky.h"

namespace inferon::lif2 {
namespace {

constexpr std::size_t kRepeats = 2000;  // At the true codes, for the noise of x.
constexpr std::size_t kNearest = 400;   // Runs that a box is drawn around.
constexpr double kMargin = 0.15;        // Of the box of the nearest, added on each side.
constexpr double kZoomShare = 0.15;     // Of an observation's runs, that say where the rest go.
constexpr std::size_t kBlock = 100'000;

using Place = std::array<double, kColumns>;

// NaN where something is missing.
Place PlaceOf(std::span<const float> x) { return {std::log(x[0]), std::log(x[1]), x[2]}; }

bool IsWhole(const Place& place) {
  return std::ranges::all_of(place, [](double v) { return std::isfinite(v); });
}

// Distances in units of the scatter of places.
class Metric {
 public:
  static Metric Fit(std::span<const float> x) {
    std::vector<Place> places;
    for (std::size_t i = 0; i < x.size(); i += kColumns) {
      const Place place = PlaceOf(x.subspan(i, kColumns));
      if (IsWhole(place)) places.push_back(place);
    }
    INFERON_CHECK(places.size() > 100);
    Place mean{};
    for (const Place& p : places) {
      for (std::size_t c = 0; c < kColumns; ++c)
        mean[c] += p[c] / static_cast<double>(places.size());
    }
    std::vector<double> covariance(kColumns * kColumns, 0);
    for (const Place& p : places) {
      for (std::size_t a = 0; a < kColumns; ++a) {
        for (std::size_t b = 0; b < kColumns; ++b) {
          covariance[a * kColumns + b] +=
              (p[a] - mean[a]) * (p[b] - mean[b]) / static_cast<double>(places.size());
        }
      }
    }
    return Metric(statistics::Cholesky(std::move(covariance), kColumns, 1e-9));
  }

  // Infinite where a part is missing.
  double Distance(std::span<const float> x, const Place& observed) const {
    Place difference = PlaceOf(x);
    if (!IsWhole(difference)) return INFINITY;
    for (std::size_t c = 0; c < kColumns; ++c) difference[c] -= observed[c];
    factor_.SolveLower(difference);
    double squares = 0;
    for (const double v : difference) squares += v * v;
    return std::sqrt(squares);
  }

 private:
  explicit Metric(statistics::Cholesky factor) : factor_(std::move(factor)) {}
  statistics::Cholesky factor_;
};

struct Box {
  std::array<double, kParameters> low, high;  // Codes, inclusive.
};

// Around the nearest of some runs.
Box BoxAround(const Runs& runs, const Metric& metric, const Place& observed) {
  std::vector<double> distances(runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    distances[i] = metric.Distance(std::span(runs.x).subspan(i * kColumns, kColumns), observed);
  }
  std::vector<std::size_t> order(runs.size());
  std::iota(order.begin(), order.end(), 0u);
  const std::size_t keep = std::min(kNearest, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep), order.end(),
                    [&](std::size_t a, std::size_t b) { return distances[a] < distances[b]; });
  Box box;
  for (std::size_t j = 0; j < kParameters; ++j) {
    double low = kMaxCode, high = 0;
    for (std::size_t k = 0; k < keep; ++k) {
      const double code = runs.codes[order[k] * kParameters + j];
      low = std::min(low, code);
      high = std::max(high, code);
    }
    const double margin = std::ceil(kMargin * (high - low) + 2);
    box.low[j] = std::max(0.0, low - margin);
    box.high[j] = std::min<double>(kMaxCode, high + margin);
  }
  return box;
}

std::vector<std::uint16_t> DrawCodes(const Box& box, std::size_t count, PhiloxSequence& random) {
  std::vector<std::uint16_t> codes;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < kParameters; ++j) {
      const auto width = static_cast<std::uint32_t>(box.high[j] - box.low[j] + 1);
      codes.push_back(static_cast<std::uint16_t>(box.low[j] + random.Below(width)));
    }
  }
  return codes;
}

// A smaller box, from runs uniform in this one.
Box Zoom(Simulator& simulator, const Box& box, std::size_t runs, const Metric& metric,
         const Place& observed, PhiloxSequence& random) {
  Runs zoom;
  zoom.codes = DrawCodes(box, runs, random);
  zoom.x = simulator.Run(zoom.codes);
  return BoxAround(zoom, metric, observed);
}

// The nearest so far.
struct Candidate {
  double distance;
  std::array<std::uint16_t, kParameters> codes;
  bool operator<(const Candidate& other) const { return distance < other.distance; }
};

}  // namespace

Runs RunPrior(Simulator& simulator, std::size_t count, PhiloxSequence& random) {
  Runs runs;
  runs.codes = DrawCodes({{0, 0}, {kMaxCode, kMaxCode}}, count, random);
  runs.x = simulator.Run(runs.codes);
  return runs;
}

Accepted Reject(Simulator& simulator, const Runs& pilot, std::span<const std::uint16_t> truth,
                std::span<const float> x, std::size_t runs, std::size_t accepted,
                PhiloxSequence& random) {
  std::vector<std::uint16_t> repeats;
  for (std::size_t i = 0; i < kRepeats; ++i)
    repeats.insert(repeats.end(), truth.begin(), truth.end());
  const Metric metric = Metric::Fit(simulator.Run(repeats));
  const Place observed = PlaceOf(x);
  const std::size_t zoom = static_cast<std::size_t>(kZoomShare * static_cast<double>(runs));
  const Box box =
      Zoom(simulator, BoxAround(pilot, metric, observed), zoom, metric, observed, random);
  std::vector<Candidate> nearest;
  for (std::size_t done = zoom; done < runs; done += kBlock) {
    const auto codes = DrawCodes(box, std::min(kBlock, runs - done), random);
    const std::vector<float> seen = simulator.Run(codes);
    for (std::size_t i = 0; i < seen.size() / kColumns; ++i) {
      const double distance =
          metric.Distance(std::span(seen).subspan(i * kColumns, kColumns), observed);
      if (std::isfinite(distance)) {
        nearest.push_back({distance, {codes[i * kParameters], codes[i * kParameters + 1]}});
      }
    }
    std::sort(nearest.begin(), nearest.end());
    if (nearest.size() > accepted) nearest.resize(accepted);
  }
  INFERON_CHECK(nearest.size() == accepted);
  Accepted result;
  result.tolerance = nearest.back().distance;
  result.box_share = 1;
  for (std::size_t j = 0; j < kParameters; ++j) {
    result.box_share *= (box.high[j] - box.low[j] + 1) / kCodeCount;
    for (const Candidate& c : nearest) {
      result.at_edge = result.at_edge || (c.codes[j] == box.low[j] && c.codes[j] != 0) ||
                       (c.codes[j] == box.high[j] && c.codes[j] != kMaxCode);
    }
  }
  for (const Candidate& c : nearest)
    result.codes.insert(result.codes.end(), c.codes.begin(), c.codes.end());
  return result;
}

}  // namespace inferon::lif2
