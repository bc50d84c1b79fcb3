// Accuracy of an estimator on one task of sbibm: trains, draws 10 000 times for each of the ten
// stored observations, compares with the reference posteriors. The last line is one JSON object.
#include <fmt/format.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "server/trainer/engine/recipe.h"
#include "server/trainer/engine/theta_posterior.h"
#include "tests/bench/sbibm/c2st.h"
#include "tests/bench/sbibm/tasks.h"

namespace inferon::sbibm {
namespace {

using nlohmann::json;

constexpr int kObservations = 10;
constexpr std::size_t kFieldDensities = 500;

struct Flags {
  std::string data, task, estimator, config;
  std::size_t simulations = 10'000;
  std::uint64_t seed = 1;
  int observations = kObservations;
  bool progress = false;
  bool densities_only = false;
};

double CpuSeconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// What is compared for one observation.
struct Score {
  double c2st = 0;
  double log_density_truth = 0;      // log q(theta* | x).
  double log_density_reference = 0;  // Mean of log q over the reference draws.
};

Score Compare(const estimators::DensityEstimator& estimator, const trainer::ThetaSpace& space,
              const Reference& reference, const Flags& flags) {
  const std::uint64_t seed = flags.seed;
  const std::size_t d = space.dimension(), n = reference.posterior.size() / d;
  Score score;
  if (!flags.densities_only) {
    const auto draws = space.FromSpace(estimator.Sample(reference.x, n, seed, 0, nullptr));
    score.c2st = C2st(reference.posterior, draws, d, seed);
  }
  score.log_density_truth =
      trainer::LogDensityOfTheta(estimator, space, reference.x, reference.true_theta)[0];
  // A field's densities take long.
  const std::size_t rows = estimator.exact_density() ? n : std::min(n, kFieldDensities);
  const auto densities = trainer::LogDensityOfTheta(estimator, space, reference.x,
                                                    std::span(reference.posterior).first(rows * d));
  for (const double v : densities) {
    score.log_density_reference += v / static_cast<double>(densities.size());
  }
  return score;
}

Result<json> Run(const Flags& flags) {
  const auto task = FindTask(flags.task);
  if (!task) return tl::unexpected(task.error());
  const double start = CpuSeconds();
  const Simulations pairs = Simulate(*task, flags.simulations, flags.seed);
  const auto space = trainer::ThetaSpace::Fit(task->prior, pairs.theta);
  auto recipe = trainer::DefaultRecipe(flags.estimator,
                                       {flags.simulations, task->columns, space.Axes(), false});
  if (!recipe) return tl::unexpected(recipe.error());
  if (Status ok = trainer::ApplyConfig(flags.config, &*recipe); !ok) {
    return tl::unexpected(ok.error());
  }
  recipe->training.seed = flags.seed;
  if (flags.progress) {
    recipe->training.progress = [](const estimators::TrainingProgress& p) {
      std::fprintf(stderr, "epoch %u of %u: training %.4f, held out %.4f\n", p.epoch, p.max_epochs,
                   p.training_loss, p.heldout_loss);
    };
  }
  const std::vector<float> u = space.ToSpace(pairs.theta);
  const estimators::PairData data{
      {},
      estimators::SourceOf({pairs.x.data(), flags.simulations, task->columns}),
      {u.data(), flags.simulations, space.dimension()},
      space.Cells()};
  estimators::TrainingResult result;
  const auto estimator =
      estimators::TrainDensityEstimator(recipe->flow, data, recipe->training, &result);
  if (!estimator) return tl::unexpected(estimator.error());
  const double trained = CpuSeconds();

  std::vector<double> c2st, truth, density;
  for (int number = 1; number <= flags.observations; ++number) {
    const auto reference = ReadReference(flags.data, *task, number);
    if (!reference) return tl::unexpected(reference.error());
    const Score score = Compare(**estimator, space, *reference, flags);
    if (flags.progress) std::fprintf(stderr, "observation %d: %.4f\n", number, score.c2st);
    c2st.push_back(score.c2st);
    truth.push_back(score.log_density_truth);
    density.push_back(score.log_density_reference);
  }
  const auto mean = [](const std::vector<double>& v) {
    double sum = 0;
    for (const double x : v) sum += x / static_cast<double>(v.size());
    return sum;
  };
  double squares = 0;
  for (const double v : c2st) squares += (v - mean(c2st)) * (v - mean(c2st));
  json result_json{{"task", task->name},
                   {"simulations", flags.simulations},
                   {"estimator", recipe->estimator},
                   {"seed", flags.seed},
                   {"c2st_mean", mean(c2st)},
                   {"c2st_std", std::sqrt(squares / static_cast<double>(c2st.size()))},
                   {"c2st", c2st},
                   {"nll_true_parameters", -mean(truth)},
                   {"log_density_reference", mean(density)},
                   {"best_heldout_loss", result.best_heldout_loss},
                   {"epochs", result.epochs},
                   {"training_cpu_s", trained - start},
                   {"comparison_cpu_s", CpuSeconds() - trained},
                   {"settings", json::parse(trainer::RecipeJson(*recipe))}};
  if (flags.densities_only) {
    for (const char* key : {"c2st", "c2st_mean", "c2st_std"}) result_json.erase(key);
  }
  return result_json;
}

int Main(int argc, char** argv) {
  estimators::UseWidestBlas(argv);
  Flags flags;
  CLI::App app("Accuracy of an estimator on a task of sbibm.", "inferon_bench_sbibm");
  app.add_option("--data", flags.data, "Folder of the stored observations")->required();
  app.add_option("--task", flags.task, "Task")->required();
  app.add_option("--simulations", flags.simulations, "Pairs to train on")
      ->check(CLI::Range(std::size_t{100}, std::size_t{100'000'000}));
  app.add_option("--seed", flags.seed, "Of simulations, training and draws");
  app.add_option("--estimator", flags.estimator, "Estimator");
  app.add_option("--config", flags.config, "JSON object that changes the estimator's settings");
  app.add_option("--observations", flags.observations, "The first N of the ten")
      ->check(CLI::Range(1, kObservations));
  app.add_flag("--densities-only", flags.densities_only, "Without the C2ST, which takes longest");
  app.add_flag("--progress", flags.progress, "One line an epoch");
  CLI11_PARSE(app, argc, argv);
  const auto result = Run(flags);
  if (!result) {
    std::cerr << "inferon_bench_sbibm: " << result.error().Text() << "\n";
    return 1;
  }
  std::cout << result->dump() << std::endl;
  return 0;
}

}  // namespace
}  // namespace inferon::sbibm

int main(int argc, char** argv) { return inferon::sbibm::Main(argc, argv); }
