// Codes and points of the unit box, and where the classifier accepts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/neuron/parameters.h"
#include "server/trainer/estimators/estimators.h"

namespace inferon::trainer {

// Code k stands for the cell [k, k + 1) / 1023 of the unit interval; its centre is (k + 1/2) /
// 1023.
std::vector<float> CellCentres(std::span<const std::uint16_t> codes);
// Code of the cell that holds each coordinate; coordinates in [0, 1].
std::vector<std::uint16_t> CodesOf(std::span<const float> theta);

// The constrained prior's support: codes whose classifier score (at the cell's centre) reaches the
// threshold. Thread-safe. The classifier outlives it.
class Support {
 public:
  Support(const estimators::Classifier& classifier, float threshold)
      : classifier_(classifier), threshold_(threshold) {}
  // 1 for each row of codes ([n, dimension]) that is inside, else 0.
  std::vector<std::uint8_t> Accepts(std::span<const std::uint16_t> codes) const;

 private:
  const estimators::Classifier& classifier_;
  const float threshold_;
};

}  // namespace inferon::trainer
