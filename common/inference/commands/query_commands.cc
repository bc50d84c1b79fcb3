// posterior sample|map|logprob about a row of numbers
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/inference/commands/commands.h"
#include "common/inference/commands/files.h"

namespace inferon::commands {
namespace {

using nlohmann::json;

constexpr std::size_t kMostShown = 20;  // Rows of a table for people.

tl::unexpected<Failure> BadInput(Error error) {
  return tl::unexpected(Failure{std::move(error), true});
}
tl::unexpected<Failure> BadCall(Error error) {
  return tl::unexpected(Failure{std::move(error), false});
}

// The model (the newest where none is named) and the observation.
struct Question {
  ModelInfo model;
  PosteriorQuery query;
};

tl::expected<Question, Failure> Read(Context& context, const QueryOptions& options) {
  auto x = ReadObservation(options.observation);
  if (!x) return BadInput(x.error());
  std::string id = options.model;
  if (id.starts_with("models/")) id.erase(0, 7);
  if (id.empty()) {
    const auto all = context.engine.ListModels(context.stop);
    if (!all) return BadCall(all.error());
    if (all->empty()) {
      return BadCall({ErrorCode::kFailedPrecondition,
                      "there is no model of a data set yet",
                      "Train one with 'model train'",
                      {}});
    }
    id = all->front().id;
  }
  auto model = context.engine.GetModel(id, context.stop);
  if (!model) return BadCall(model.error());
  auto restriction = ReadRestriction(options.restriction, model->prior);
  if (!restriction) return BadInput(restriction.error());
  return Question{std::move(*model), {id, std::move(*x), std::move(*restriction)}};
}

// Linear interpolation between order statistics; values are sorted.
double Quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

void WarnAll(Screen& screen, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) screen.Warn(warning);
}

std::string Titled(const ParameterPrior& parameter) {
  return parameter.unit.empty() ? parameter.name
                                : fmt::format("{} ({})", parameter.name, parameter.unit);
}

json Finite(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

Status WriteDraws(const PosteriorDraw& draws, const Prior& prior, const QueryOptions& options) {
  std::vector<std::string> names = prior.Names();
  if (!options.log_density) return WriteTable(options.out, names, draws.theta);
  const std::size_t d = names.size();
  names.push_back("log_density");
  std::vector<double> values;
  for (std::size_t i = 0; i < draws.size(); ++i) {
    values.insert(values.end(), draws.theta.begin() + static_cast<std::ptrdiff_t>(i * d),
                  draws.theta.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
    values.push_back(draws.log_density[i]);
  }
  return WriteTable(options.out, names, values);
}

// With a second column of standard errors where there are some.
Status WriteDensities(const std::string& path, const PosteriorLogDensity& answer) {
  if (answer.standard_error.empty()) return WriteTable(path, {"log_density"}, answer.log_density);
  std::vector<double> values;
  for (std::size_t i = 0; i < answer.log_density.size(); ++i) {
    values.insert(values.end(), {answer.log_density[i], answer.standard_error[i]});
  }
  return WriteTable(path, {"log_density", "standard_error"}, values);
}

void AddReport(Screen& screen, const Restriction& restriction,
               const std::optional<RestrictionReport>& report, json& object) {
  if (!report) return;
  screen.Print(DescribeReport(*report));
  object["restriction"] = ReportJson(restriction, *report);
}

Result<PosteriorDraw> Collect(Context& context, const PosteriorQuery& query,
                              const QueryOptions& options) {
  PosteriorDraw all;
  const Status done = context.engine.Sample(
      query, options.draws, options.seed,
      [&](const PosteriorDraw& block) -> Status {
        all.theta.insert(all.theta.end(), block.theta.begin(), block.theta.end());
        all.log_density.insert(all.log_density.end(), block.log_density.begin(),
                               block.log_density.end());
        all.warnings.insert(all.warnings.end(), block.warnings.begin(), block.warnings.end());
        all.columns = block.columns;
        if (block.restriction) all.restriction = block.restriction;
        context.screen.Progress("posterior", "draws", all.size(), options.draws, {});
        return {};
      },
      context.stop);
  if (!done) return tl::unexpected(done.error());
  return all;
}

}  // namespace

Outcome Sample(Context& context, const QueryOptions& options) {
  if (!options.out.empty()) {
    if (Status ok = CheckTablePath(options.out); !ok) return BadInput(ok.error());
  }
  const auto question = Read(context, options);
  if (!question) return tl::unexpected(question.error());
  const Prior prior = PriorOfAnswer(question->model.prior, question->query.restriction);
  const bool whole = prior.dimension() + question->query.restriction.conditions.size() ==
                     question->model.prior.dimension();
  if (options.log_density && !whole) {
    return BadInput({ErrorCode::kInvalidArgument,
                     "draws of some parameters carry no log density",
                     "Leave --log-density out, and ask 'posterior logprob' with the same "
                     "--parameters",
                     {}});
  }
  const auto draws = Collect(context, question->query, options);
  context.screen.EndProgress();
  if (!draws) return BadCall(draws.error());
  WarnAll(context.screen, draws->warnings);
  const std::size_t d = prior.dimension();
  std::vector<std::vector<std::string>> rows;
  json parameters = json::array();
  for (std::size_t j = 0; j < d; ++j) {
    std::vector<double> column(draws->size());
    for (std::size_t i = 0; i < column.size(); ++i) column[i] = draws->theta[i * d + j];
    std::sort(column.begin(), column.end());
    const double median = Quantile(column, 0.5), low = Quantile(column, 0.05),
                 high = Quantile(column, 0.95);
    rows.push_back({Titled(prior.parameters[j]), fmt::format("{:.6g}", median),
                    fmt::format("{:.6g}", low), fmt::format("{:.6g}", high)});
    parameters.push_back({{"name", prior.parameters[j].name},
                          {"unit", prior.parameters[j].unit},
                          {"median", median},
                          {"low", low},
                          {"high", high}});
  }
  context.screen.Print(fmt::format("{} draws from model {}:", draws->size(), question->model.id));
  context.screen.PrintTable({"PARAMETER", ">MEDIAN", ">5 %", ">95 %"}, rows);
  json object = {{"model", question->model.id},
                 {"draws", draws->size()},
                 {"warnings", draws->warnings},
                 {"parameters", parameters}};
  AddReport(context.screen, question->query.restriction, draws->restriction, object);
  if (!options.out.empty()) {
    if (Status ok = WriteDraws(*draws, prior, options); !ok) return BadInput(ok.error());
    context.screen.Print("Draws: " + options.out);
    object["out"] = options.out;
  }
  context.screen.PrintJson(object);
  return {};
}

Outcome Map(Context& context, const QueryOptions& options) {
  const auto question = Read(context, options);
  if (!question) return tl::unexpected(question.error());
  const auto map = context.engine.Map(question->query, options.draws, options.seed, context.stop);
  if (!map) return BadCall(map.error());
  WarnAll(context.screen, map->warnings);
  std::vector<std::vector<std::string>> rows;
  json theta = json::object();
  for (std::size_t j = 0; j < map->theta.size(); ++j) {
    const ParameterPrior& parameter = question->model.prior.parameters[j];
    rows.push_back({Titled(parameter), fmt::format("{:.6g}", map->theta[j])});
    theta[parameter.name] = map->theta[j];
  }
  context.screen.Print(fmt::format("Mode of the posterior of model {}: log density {:.4f} nats",
                                   question->model.id, map->log_density));
  context.screen.PrintTable({"PARAMETER", ">VALUE"}, rows);
  json object = {{"model", question->model.id},
                 {"theta", theta},
                 {"log_density", map->log_density},
                 {"warnings", map->warnings}};
  AddReport(context.screen, question->query.restriction, map->restriction, object);
  context.screen.PrintJson(object);
  return {};
}

Outcome LogProb(Context& context, const QueryOptions& options) {
  if (!options.out.empty()) {
    if (Status ok = CheckTablePath(options.out); !ok) return BadInput(ok.error());
  }
  const auto question = Read(context, options);
  if (!question) return tl::unexpected(question.error());
  const Prior prior = PriorOfAnswer(question->model.prior, question->query.restriction);
  const auto theta = ReadTheta(options.theta, prior, kMostPoints);
  if (!theta) return BadInput(theta.error());
  const auto answer = context.engine.LogDensity(question->query, *theta, context.stop);
  if (!answer) return BadCall(answer.error());
  WarnAll(context.screen, answer->warnings);
  const std::vector<double>& errors = answer->standard_error;
  std::vector<std::vector<std::string>> rows;
  json list = json::array();
  for (std::size_t i = 0; i < answer->log_density.size(); ++i) {
    const double value = answer->log_density[i];
    list.push_back(Finite(value));  // JSON has no infinity: outside the support is null.
    if (i >= kMostShown) continue;
    rows.push_back({std::to_string(i + 1), fmt::format("{:.4f}", value)});
    if (!errors.empty()) rows.back().push_back(fmt::format("{:.2g}", errors[i]));
  }
  std::vector<std::string> titles = {">ROW", ">LOG DENSITY"};
  if (!errors.empty()) titles.push_back(">STANDARD ERROR");
  context.screen.PrintTable(titles, rows);
  if (list.size() > kMostShown) {
    context.screen.Print(fmt::format("... {} rows in all", list.size()));
  }
  json object = {{"model", question->model.id}, {"warnings", answer->warnings}};
  AddReport(context.screen, question->query.restriction, answer->restriction, object);
  if (options.out.empty()) {
    object["log_density"] = list;
    if (!errors.empty()) object["standard_errors"] = errors;
  } else {
    if (Status ok = WriteDensities(options.out, *answer); !ok) return BadInput(ok.error());
    context.screen.Print("Log densities: " + options.out);
    object["out"] = options.out;
  }
  context.screen.PrintJson(object);
  return {};
}

}  // namespace inferon::commands
