// Five tasks of the sbibm benchmark (Lueckmann, Boelts, Greenberg, Goncalves, Macke, "Benchmarking
// simulation-based inference", AISTATS 2021): priors and simulators. Only benchmarks and tests know
// them.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/base/philox.h"
#include "common/base/result.h"
#include "common/priors/prior.h"

namespace inferon::sbibm {

struct Task {
  std::string name;
  Prior prior;
  std::size_t columns = 0;  // Of x.
  // Writes one x for one theta.
  std::function<void(std::span<const double> theta, PhiloxSequence& random, float* x)> simulate;
};

std::vector<std::string> TaskNames();
// kInvalidArgument for an unknown name.
Result<Task> FindTask(const std::string& name);

// theta from the prior with its x.
struct Simulations {
  std::vector<double> theta;  // [rows, dimension]
  std::vector<float> x;       // [rows, columns]
};
Simulations Simulate(const Task& task, std::size_t rows, std::uint64_t seed);

// One stored observation.
struct Reference {
  std::vector<float> x;            // [columns]
  std::vector<double> true_theta;  // [dimension]
  std::vector<double> posterior;   // [rows, dimension]
};
// Reads FOLDER/<task>/num_observation_<number>/; kNotFound, kDataLoss.
Result<Reference> ReadReference(const std::string& folder, const Task& task, int number);

}  // namespace inferon::sbibm
