#include "client/report/calibration_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/report/format.h"
#include "common/figures/svg.h"

namespace inferon::report {
namespace {

std::string PValue(double p) {
  if (std::isnan(p)) return "-";
  return p < 0.001 ? "&lt;&#160;0.001" : fmt::format("{:.3f}", p);
}

std::string PValueCell(const FigureData& data, const std::string& key) {
  const ReportNumber* number = FindNumber(data.report->numbers, key);
  return "<td class=\"n\">" + PValue(number ? number->value : kNoNumber) + "</td>";
}

// Smallest over the parameters of the numbers with this prefix.
std::string SmallestCell(const FigureData& data, const std::string& prefix) {
  double smallest = kNoNumber;
  for (const std::string& parameter : data.report->parameters) {
    const ReportNumber* number = FindNumber(data.report->numbers, prefix + parameter);
    if (number) smallest = std::fmin(smallest, number->value);
  }
  return "<td class=\"n\">" + PValue(smallest) + "</td>";
}

std::string Row(const FigureData& data, const std::string& key, const std::string& title) {
  const ReportNumber* overall = FindNumber(data.report->numbers, "calibration_p_" + key);
  if (!overall) return {};
  const ReportNumber* at90 = FindNumber(data.report->numbers, "coverage_90_" + key);
  const ReportNumber* atc = FindNumber(data.report->numbers, "atc_" + key);
  const ReportNumber* density = FindNumber(data.report->numbers, "log_density_" + key);
  // The provenance begins with the verdict.
  const std::string verdict = overall->provenance.substr(0, overall->provenance.find("; "));
  std::string row = "<tr><td>" + EscapeXml(title) + "</td>";
  row += SmallestCell(data, "sbc_p_" + key + "_") + SmallestCell(data, "band_p_" + key + "_");
  row += "<td class=\"n\">" + (at90 ? FormatValue(at90->value, "share") : "-") + "</td>";
  row += PValueCell(data, "coverage_p_" + key);
  row += "<td class=\"n\">" + (atc ? fmt::format("{:+.3f}", atc->value) : "-") + "</td>";
  row += PValueCell(data, "tarp_p_" + key) + PValueCell(data, "classifier_p_" + key);
  row += "<td class=\"n\">" + (density ? FormatValue(density->value, "") : "-") + "</td>";
  return row + "<td>" + EscapeXml(verdict) + "</td></tr>\n";
}

}  // namespace

std::string CalibrationTable(const FigureData& data) {
  std::string rows;
  for (std::size_t k = 0; k < kInputs; ++k) {
    const std::string name = kInputNames[k], title = kInputTitles[k];
    rows += Row(data, name, title);
    rows += Row(data, "other_run_" + name, title + ", another run");
  }
  if (rows.empty()) return {};
  return "<p>P-values of single tests; the verdict corrects for their number (Holm, 1 %). Ranks "
         "and "
         "band: the smallest over the parameters. Another run: the same models asked about the "
         "validation's parameter sets in another hardware run, whose drift they have not "
         "seen.</p>\n<div class=\"scroll\"><table><thead><tr><th>posterior</th>"
         "<th class=\"n\">ranks p</th><th class=\"n\">band p</th>"
         "<th class=\"n\">90 % regions hold</th><th class=\"n\">coverage p</th>"
         "<th class=\"n\">TARP area</th><th class=\"n\">TARP p</th>"
         "<th class=\"n\">classifier p</th><th class=\"n\">log density (nats)</th>"
         "<th>verdict</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

}  // namespace inferon::report
