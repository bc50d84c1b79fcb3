#include "server/trainer/estimators/draws.h"

#include <numeric>
#include <utility>

namespace inferon::estimators {
namespace {

PhiloxBlock Block(PhiloxKey key, std::uint64_t part, std::uint64_t index) {
  return Philox(key, {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                      static_cast<std::uint32_t>(part), static_cast<std::uint32_t>(part >> 32)});
}

}  // namespace

void FillUniform(PhiloxKey key, std::uint64_t part, std::uint64_t first, std::span<float> out) {
  std::uint64_t index = first;
  for (std::size_t i = 0; i < out.size();) {
    const PhiloxBlock block = Block(key, part, index / 4);
    for (std::size_t word = index % 4; word < 4 && i < out.size(); ++word, ++i, ++index) {
      out[i] = UniformFloat(block[word]);
    }
  }
}

std::vector<std::uint32_t> Permutation(PhiloxKey key, std::uint64_t part, std::uint32_t n) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  for (std::uint32_t i = n; i > 1; --i) {
    const std::uint64_t word = Block(key, part, i / 4)[i % 4];
    std::swap(order[i - 1], order[static_cast<std::size_t>(word * i >> 32)]);
  }
  return order;
}

}  // namespace inferon::estimators
