// Integrals over one or two columns by the trapezoid rule on a grid in the frame.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "server/trainer/queries/frame.h"

namespace inferon::trainer {

inline constexpr std::size_t kMostGridColumns = 2;

// Nodes of one axis, ascending, an odd number.
using GridAxis = std::vector<double>;

// Nodes over the whole range of the k-th free column, most of them where the weighted candidates
// ([n, free], log weights [n]) lie. More for one axis than for one of two.
GridAxis AxisOf(const Frame& frame, const std::vector<std::size_t>& free, std::size_t k,
                std::span<const double> places, std::span<const double> log_weights);

struct GridMass {
  double log_mass = 0;  // log of the integral; -inf where all is zero.
  double error = 0;     // Its difference from the grid of every other node.
  std::size_t nodes = 0;
};
// log_target takes places [n, axes] and gives the log of the integrand at each.
GridMass Integrate(const std::vector<GridAxis>& axes,
                   const std::function<std::vector<double>(std::span<const double>)>& log_target);

}  // namespace inferon::trainer
