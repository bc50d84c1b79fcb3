// Small simulators with known posteriors for the estimators' tests.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/philox.h"
#include "server/trainer/estimators/estimators.h"

namespace inferon::estimators {

// Pairs of codes and inputs.
struct Toy {
  std::size_t dimension = 0;
  std::size_t columns = 0;
  std::vector<std::uint16_t> codes;
  std::vector<float> theta;  // (code + U) / 1023: what made x.
  std::vector<float> x;

  std::size_t rows() const { return codes.size() / dimension; }
  PairData Pairs() const { return {codes, SourceOf({x.data(), rows(), columns})}; }
  MatrixView Theta() const { return {theta.data(), rows(), dimension}; }
  std::span<const float> X(std::size_t row) const { return {x.data() + row * columns, columns}; }
};

// simulate(theta, random, out): one input row for one theta.
template <typename Simulate>
Toy MakeToy(std::size_t rows, std::size_t dimension, std::size_t columns, std::uint64_t seed,
            const Simulate& simulate) {
  PhiloxSequence random(StreamKey(seed, "toy"));
  Toy toy{dimension, columns, {}, {}, std::vector<float>(rows * columns)};
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t d = 0; d < dimension; ++d) {
      toy.codes.push_back(static_cast<std::uint16_t>(random.Below(1023)));
      toy.theta.push_back(static_cast<float>((toy.codes.back() + random.Uniform()) / 1023));
    }
    simulate(toy.theta.data() + i * dimension, random, toy.x.data() + i * columns);
  }
  return toy;
}

// A standard normal number.
double Normal(PhiloxSequence& random);

// x = theta + normal noise of standard deviation 0.1, in every coordinate.
Toy MakeGaussianToy(std::size_t rows, std::size_t dimension, std::uint64_t seed);

// Traces of `points`: a sine whose frequency is theta 0 and amplitude theta 1, under noise.
Toy MakeSineToy(std::size_t rows, std::size_t points, std::uint64_t seed);

double Mean(const std::vector<double>& values);

}  // namespace inferon::estimators
