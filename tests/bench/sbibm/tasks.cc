#include "tests/bench/sbibm/tasks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <numbers>

namespace inferon::sbibm {
namespace {

double Normal(PhiloxSequence& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

Prior Box(std::size_t dimension, double edge) {
  Prior prior;
  for (std::size_t j = 0; j < dimension; ++j) {
    prior.parameters.push_back(
        {fmt::format("parameter_{}", j + 1), "", PriorKind::kUniform, -edge, edge});
  }
  return prior;
}

Prior Gaussian(std::size_t dimension, double variance) {
  Prior prior;
  for (std::size_t j = 0; j < dimension; ++j) {
    prior.parameters.push_back(
        {fmt::format("parameter_{}", j + 1), "", PriorKind::kNormal, 0, std::sqrt(variance)});
  }
  return prior;
}

void AddNoise(std::span<const double> theta, PhiloxSequence& random, double sd, float* x) {
  for (const double value : theta) *x++ = static_cast<float>(value + sd * Normal(random));
}

void SimulateLinear(std::span<const double> theta, PhiloxSequence& random, float* x) {
  AddNoise(theta, random, std::sqrt(0.1), x);
}

void SimulateMixture(std::span<const double> theta, PhiloxSequence& random, float* x) {
  const double sd = random.Uniform() < 0.5 ? 1.0 : 0.1;
  AddNoise(theta, random, sd, x);
}

void SimulateMoons(std::span<const double> theta, PhiloxSequence& random, float* x) {
  const double angle = std::numbers::pi * (random.Uniform() - 0.5);
  const double radius = 0.1 + 0.01 * Normal(random);
  const double first = -std::abs(theta[0] + theta[1]) / std::numbers::sqrt2;
  const double second = (-theta[0] + theta[1]) / std::numbers::sqrt2;
  x[0] = static_cast<float>(radius * std::cos(angle) + 0.25 + first);
  x[1] = static_cast<float>(radius * std::sin(angle) + second);
}

void SimulateSlcp(std::span<const double> theta, PhiloxSequence& random, float* x) {
  const double s1 = theta[2] * theta[2], s2 = theta[3] * theta[3];
  const double rho = std::tanh(theta[4]);
  constexpr double kJitter = 1e-6;
  const double a = std::sqrt(s1 * s1 + kJitter);
  const double b = rho * s1 * s2 / a;
  const double c = std::sqrt(std::max(0.0, s2 * s2 + kJitter - b * b));
  for (int draw = 0; draw < 4; ++draw) {
    const double z1 = Normal(random), z2 = Normal(random);
    x[2 * draw] = static_cast<float>(theta[0] + a * z1);
    x[2 * draw + 1] = static_cast<float>(theta[1] + b * z1 + c * z2);
  }
}

std::vector<Task> AllTasks() {
  return {{"gaussian_linear", Gaussian(10, 0.1), 10, SimulateLinear},
          {"gaussian_linear_uniform", Box(10, 1), 10, SimulateLinear},
          {"gaussian_mixture", Box(2, 10), 2, SimulateMixture},
          {"two_moons", Box(2, 1), 2, SimulateMoons},
          {"slcp", Box(5, 3), 8, SimulateSlcp}};
}

}  // namespace

std::vector<std::string> TaskNames() {
  std::vector<std::string> names;
  for (const Task& task : AllTasks()) names.push_back(task.name);
  return names;
}

Result<Task> FindTask(const std::string& name) {
  for (Task& task : AllTasks()) {
    if (task.name == name) return task;
  }
  return InvalidArgument(fmt::format("there is no task '{}'", name),
                         fmt::format("Choose one of {}", fmt::join(TaskNames(), ", ")));
}

Simulations Simulate(const Task& task, std::size_t rows, std::uint64_t seed) {
  PhiloxSequence random(StreamKey(seed, "simulations"));
  const std::size_t d = task.prior.dimension();
  Simulations all{std::vector<double>(rows * d), std::vector<float>(rows * task.columns)};
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < d; ++j) {
      all.theta[i * d + j] = *DrawFrom(task.prior.parameters[j], random);
    }
    task.simulate({all.theta.data() + i * d, d}, random, all.x.data() + i * task.columns);
  }
  return all;
}

}  // namespace inferon::sbibm
