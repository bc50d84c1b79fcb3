// The posterior of the profile lif2 against brute force: the default estimator trained on uniform
// codes, and for each of ten observations the codes of the nearest of very many emulator runs,
// compared by the classifier two-sample test. The last line is one JSON object.
#include <fmt/format.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "server/trainer/engine/recipe.h"
#include "server/trainer/engine/theta_posterior.h"
#include "tests/bench/lif2/brute_force.h"
#include "tests/bench/sbibm/c2st.h"

namespace inferon::lif2 {
namespace {

using nlohmann::json;

struct Flags {
  std::string estimator, config;
  std::size_t simulations = 50'000;
  std::size_t runs = 10'000'000;  // Of the emulator for the brute-force posteriors, in all.
  std::size_t pilot = 400'000;    // Part of them.
  std::size_t accepted = 1000;
  int observations = 10;
  std::uint64_t seed = 1;
  bool progress = false;
};

double CpuSeconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Trained {
  trainer::ThetaSpace space;
  std::unique_ptr<estimators::DensityEstimator> estimator;
  json settings;
};

Result<Trained> Train(Simulator& simulator, const Flags& flags, PhiloxSequence& random) {
  const Runs pairs = RunPrior(simulator, flags.simulations, random);
  const std::vector<double> theta(pairs.codes.begin(), pairs.codes.end());
  Trained trained{trainer::ThetaSpace::Fit(CodePrior(simulator.profile()), theta), nullptr, {}};
  auto recipe = trainer::DefaultRecipe(flags.estimator,
                                       {flags.simulations, kColumns, trained.space.Axes(), false});
  if (!recipe) return tl::unexpected(recipe.error());
  if (Status ok = trainer::ApplyConfig(flags.config, &*recipe); !ok) {
    return tl::unexpected(ok.error());
  }
  recipe->training.seed = flags.seed;
  if (flags.progress) {
    recipe->training.progress = [](const estimators::TrainingProgress& p) {
      fmt::print(stderr, "epoch {} of {}: held out {:.4f}\n", p.epoch, p.max_epochs,
                 p.heldout_loss);
    };
  }
  const std::vector<float> u = trained.space.ToSpace(theta);
  const estimators::PairData data{
      {},
      estimators::SourceOf({pairs.x.data(), flags.simulations, kColumns}),
      {u.data(), flags.simulations, kParameters},
      trained.space.Cells()};
  estimators::TrainingResult result;
  auto estimator = estimators::TrainDensityEstimator(recipe->flow, data, recipe->training, &result);
  if (!estimator) return tl::unexpected(estimator.error());
  trained.estimator = std::move(*estimator);
  trained.settings = json::parse(trainer::RecipeJson(*recipe));
  return trained;
}

// Codes of the prior with their x, at least two spikes (each of the three numbers is there).
Runs ChooseObservations(Simulator& simulator, int count, PhiloxSequence& random) {
  const Runs many = RunPrior(simulator, static_cast<std::size_t>(count) * 20, random);
  Runs chosen;
  for (std::size_t i = 0; i < many.size() && chosen.size() < static_cast<std::size_t>(count); ++i) {
    const auto x = std::span(many.x).subspan(i * kColumns, kColumns);
    if (!std::ranges::all_of(x, [](float v) { return std::isfinite(v); })) continue;
    chosen.x.insert(chosen.x.end(), x.begin(), x.end());
    const auto codes = std::span(many.codes).subspan(i * kParameters, kParameters);
    chosen.codes.insert(chosen.codes.end(), codes.begin(), codes.end());
  }
  return chosen;
}

Result<json> Run(const Flags& flags) {
  Simulator simulator;
  PhiloxSequence random(StreamKey(flags.seed, "lif2"));
  const auto trained = Train(simulator, flags, random);
  if (!trained) return tl::unexpected(trained.error());
  const double trained_s = CpuSeconds();
  const Runs observations = ChooseObservations(simulator, flags.observations, random);
  const std::uint64_t before = simulator.runs();
  const Runs pilot = RunPrior(simulator, flags.pilot, random);
  const std::size_t each =
      (flags.runs - flags.pilot + observations.size() - 1) / observations.size();
  std::vector<double> c2st, tolerance, share;
  int at_edge = 0;
  for (std::size_t k = 0; k < observations.size(); ++k) {
    const auto x = std::span(observations.x).subspan(k * kColumns, kColumns);
    const auto truth = std::span(observations.codes).subspan(k * kParameters, kParameters);
    const Accepted reference = Reject(simulator, pilot, truth, x, each, flags.accepted, random);
    const auto draws = trainer::DrawTheta(*trained->estimator, trained->space, x, flags.accepted,
                                          flags.seed + k, 0);
    c2st.push_back(sbibm::C2st(reference.codes, draws.theta, kParameters, flags.seed));
    tolerance.push_back(reference.tolerance);
    share.push_back(reference.box_share);
    at_edge += reference.at_edge;
    if (flags.progress) {
      fmt::print(stderr,
                 "observation {} (codes {}, {}): C2ST {:.4f}, tolerance {:.3f}, box {:.4f}\n",
                 k + 1, truth[0], truth[1], c2st.back(), tolerance.back(), share.back());
    }
  }
  double mean = 0, squares = 0;
  for (const double v : c2st) mean += v / static_cast<double>(c2st.size());
  for (const double v : c2st) squares += (v - mean) * (v - mean);
  return json{{"bench", "lif2"},
              {"c2st_mean", mean},
              {"c2st_std", std::sqrt(squares / static_cast<double>(c2st.size()))},
              {"c2st", c2st},
              {"simulations", flags.simulations},
              {"emulator_runs", simulator.runs() - before},
              {"accepted", flags.accepted},
              {"tolerance", tolerance},
              {"box_share", share},
              {"boxes_cut", at_edge},
              {"seed", flags.seed},
              {"training_cpu_s", trained_s},
              {"cpu_s", CpuSeconds()},
              {"settings", trained->settings}};
}

int Main(int argc, char** argv) {
  estimators::UseWidestBlas(argv);
  Flags flags;
  CLI::App app("The posterior of the profile lif2 against brute force.", "inferon_bench_lif2");
  app.add_option("--simulations", flags.simulations, "Pairs to train on")
      ->check(CLI::Range(std::size_t{1000}, std::size_t{10'000'000}));
  app.add_option("--runs", flags.runs, "Emulator runs of the brute-force posteriors, in all")
      ->check(CLI::Range(std::size_t{100'000}, std::size_t{1'000'000'000}));
  app.add_option("--pilot", flags.pilot, "Of them, runs over the whole prior");
  app.add_option("--accepted", flags.accepted, "Nearest runs that are a posterior")
      ->check(CLI::Range(std::size_t{100}, std::size_t{100'000}));
  app.add_option("--observations", flags.observations, "Observations")->check(CLI::Range(1, 100));
  app.add_option("--estimator", flags.estimator, "Estimator");
  app.add_option("--config", flags.config, "JSON object that changes the estimator's settings");
  app.add_option("--seed", flags.seed, "Of runs, training and draws");
  app.add_flag("--progress", flags.progress, "One line an epoch and an observation");
  CLI11_PARSE(app, argc, argv);
  if (flags.pilot < 1000 || flags.pilot >= flags.runs) {
    std::cerr << "inferon_bench_lif2: --pilot is at least 1000 and below --runs\n";
    return 2;
  }
  const auto result = Run(flags);
  if (!result) {
    std::cerr << "inferon_bench_lif2: " << result.error().Text() << "\n";
    return 1;
  }
  std::cout << result->dump() << std::endl;
  return 0;
}

}  // namespace
}  // namespace inferon::lif2

int main(int argc, char** argv) { return inferon::lif2::Main(argc, argv); }
