#include "server/trainer/studies/draws.h"

#include <fmt/format.h>

#include "common/base/check.h"
#include "common/base/philox.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kCandidateBlock = 16'384;
constexpr std::uint64_t kLeastCandidates = 100'000;

}  // namespace

ParameterSets UniformSets(std::uint64_t seed, std::string_view stream, std::size_t dimension,
                          std::uint64_t first, std::size_t count) {
  INFERON_CHECK(dimension >= 1 && dimension <= 64);
  const PhiloxKey key = StreamKey(seed, stream);
  ParameterSets sets{.dimension = dimension};
  sets.codes.reserve(count * dimension);
  for (std::uint64_t i = first; i < first + count; ++i) {
    PhiloxBlock words{};
    for (std::size_t column = 0; column < dimension; ++column) {
      if (column % 4 == 0) {
        words = Philox(key, {static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32),
                             static_cast<std::uint32_t>(column / 4), 0});
      }
      sets.codes.push_back(
          static_cast<std::uint16_t>(std::uint64_t{words[column % 4]} * kCodeCount >> 32));
    }
  }
  return sets;
}

Result<ConstrainedDraws> ConstrainedSets(const Support& support, std::uint64_t seed,
                                         std::string_view stream, std::size_t dimension,
                                         std::size_t count, double least_acceptance,
                                         std::stop_token stop,
                                         const std::function<void(std::size_t)>& progress) {
  ConstrainedDraws draws{.sets = {.dimension = dimension}};
  draws.sets.codes.reserve(count * dimension);
  for (std::uint64_t first = 0; draws.sets.size() < count; first += kCandidateBlock) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "drawing was stopped");
    const auto found = static_cast<double>(draws.sets.size());
    if (first >= kLeastCandidates && found < least_acceptance * static_cast<double>(first)) {
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("the classifier accepts only {} of {} uniform parameter sets",
                              draws.sets.size(), first),
                  "Enlarge the uniform round or widen the range of relevant spike counts");
    }
    const ParameterSets candidates = UniformSets(seed, stream, dimension, first, kCandidateBlock);
    const std::vector<std::uint8_t> inside = support.Accepts(candidates.codes);
    for (std::size_t i = 0; i < inside.size() && draws.sets.size() < count; ++i) {
      draws.candidates = first + i + 1;
      if (inside[i] == 0) continue;
      const auto row = candidates[i];
      draws.sets.codes.insert(draws.sets.codes.end(), row.begin(), row.end());
    }
    if (progress) progress(draws.sets.size());
  }
  return draws;
}

}  // namespace inferon::trainer
