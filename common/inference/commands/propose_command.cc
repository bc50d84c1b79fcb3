// dataset propose: parameters for the next round of a sequential inference.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/inference/commands/commands.h"
#include "common/inference/commands/files.h"

namespace inferon::commands {
namespace {

struct ProposeOptions {
  ProposalSpec spec;
  std::string observation, out;
};

Outcome Propose(Context& context, const ProposeOptions& options) {
  const auto input = [](Error error) { return tl::unexpected(Failure{std::move(error), true}); };
  const auto call = [](Error error) { return tl::unexpected(Failure{std::move(error), false}); };
  if (Status ok = CheckTablePath(options.out); !ok) return input(ok.error());
  auto x = ReadObservation(options.observation);
  if (!x) return input(x.error());
  ProposalSpec spec = options.spec;
  spec.x = std::move(*x);
  if (spec.model.starts_with("models/")) spec.model.erase(0, 7);
  const auto model = context.engine.GetModel(spec.model, context.stop);
  if (!model) return call(model.error());
  std::vector<double> theta;
  const auto take = [&](std::span<const double> block) -> Status {
    theta.insert(theta.end(), block.begin(), block.end());
    context.screen.Progress("proposal", "draws", theta.size() / model->prior.dimension(),
                            spec.count, {});
    return {};
  };
  const auto report = context.engine.Propose(spec, take, context.stop);
  context.screen.EndProgress();
  if (!report) return call(report.error());
  for (const std::string& warning : report->warnings) context.screen.Warn(warning);
  if (Status ok = WriteTable(options.out, model->prior.Names(), theta); !ok) {
    return input(ok.error());
  }
  context.screen.Print(
      fmt::format("{} draws in {}: the prior where model {} puts {:g} of the posterior, {:.3g} of "
                  "the prior; {} "
                  "candidates from the {}",
                  report->draws, options.out, spec.model, spec.mass, report->prior_share,
                  report->tries, report->from_prior ? "prior" : "posterior"));
  context.screen.PrintJson({{"model", spec.model},
                            {"draws", report->draws},
                            {"mass", spec.mass},
                            {"prior_share", report->prior_share},
                            {"tries", report->tries},
                            {"candidates_from", report->from_prior ? "prior" : "posterior"},
                            {"warnings", report->warnings},
                            {"out", options.out}});
  return {};
}

}  // namespace

void AddProposeCommand(CLI::App& data_sets, const OnSelected& on_selected) {
  const auto options = std::make_shared<ProposeOptions>();
  CLI::App& command = *data_sets.add_subcommand(
      "propose", "Parameters to simulate next: the prior where the posterior has its mass");
  ProposalSpec& spec = options->spec;
  command.add_option("--model", spec.model, "Model of a data set")->required();
  command.add_option("--observation", options->observation, "One row of numbers: CSV or NPY")
      ->required()
      ->type_name("FILE");
  command.add_option("-n,--draws", spec.count, "Parameter sets")->capture_default_str();
  command
      .add_option("--mass", spec.mass, "Share of the posterior that the region holds, 0.5..0.9999")
      ->capture_default_str();
  command.add_option("--seed", spec.seed, "The same seed gives the same draws")
      ->capture_default_str();
  command.add_option("--most-tries", spec.most_tries, "Candidates at most: bounds the time")
      ->capture_default_str();
  command.add_option("--out,-o", options->out, "Write them: .csv or .npy")
      ->required()
      ->type_name("FILE");
  on_selected(command, [options](Context& context) { return Propose(context, *options); });
}

}  // namespace inferon::commands
