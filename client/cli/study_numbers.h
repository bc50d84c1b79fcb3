// The key numbers of a study: what the paper has, what is demanded of the demo, what came out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "client/cli/table.h"
#include "client/report/report.h"

namespace inferon::cli {

// What is demanded of one number of the report.
enum class Verdict { kNotDemanded, kMet, kMissed, kUnknown };
Verdict Judge(const std::vector<report::ReportNumber>& numbers, const std::string& key);

// Rows "quantity, paper, demanded, here, met" of the numbers that are demanded or shown with them.
Table NumbersTable(const std::vector<report::ReportNumber>& numbers);

// The object that programs read. `page` is the path of the report; empty: null.
nlohmann::json NumbersJson(const std::string& study,
                           const std::vector<report::ReportNumber>& numbers,
                           const std::string& page);

}  // namespace inferon::cli
