#include "client/cli/study_numbers.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "client/report/format.h"

namespace inferon::cli {
namespace {

using report::FindNumber;
using report::ReportNumber;
using Numbers = std::vector<ReportNumber>;

// Difference of two log densities, nats; NaN where one of them is missing.
double Gain(const Numbers& numbers, const std::string& over, const std::string& under) {
  const ReportNumber* a = FindNumber(numbers, over);
  const ReportNumber* b = FindNumber(numbers, under);
  return a && b ? a->value - b->value : NAN;
}

double Value(const Numbers& numbers, const std::string& key) {
  const ReportNumber* number = FindNumber(numbers, key);
  return number ? number->value : NAN;
}

// Of a number with a symmetric 95 % interval.
double StandardError(const Numbers& numbers, const std::string& key) {
  const ReportNumber* number = FindNumber(numbers, key);
  return number ? (number->high - number->low) / (2 * 1.959964) : NAN;
}

struct Demand {
  const char* key;
  const char* text;                    // Empty: shown, not demanded.
  bool (*met)(double);                 // Of the quantity below.
  double (*quantity)(const Numbers&);  // nullptr: the number's own value.
};

bool Yes(double value) { return value == 1; }
bool ThreeNats(double gain) { return gain >= 3; }

constexpr std::array<Demand, 14> kDemands = {{
    {"seconds", "", nullptr, nullptr},
    {"uniform_share", "1.5 to 2.5 %", [](double v) { return 0.015 <= v && v <= 0.025; }, nullptr},
    {"uniform_share_40", "", nullptr, nullptr},
    {"constrained_share", "at least 38 %", [](double v) { return v >= 0.38; }, nullptr},
    {"constrained_share_40", "", nullptr, nullptr},
    {"share_ratio", "at least 19", [](double v) { return v >= 19; }, nullptr},
    {"false_negative_rate", "at most 5 %", [](double v) { return v <= 0.05; }, nullptr},
    {"false_negative_bound", "", nullptr, nullptr},
    {"theta_inside_99_features", "yes", Yes, nullptr},
    {"theta_inside_99_summary", "yes", Yes, nullptr},
    {"log_density_prior", "", nullptr, nullptr},
    {"log_density_features", "prior's + 3 nats", ThreeNats,
     [](const Numbers& n) { return Gain(n, "log_density_features", "log_density_prior"); }},
    {"log_density_summary", "prior's + 3 nats", ThreeNats,
     [](const Numbers& n) { return Gain(n, "log_density_summary", "log_density_prior"); }},
    {"log_density_difference", "over 2 standard errors", [](double z) { return z > 2; },
     [](const Numbers& n) {
       return Value(n, "log_density_difference") / StandardError(n, "log_density_difference");
     }},
}};

bool IsYesOrNo(const std::string& key) { return key.starts_with("theta_inside_"); }

std::string Shown(const ReportNumber& number) {
  if (!IsYesOrNo(number.key) || std::isnan(number.value)) return report::FormatNumber(number);
  return number.value == 1 ? "yes" : "no";
}

std::string Word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kMet:
      return "yes";
    case Verdict::kMissed:
      return "NO";
    case Verdict::kUnknown:
      return "unknown";
    case Verdict::kNotDemanded:
      return "";
  }
  return "";
}

nlohmann::json JsonOf(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

}  // namespace

Verdict Judge(const Numbers& numbers, const std::string& key) {
  for (const Demand& demand : kDemands) {
    if (key != demand.key) continue;
    if (demand.met == nullptr) return Verdict::kNotDemanded;
    const double value = demand.quantity ? demand.quantity(numbers) : Value(numbers, key);
    if (std::isnan(value)) return Verdict::kUnknown;
    return demand.met(value) ? Verdict::kMet : Verdict::kMissed;
  }
  return Verdict::kNotDemanded;
}

Table NumbersTable(const Numbers& numbers) {
  Table table{{{"QUANTITY"}, {"PAPER"}, {"DEMANDED"}, {"HERE"}, {"MET"}}, {}};
  for (const Demand& demand : kDemands) {
    const ReportNumber* number = FindNumber(numbers, demand.key);
    if (!number && *demand.text == '\0') continue;
    table.rows.push_back({number && !number->label.empty() ? number->label : demand.key,
                          number ? number->paper : "", demand.text, number ? Shown(*number) : "-",
                          Word(Judge(numbers, demand.key))});
  }
  return table;
}

nlohmann::json NumbersJson(const std::string& study, const Numbers& numbers,
                           const std::string& page) {
  nlohmann::json json = {{"study", study}};
  json["report"] = page.empty() ? nlohmann::json(nullptr) : nlohmann::json(page);
  for (const Demand& demand : kDemands) {
    const double value = Value(numbers, demand.key);
    if (IsYesOrNo(demand.key)) {
      json[demand.key] = std::isnan(value) ? nlohmann::json(nullptr) : nlohmann::json(value == 1);
    } else {
      json[demand.key] = JsonOf(value);
    }
  }
  const ReportNumber* difference = FindNumber(numbers, "log_density_difference");
  json["log_density_difference_low"] = JsonOf(difference ? difference->low : NAN);
  json["log_density_difference_high"] = JsonOf(difference ? difference->high : NAN);
  json["log_density_difference_standard_error"] =
      JsonOf(StandardError(numbers, "log_density_difference"));
  for (const char* key : {"acceptance", "heldout_count"}) json[key] = JsonOf(Value(numbers, key));
  return json;
}

}  // namespace inferon::cli
