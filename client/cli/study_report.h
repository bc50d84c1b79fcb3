// The trainer's report of a study as the report library takes it.
#pragma once

#include <filesystem>

#include "client/cli/command_context.h"
#include "client/report/report.h"

namespace inferon::cli {

// kDataLoss where the study's own protocol or profile cannot be read.
Result<report::ReportData> ToReportData(const client::StudyReport& fetched);

// Fetches and converts.
Result<report::ReportData> FetchReport(client::TrainerClient& trainer, const std::string& study,
                                       std::stop_token stop);

// Writes the report, tells the warnings; gives the page's absolute path.
Result<std::string> WriteReportTo(Console& console, const report::ReportData& data,
                                  const std::filesystem::path& folder);

}  // namespace inferon::cli
