#include "server/trainer/registry/support.h"

#include <algorithm>

namespace inferon::trainer {

std::vector<float> CellCentres(std::span<const std::uint16_t> codes) {
  std::vector<float> theta;
  theta.reserve(codes.size());
  for (const std::uint16_t code : codes) {
    theta.push_back((static_cast<float>(code) + 0.5f) / static_cast<float>(kCodeCount));
  }
  return theta;
}

std::vector<std::uint16_t> CodesOf(std::span<const float> theta) {
  std::vector<std::uint16_t> codes;
  codes.reserve(theta.size());
  for (const float coordinate : theta) {
    const float cell = coordinate * static_cast<float>(kCodeCount);
    codes.push_back(
        static_cast<std::uint16_t>(std::clamp(cell, 0.0f, static_cast<float>(kMaxCode))));
  }
  return codes;
}

std::vector<std::uint8_t> Support::Accepts(std::span<const std::uint16_t> codes) const {
  const std::vector<float> theta = CellCentres(codes);
  const std::size_t dimension = classifier_.dimension();
  const std::vector<float> scores =
      classifier_.Score({theta.data(), theta.size() / dimension, dimension});
  std::vector<std::uint8_t> inside;
  inside.reserve(scores.size());
  for (const float score : scores) inside.push_back(score >= threshold_);
  return inside;
}

}  // namespace inferon::trainer
