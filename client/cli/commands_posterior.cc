// inferon posterior sample|map|logprob|predict|check
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/cli/chip_settings.h"
#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/engine_commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/format.h"
#include "client/cli/observation_input.h"
#include "client/cli/posterior_view.h"
#include "client/cli/progress.h"
#include "client/library/codes_file.h"
#include "common/inference/commands/files.h"
#include "common/inference/commands/restriction_options.h"
#include "common/neuron/parameters.h"
#include "common/rpc/convert.h"
#include "common/rpc/restriction_convert.h"

namespace inferon::cli {
namespace {

struct QueryOptions {
  ObservationOptions observation;
  std::uint64_t draws = 1000;
  std::uint64_t seed = 0;
  std::string out;                     // sample: file for the draws.
  std::string codes;                   // logprob: CSV file.
  std::string request;                 // predict: id that makes it idempotent.
  std::string as;                      // map: "lola" or "pynn"; empty: codes only.
  std::string mapping = "adex-paper";  // map: chip mapping.
  std::string theta;                   // logprob: sets for a model of a data set.
  bool log_density = false;            // sample: a last column of it, for such a model.
  commands::RestrictionOptions restriction;
};

// Whether the observation is a row of numbers, which a model of a data set answers about. A file
// that cannot be read counts as a recording: that way says what is wrong.
bool IsRowOfNumbers(const QueryOptions& options) {
  const std::filesystem::path file = options.observation.file;
  return file.extension() == ".npy" || (!file.empty() && commands::ReadObservation(file));
}

commands::QueryOptions RowQuery(const QueryOptions& options) {
  return {options.observation.model,
          options.observation.file,
          options.draws,
          options.seed,
          options.out,
          options.log_density,
          options.theta,
          options.restriction};
}

// What every query begins with: a trainer, and the observation in the model's protocol. `run` then
// asks and shows.
int WithObservation(CommandContext& context, const QueryOptions& options,
                    const std::function<int(client::TrainerClient&, QueryObservation&)>& run) {
  if (Status ok = CheckObservationOptions(options.observation); !ok) {
    return context.console.FailedInput(ok.error());
  }
  Result<std::unique_ptr<client::TrainerClient>> trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  auto loaded = LoadObservation(context, **trainer, options.observation);
  if (!loaded) return context.console.Failed(loaded.error().error, loaded.error().exit_code);
  for (const std::string& note : loaded->notes) context.console.Note(note);
  for (const std::string& warning : loaded->warnings) context.console.Warn(warning);
  return run(**trainer, *loaded);
}

// What the query is about, of a study's model; nothing where it is about all parameters.
Result<std::optional<Restriction>> RestrictionOf(const QueryOptions& options,
                                                 const v1::Model& model) {
  if (options.restriction.empty()) return std::nullopt;
  const Prior prior =
      IntegerPrior({model.parameters().begin(), model.parameters().end()}, 0, kMaxCode);
  auto restriction = commands::ReadRestriction(options.restriction, prior);
  if (!restriction) return tl::unexpected(restriction.error());
  return std::move(*restriction);
}

void AddReport(Console& console, const Restriction& restriction, const RestrictionReport& report,
               nlohmann::json& json) {
  console.Print(commands::DescribeReport(report));
  json["restriction"] = commands::ReportJson(restriction, report);
}

template <typename Warnings>
void WarnAll(Console& console, const Warnings& warnings) {
  for (const std::string& warning : warnings) console.Warn(warning);
}

// What was noted about the observation belongs to the JSON object too.
nlohmann::json WithNotes(nlohmann::json json, const QueryObservation& query) {
  json["observation"] = {{"notes", query.notes}, {"warnings", query.warnings}};
  if (!query.provenance.empty()) {
    json["observation"]["provenance"] = nlohmann::json::parse(query.provenance);
  }
  return json;
}

int Sample(CommandContext& context, const QueryOptions& options) {
  if (IsRowOfNumbers(options)) {
    return RunOnTrainer(context, [query = RowQuery(options)](commands::Context& inner) {
      return commands::Sample(inner, query);
    });
  }
  if (!options.out.empty()) {
    if (Status ok = CheckDrawsPath(options.out); !ok) {
      return context.console.FailedInput(ok.error());
    }
  }
  return WithObservation(
      context, options, [&](client::TrainerClient& trainer, QueryObservation& query) {
        v1::SamplePosteriorRequest request;
        request.set_model(query.model.name());
        *request.mutable_observation() = query.observation;
        request.set_draws(options.draws);
        request.set_seed(options.seed);
        const auto restriction = RestrictionOf(options, query.model);
        if (!restriction) return context.console.FailedInput(restriction.error());
        if (*restriction) *request.mutable_restriction() = rpc::ToProto(**restriction);
        const auto draws = trainer.SamplePosterior(request, context.stop);
        if (!draws) return context.console.FailedCall(draws.error());
        WarnAll(context.console, draws->warnings);
        context.console.Print(fmt::format(
            "{} draws from {}, DAC codes:", FormatCount(draws->sets.size()), draws->model.name()));
        context.console.Print(DrawsTable(*draws));
        nlohmann::json json = WithNotes(DrawsJson(*draws), query);
        if (*restriction) AddReport(context.console, **restriction, *draws->restriction, json);
        if (!options.out.empty()) {
          if (Status ok = WriteDraws(*draws, options.out); !ok) {
            return context.console.FailedInput(ok.error());
          }
          context.console.Print("Draws: " + options.out);
          json["out"] = options.out;
        }
        context.console.PrintJson(json);
        return static_cast<int>(kOk);
      });
}

// The found set as settings of a vendor's tool, from the model's profile and a chip mapping.
Result<std::string> SettingsFor(CommandContext& context, client::TrainerClient& trainer,
                                const QueryOptions& options, const v1::Model& model,
                                const v1::EstimateMapResponse& answer) {
  const auto profile = FindModelProfile(context, trainer, model);
  if (!profile) return tl::unexpected(profile.error().error);
  const Result<ChipMapping> mapping = FindChipMapping(options.mapping);
  if (!mapping) return tl::unexpected(mapping.error());
  const std::vector<std::uint16_t> codes(answer.codes().begin(), answer.codes().end());
  return ChipSettings(options.as == "lola" ? ChipTool::kLola : ChipTool::kPynn, *mapping, *profile,
                      codes);
}

int Map(CommandContext& context, const QueryOptions& options) {
  if (IsRowOfNumbers(options)) {
    return RunOnTrainer(context, [query = RowQuery(options)](commands::Context& inner) {
      return commands::Map(inner, query);
    });
  }
  return WithObservation(
      context, options, [&](client::TrainerClient& trainer, QueryObservation& query) {
        v1::EstimateMapRequest request;
        request.set_model(query.model.name());
        *request.mutable_observation() = query.observation;
        request.set_draws(options.draws);
        request.set_seed(options.seed);
        const auto restriction = RestrictionOf(options, query.model);
        if (!restriction) return context.console.FailedInput(restriction.error());
        if (*restriction) *request.mutable_restriction() = rpc::ToProto(**restriction);
        const auto answer = trainer.EstimateMap(request, context.stop);
        if (!answer) return context.console.FailedCall(answer.error());
        WarnAll(context.console, answer->warnings());
        Table table{{{"PARAMETER"}, {"CODE", true}}, {}};
        nlohmann::json codes = nlohmann::json::object();
        for (int i = 0; i < answer->codes_size() && i < query.model.parameters_size(); ++i) {
          table.rows.push_back({query.model.parameters(i), std::to_string(answer->codes(i))});
          codes[query.model.parameters(i)] = answer->codes(i);
        }
        context.console.Print(
            fmt::format("Most probable of {} draws from {}: log density {:.3f} nats ({})",
                        FormatCount(options.draws), query.model.name(), answer->log_density(),
                        SupportName(answer->support())));
        context.console.Print(table);
        std::string settings;
        if (!options.as.empty()) {
          const auto text = SettingsFor(context, trainer, options, query.model, *answer);
          if (!text) return context.console.FailedInput(text.error());
          settings = *text;
          context.console.Print("\n" + settings);
        }
        nlohmann::json json = WithNotes(
            {{"model", query.model.name()},
             {"settings", settings},
             {"draws", options.draws},
             {"codes", codes},
             {"log_density", answer->log_density()},
             {"support", SupportName(answer->support())},
             {"warnings",
              std::vector<std::string>(answer->warnings().begin(), answer->warnings().end())}},
            query);
        if (*restriction) {
          AddReport(context.console, **restriction, rpc::FromProto(answer->restriction()), json);
        }
        context.console.PrintJson(json);
        return static_cast<int>(kOk);
      });
}

int ShowLogProb(CommandContext& context, const v1::EvaluateLogProbResponse& answer,
                const ParameterSets& sets, const QueryObservation& query,
                const std::optional<Restriction>& restriction) {
  const auto values = rpc::FromArray<double>(answer.log_density(), 1);
  if (!values || values->size() != sets.size()) {
    return context.console.FailedCall({ErrorCode::kDataLoss,
                                       "the trainer's answer has not one density for each set",
                                       "Use a client of the trainer's version",
                                       {}});
  }
  const auto errors = rpc::FromArray<double>(answer.standard_error(), 1);
  const bool shown = restriction && errors && errors->size() == sets.size();
  WarnAll(context.console, answer.warnings());
  Table table{{{"CODES"}, {"LOG DENSITY", true}}, {}};
  if (shown) table.columns.push_back({"STANDARD ERROR", true});
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = 0; i < sets.size(); ++i) {
    table.rows.push_back(
        {fmt::format("{}", fmt::join(sets[i], ",")), fmt::format("{:.3f}", (*values)[i])});
    if (shown) table.rows.back().push_back(fmt::format("{:.2g}", (*errors)[i]));
    // JSON has no infinity: outside the support is null.
    list.push_back(std::isfinite((*values)[i]) ? nlohmann::json((*values)[i])
                                               : nlohmann::json(nullptr));
  }
  context.console.Print(table);
  nlohmann::json json = WithNotes({{"model", query.model.name()},
                                   {"support", SupportName(answer.support())},
                                   {"log_density", list}},
                                  query);
  if (shown) json["standard_errors"] = *errors;
  if (restriction) {
    AddReport(context.console, *restriction, rpc::FromProto(answer.restriction()), json);
  }
  context.console.PrintJson(json);
  return kOk;
}

int LogProb(CommandContext& context, const QueryOptions& options) {
  const bool row = IsRowOfNumbers(options);
  if ((row ? options.theta : options.codes).empty()) {
    return context.console.FailedInput(
        {ErrorCode::kInvalidArgument,
         row ? "--theta is required" : "--codes is required",
         row ? "Give a CSV or NPY file of parameter sets" : "Give a CSV file of codes",
         {}});
  }
  if (row) {
    return RunOnTrainer(context, [query = RowQuery(options)](commands::Context& inner) {
      return commands::LogProb(inner, query);
    });
  }
  return WithObservation(
      context, options, [&](client::TrainerClient& trainer, QueryObservation& query) {
        const auto restriction = RestrictionOf(options, query.model);
        if (!restriction) return context.console.FailedInput(restriction.error());
        const Prior prior = commands::PriorOfAnswer(
            IntegerPrior({query.model.parameters().begin(), query.model.parameters().end()}, 0,
                         kMaxCode),
            restriction->value_or(Restriction{}));
        const Result<ParameterSets> sets = client::ReadCodesFile(options.codes, prior.Names());
        if (!sets) return context.console.FailedInput(sets.error());
        v1::EvaluateLogProbRequest request;
        request.set_model(query.model.name());
        *request.mutable_observation() = query.observation;
        *request.mutable_codes() = rpc::ToProto(*sets);
        if (*restriction) *request.mutable_restriction() = rpc::ToProto(**restriction);
        const auto answer = trainer.EvaluateLogProb(request, context.stop);
        if (!answer) return context.console.FailedCall(answer.error());
        return ShowLogProb(context, *answer, *sets, query, *restriction);
      });
}

int Predict(CommandContext& context, const QueryOptions& options) {
  return WithObservation(
      context, options, [&](client::TrainerClient& trainer, QueryObservation& query) {
        v1::PredictPosteriorRequest request;
        request.set_model(query.model.name());
        *request.mutable_observation() = query.observation;
        request.set_draws(options.draws);
        request.set_seed(options.seed);
        request.set_request_id(options.request);
        Progress progress(context.console, context.clock, "posterior predictive", "experiments");
        const auto predictions = trainer.PredictPosterior(
            request, context.stop,
            [&](std::uint64_t done) { progress.Update(done, options.draws); });
        progress.Finish();
        if (!predictions) return context.console.FailedCall(predictions.error());
        WarnAll(context.console, predictions->warnings);
        context.console.Print(
            fmt::format("{} draws from {} run as {}:", FormatCount(predictions->sets.size()),
                        query.model.name(), predictions->job));
        context.console.Print(PredictionsTable(*predictions));
        nlohmann::json json = WithNotes(PredictionsJson(*predictions), query);
        json["model"] = query.model.name();
        context.console.PrintJson(json);
        return static_cast<int>(kOk);
      });
}

std::shared_ptr<QueryOptions> AddQuery(CLI::App& posteriors, CommandContext& context,
                                       const std::string& verb, const std::string& help,
                                       std::uint64_t draws,
                                       int (*run)(CommandContext&, const QueryOptions&)) {
  auto options = std::make_shared<QueryOptions>();
  options->draws = draws;
  CLI::App& command = *posteriors.add_subcommand(verb, help);
  AddObservationOptions(command, options->observation);
  if (draws > 0) {
    command.add_option("--draws,-n", options->draws, "Draws from the posterior")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{10'000'000}))
        ->capture_default_str();
    command.add_option("--seed", options->seed, "The same seed gives the same draws")
        ->capture_default_str();
  }
  OnSelected(command, context, [&context, options, run] { return run(context, *options); });
  return options;
}

}  // namespace

void AddPosteriorCommands(CLI::App& app, CommandContext& context) {
  CLI::App& posteriors = *app.add_subcommand("posterior", "Ask which parameters made a trace");
  posteriors.require_subcommand(1);
  const auto sample =
      AddQuery(posteriors, context, "sample", "Draws from the posterior", 1000, Sample);
  posteriors.get_subcommand("sample")
      ->add_option("--out,-o", sample->out, "Write the draws: .csv or .npy")
      ->type_name("FILE");
  posteriors.get_subcommand("sample")->add_flag(
      "--log-density", sample->log_density,
      "With a last column log_density (models of studies always have it)");
  const auto map =
      AddQuery(posteriors, context, "map",
               "Most probable parameter set: a search from the best of some draws", 1000, Map);
  CLI::App& map_command = *posteriors.get_subcommand("map");
  commands::AddRestrictionOptions(*posteriors.get_subcommand("sample"), sample->restriction, true);
  commands::AddRestrictionOptions(map_command, map->restriction, false);
  map_command.add_option("--as", map->as, "Also as settings to paste: lola or pynn")
      ->check(CLI::IsMember({"lola", "pynn"}))
      ->default_str("");
  map_command.add_option("--mapping", map->mapping, "Chip mapping: built-in name or TOML file")
      ->type_name("NAME|FILE");
  const auto logprob =
      AddQuery(posteriors, context, "logprob", "Log density of given parameter sets", 0, LogProb);
  posteriors.get_subcommand("logprob")
      ->add_option("--codes", logprob->codes, "CSV: a line of parameter names, then DAC codes")
      ->type_name("FILE");
  posteriors.get_subcommand("logprob")
      ->add_option("--theta", logprob->theta,
                   "Parameter sets for a model of a data set, one a row: CSV or NPY")
      ->type_name("FILE");
  posteriors.get_subcommand("logprob")
      ->add_option("--out,-o", logprob->out, "Write the log densities of --theta: .csv or .npy")
      ->type_name("FILE");
  commands::AddRestrictionOptions(*posteriors.get_subcommand("logprob"), logprob->restriction,
                                  true);
  commands::AddCheckCommand(posteriors, OnTrainer(context));
  const auto predict =
      AddQuery(posteriors, context, "predict",
               "Run draws again and compare features with the observation's", 100, Predict);
  posteriors.get_subcommand("predict")->add_option("--request-id", predict->request,
                                                   "Id of the job: the same id runs once (random)");
}

}  // namespace inferon::cli
