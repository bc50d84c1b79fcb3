#include "worker/brainscales2/canary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace inferon::worker {
namespace {

using Json = nlohmann::json;

// In the order of enum Feature.
constexpr std::array<double, kFeatureCount> kLeastDeviation{1, 5, 5, 5, 0.05, 0.05,
                                                            2, 5, 2, 2, 0.05, 2};
constexpr std::uint32_t kSurelyThere = 3;  // Repeats with a feature.

FeatureChart ChartOf(const std::vector<Features>& repeats, std::size_t feature) {
  FeatureChart chart;
  double sum = 0, squares = 0;
  for (const Features& repeat : repeats) {
    if (IsMissing(repeat[feature])) continue;
    sum += repeat[feature];
    ++chart.count;
  }
  if (chart.count == 0) return {};
  chart.mean = sum / chart.count;
  for (const Features& repeat : repeats) {
    if (IsMissing(repeat[feature])) continue;
    squares += (repeat[feature] - chart.mean) * (repeat[feature] - chart.mean);
  }
  chart.deviation = chart.count > 1 ? std::sqrt(squares / (chart.count - 1)) : 0;
  return chart;
}

// Distance of two means in standard errors.
double Sigma(const FeatureChart& reference, const FeatureChart& now, std::size_t feature) {
  if (reference.count == 0 || now.count == 0) {
    // A feature that has come or gone for good (no spikes any more) is as far as it can be; one
    // that was rarely there says nothing.
    const bool gone = std::max(reference.count, now.count) >= kSurelyThere;
    return gone ? std::numeric_limits<double>::infinity() : 0;
  }
  const double deviation = std::max(reference.deviation, kLeastDeviation[feature]);
  return std::abs(now.mean - reference.mean) /
         (deviation * std::sqrt(1.0 / reference.count + 1.0 / now.count));
}

}  // namespace

CanaryReference MakeReference(std::string key, const std::vector<Features>& repeats,
                              std::optional<double> temperature_c) {
  CanaryReference reference{.key = std::move(key), .temperature_c = temperature_c};
  for (std::size_t i = 0; i < kFeatureCount; ++i) reference.features[i] = ChartOf(repeats, i);
  return reference;
}

CanaryVerdict Judge(const CanaryReference& reference, const std::vector<Features>& repeats,
                    std::optional<double> temperature_c, const CanaryLimits& limits) {
  CanaryVerdict verdict;
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    const double sigma = Sigma(reference.features[i], ChartOf(repeats, i), i);
    if (sigma <= verdict.worst_sigma) continue;
    verdict.worst_sigma = sigma;
    verdict.worst = std::string(FeatureName(static_cast<Feature>(i)));
  }
  if (temperature_c && reference.temperature_c) {
    verdict.kelvin = *temperature_c - *reference.temperature_c;
  }
  verdict.drifted =
      verdict.worst_sigma > limits.max_sigma || std::abs(verdict.kelvin) > limits.max_kelvin;
  return verdict;
}

std::string CanaryVerdict::Text() const {
  if (reference) return "canary: its reference was made now";
  return fmt::format("canary {}: {:.1f} sigma{}, {:+.1f} K{}", drifted ? "drifted" : "in control",
                     worst_sigma, worst.empty() ? "" : " in " + worst, kelvin,
                     fault.empty() ? "" : "; " + fault);
}

std::string EncodeReference(const CanaryReference& reference) {
  Json features = Json::object();
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    const FeatureChart& chart = reference.features[i];
    features[std::string(FeatureName(static_cast<Feature>(i)))] = {
        {"mean", chart.mean}, {"deviation", chart.deviation}, {"count", chart.count}};
  }
  return Json{{"schema_version", 1},
              {"key", reference.key},
              {"temperature_c",
               reference.temperature_c ? Json(*reference.temperature_c) : Json(nullptr)},
              {"features", features}}
             .dump(1) +
         "\n";
}

Result<CanaryReference> DecodeReference(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    CanaryReference reference{.key = json.at("key").get<std::string>()};
    if (json.at("temperature_c").is_number()) {
      reference.temperature_c = json.at("temperature_c").get<double>();
    }
    for (std::size_t i = 0; i < kFeatureCount; ++i) {
      const Json& chart = json.at("features").at(std::string(FeatureName(static_cast<Feature>(i))));
      reference.features[i] = {chart.at("mean").get<double>(), chart.at("deviation").get<double>(),
                               chart.at("count").get<std::uint32_t>()};
    }
    return reference;
  } catch (const Json::exception& error) {
    return Fail(ErrorCode::kDataLoss,
                std::string("the canary's reference is damaged: ") + error.what(),
                "Remove the file: the next canary makes a new one");
  }
}

}  // namespace inferon::worker
