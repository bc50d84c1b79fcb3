// Answers of posterior queries as tables, JSON and files.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "client/cli/table.h"
#include "client/library/trainer_client.h"

namespace inferon::cli {

// Median and central 90 % of values without NaN; all NaN where nothing is left.
struct Spread {
  double low, median, high;
};
Spread SpreadOf(std::vector<double> values);

// "box" or "constrained prior": over what a density is normalised.
std::string SupportName(v1::DensitySupport support);

// One row a parameter: median, 5 %, 95 % of the draws, DAC codes.
Table DrawsTable(const client::PosteriorDraws& draws);
nlohmann::json DrawsJson(const client::PosteriorDraws& draws);

// One row a feature: the observation's value, median, 5 % and 95 % of the predictions, and how many
// of the runs lack it.
Table PredictionsTable(const client::Predictions& predictions);
nlohmann::json PredictionsJson(const client::Predictions& predictions);

// CSV (a line of names, then codes and log density) or, for a name ending in .npy, an array of
// doubles [draws, parameters + 1] whose last column is the log density (which draws of a marginal
// have not). kInvalidArgument for
// another ending. Failures of the disk throw.
Status WriteDraws(const client::PosteriorDraws& draws, const std::filesystem::path& path);
// Refuses an ending that WriteDraws does not know.
Status CheckDrawsPath(const std::filesystem::path& path);

}  // namespace inferon::cli
