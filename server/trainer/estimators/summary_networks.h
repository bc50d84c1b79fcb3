// Networks on time series in LibTorch's own operators, with its gradients: slower than the default
// one (input_network.h), and at home on any device. Each takes the trace on its padded grid,
// [n, inputs()], at least `points`, continued by the last value.
#pragma once

#include <cstddef>
#include <memory>

#include "server/trainer/estimators/input_network.h"

namespace inferon::estimators {

// Patches of the trace, at most 256, then residual convolutions of kernel 3 whose reach doubles
// until it covers the whole trace (as in van den Oord et al., arXiv:1609.03499, without causality);
// mean and largest value of each channel.
std::unique_ptr<InputModule> MakeDilatedModule(std::size_t points, std::size_t outputs,
                                               WeightStore* store);

// At most 64 overlapping patches as tokens with learned positions, then attention blocks that are
// normalised first (Xiong et al., ICML 2020); mean and largest value over the tokens.
std::unique_ptr<InputModule> MakeTransformerModule(std::size_t points, std::size_t outputs,
                                                   WeightStore* store);

// The time-series network of BayesFlow 2 with its defaults, for comparison: a convolution of 32
// filters of kernel 3, a bidirectional GRU of 128 states over every point, and beside it one over
// a convolution of every 4 points (Zhang and Mikelsons, AIM 2023); its dropout is left out.
std::unique_ptr<InputModule> MakePaperModule(std::size_t points, std::size_t outputs,
                                             WeightStore* store);

}  // namespace inferon::estimators
