// Parameter sets: DAC codes of the free parameters of a neuron.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace inferon {

// Codes 0..1022 are valid; 1023 switches a cell off and is refused.
inline constexpr std::uint16_t kMaxCode = 1022;
inline constexpr int kCodeCount = 1023;

// A matrix of codes, one row a parameter set, columns in the order of the profile's free
// parameters.
struct ParameterSets {
  std::size_t dimension = 0;
  std::vector<std::uint16_t> codes;  // [size(), dimension], row-major.

  std::size_t size() const { return dimension == 0 ? 0 : codes.size() / dimension; }
  std::span<const std::uint16_t> operator[](std::size_t row) const {
    return {codes.data() + row * dimension, dimension};
  }
};

}  // namespace inferon
