// A small flow on time series, for the tests of the networks that read them.
#pragma once

#include "server/trainer/estimators/estimators.h"

namespace inferon::estimators {

inline FlowOptions Options(SummaryNetwork network, std::size_t points) {
  FlowOptions options;
  options.dimension = 2;
  options.input = InputNetwork::kSummary;
  options.input_columns = points;
  options.transforms = 4;
  options.hidden = 16;
  options.summaries = 8;
  options.summary_network = network;
  return options;
}

}  // namespace inferon::estimators
