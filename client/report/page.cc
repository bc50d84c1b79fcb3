#include "client/report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/report/calibration_table.h"
#include "client/report/format.h"

namespace inferon::report {
namespace {

constexpr const char* kCss = R"css(
:root{color-scheme:light dark;--ink:#1a1d21;--mut:#5b636d;--line:#d9dde2;--soft:#f4f6f8;
--page:#ffffff;--link:#0060a0}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e8eaed;--mut:#a4acb6;--line:#343a42;
--soft:#1d2126;--page:#16191d;--link:#7cc0f0}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.55 system-ui,"Segoe UI","DejaVu Sans",Helvetica,Arial,sans-serif}
main{max-width:980px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .3rem}
h2{font-size:1.25rem;margin:2.6rem 0 .7rem;padding-top:.5rem;border-top:1px solid var(--line)}
.sub{color:var(--mut);margin:0 0 1.2rem}
.lead{font-size:1.05rem;max-width:46em}
.mark{border:2px solid #b3261e;color:#b3261e;font-weight:600;padding:.4em .8em;max-width:46em}
nav{font-size:.9rem;margin:1rem 0}
nav a{color:var(--link);margin-right:1.1em;white-space:nowrap}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.38em .7em .38em 0;
border-bottom:1px solid var(--line)}
th{color:var(--mut);font-weight:600}
td.n,th.n{text-align:right;white-space:nowrap}
td.small,code{font-size:.85em;color:var(--mut)}
code{font-family:"DejaVu Sans Mono",ui-monospace,Menlo,Consolas,monospace}
figure{margin:1.6rem 0 2.4rem;break-inside:avoid}
figure svg{display:block;width:100%;height:auto;margin:0 auto}
figcaption{font-size:.92rem;margin:.7rem auto 0;max-width:52em}
figcaption b{display:block}
figcaption .tag{color:var(--mut)}
@media print{@page{margin:15mm}main{max-width:none;padding:0}body{font-size:10.5pt}nav{display:none}
h2{break-after:avoid}tr{break-inside:avoid}thead{display:table-header-group}}
)css";

const ReportNumber* Get(const FigureData& data, const std::string& key) {
  return FindNumber(data.report->numbers, key);
}

// Value of a number for a sentence, with its unit, kept on one line; "-" where there is none.
std::string Value(const FigureData& data, const std::string& key) {
  const ReportNumber* number = Get(data, key);
  std::string text;
  for (const char c : number ? FormatValue(number->value, number->unit) : "-") {
    text += c == ' ' ? std::string("&#160;") : std::string(1, c);
  }
  return text;
}

std::string Sentence(const FigureData& data) {
  std::string text = fmt::format(
      "The classifier raises the share of parameter sets with {} to {} spikes from <b>{}</b> to "
      "<b>{}</b>, at a false-negative rate of <b>{}</b> (95 % bound {}).",
      data.report->min_spikes, data.report->max_spikes, Value(data, "uniform_share"),
      Value(data, "constrained_share"), Value(data, "false_negative_rate"),
      Value(data, "false_negative_bound"));
  text += fmt::format(
      " On the same held-out experiments the mean log density of the true parameters is {} under "
      "the constrained prior, <b>{}</b> under the posterior from 12 features and <b>{}</b> under "
      "the one with the summary network.",
      Value(data, "log_density_prior"), Value(data, "log_density_features"),
      Value(data, "log_density_summary"));
  const ReportNumber* features = Get(data, "theta_inside_99_features");
  const ReportNumber* summary = Get(data, "theta_inside_99_summary");
  if (features && summary) {
    const bool both = features->value == 1 && summary->value == 1;
    text += both ? " The target's parameters lie inside the central 99 % of every marginal of both "
                   "posteriors."
                 : " The target's parameters do <b>not</b> lie inside the central 99 % of every "
                   "marginal of both posteriors.";
  }
  if (Get(data, "seconds")) text += " The study took " + Value(data, "seconds") + ".";
  return text;
}

// Yes and no numbers are shown as words.
std::string Shown(const ReportNumber& number) {
  if (!number.key.starts_with("theta_inside_")) return FormatValue(number.value, number.unit);
  return std::isnan(number.value) ? "-" : number.value == 1 ? "yes" : "no";
}

std::string PaperTable(const FigureData& data) {
  std::string rows;
  for (const ReportNumber& number : data.report->numbers) {
    if (number.paper.empty()) continue;
    rows += fmt::format(
        "<tr><td>{}</td><td>{}</td><td class=\"n\"><b>{}</b></td>"
        "<td class=\"n\">{}</td></tr>\n",
        EscapeXml(number.label), EscapeXml(number.paper), Shown(number), FormatInterval(number));
  }
  return "<div class=\"scroll\"><table><thead><tr><th>quantity</th><th>paper</th>"
         "<th class=\"n\">here</th><th class=\"n\">95 % interval</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

// One of the table's cells: the number with this key, or what the arrays say instead.
std::string Cell(const FigureData& data, const std::string& key, std::optional<double> otherwise) {
  const ReportNumber* number = Get(data, key);
  const double value = number ? number->value : otherwise.value_or(kNoNumber);
  return "<td class=\"n\">" + FormatValue(value, "") + "</td>";
}

std::string WidthTable(const FigureData& data) {
  std::string rows;
  for (std::size_t i = 0; i < data.dimension(); ++i) {
    rows += fmt::format("<tr><td>{}</td><td class=\"n\">{:g}</td>",
                        MathHtml(data.report->parameter_labels[i]), data.target_codes[i]);
    for (std::size_t k = 0; k < kInputs; ++k) {
      const std::vector<double> sorted = SortedFinite(data.posterior_codes[k].Column(i));
      rows += fmt::format("<td class=\"n\">{:.0f}</td><td class=\"n\">{:.0f} to {:.0f}</td>",
                          *Quantile(sorted, 0.5), *Quantile(sorted, 0.05), *Quantile(sorted, 0.95));
      rows += Cell(data, std::string("width_") + kInputNames[k] + "_" + data.report->parameters[i],
                   *Quantile(sorted, 0.95) - *Quantile(sorted, 0.05));
    }
    rows += "</tr>\n";
  }
  return "<div class=\"scroll\"><table><thead><tr><th>parameter</th><th class=\"n\">target</th>"
         "<th class=\"n\">median, 12 features</th><th class=\"n\">central 90 %</th>"
         "<th class=\"n\">width</th><th class=\"n\">median, summary network</th>"
         "<th class=\"n\">central 90 %</th><th class=\"n\">width</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

std::string PredictiveTable(const FigureData& data) {
  std::string rows;
  for (std::size_t f = 0; f < data.report->features.size(); ++f) {
    const std::string& name = data.report->features[f];
    rows += "<tr><td>" + EscapeXml(data.report->feature_labels[f]) + "</td>";
    rows += Cell(data, "target_" + name, data.target_features[f]);
    for (std::size_t k = 0; k < kInputs; ++k) {
      rows += Cell(data, std::string("ppc_median_") + kInputNames[k] + "_" + name,
                   Median(data.ppc_features[k].Column(f)));
    }
    const std::optional<double> repeats = Median(data.repeats_features.Column(f));
    rows += "<td class=\"n\">" + FormatValue(repeats.value_or(kNoNumber), "") + "</td></tr>\n";
  }
  return "<div class=\"scroll\"><table><thead><tr><th>feature</th><th class=\"n\">target</th>"
         "<th class=\"n\">12 features</th><th class=\"n\">summary network</th>"
         "<th class=\"n\">repeats at the target's parameters</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

// Escaped, with what follows an underscore as a subscript: captions name parameters ("Δ_T").
std::string CaptionHtml(const std::string& text) {
  const std::string escaped = EscapeXml(text);
  std::string html;
  for (std::size_t i = 0; i < escaped.size();) {
    if (escaped[i] != '_') {
      html += escaped[i++];
      continue;
    }
    const std::size_t end = std::min(escaped.find_first_of(" ,.:;()'&", i), escaped.size());
    html += "<sub>" + escaped.substr(i + 1, end - i - 1) + "</sub>";
    i = end;
  }
  return html;
}

std::string FigureHtml(const Figure& figure) {
  std::string caption = "<b>" + EscapeXml(figure.title) + "</b>";
  if (!figure.paper.empty()) {
    caption += " <span class=\"tag\">Paper:</span> " + CaptionHtml(figure.paper);
  }
  return "<figure>\n" + figure.svg.Inline() + "<figcaption>" + caption +
         " <span class=\"tag\">Here:</span> " + CaptionHtml(figure.here) +
         "</figcaption></figure>\n";
}

std::string SettingsTables(const FigureData& data) {
  std::string rows = fmt::format("<tr><td>seed</td><td>{}</td></tr>\n", data.report->seed);
  for (const ReportSetting& setting : data.report->settings) {
    rows += "<tr><td>" + EscapeXml(setting.label) + "</td><td>" + EscapeXml(setting.value) +
            "</td></tr>\n";
  }
  std::string html = "<div class=\"scroll\"><table><tbody>\n" + rows + "</tbody></table></div>\n";
  if (data.report->steps.empty()) return html;
  html +=
      "<h2 id=\"steps\">Steps and times</h2>\n<div class=\"scroll\"><table><thead><tr>"
      "<th>step</th><th class=\"n\">amount</th><th class=\"n\">time</th><th>note</th></tr>"
      "</thead><tbody>\n";
  for (const ReportStep& step : data.report->steps) {
    html += fmt::format(
        "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>"
        "<td>{}</td></tr>\n",
        EscapeXml(step.title), EscapeXml(step.amount), FormatValue(step.seconds, "seconds"),
        EscapeXml(step.note));
  }
  return html + "</tbody></table></div>\n";
}

std::string ProvenanceTable(const FigureData& data) {
  std::string rows;
  for (const ReportNumber& number : data.report->numbers) {
    rows += fmt::format(
        "<tr><td>{}<br><code>{}</code></td><td class=\"n\">{}</td>"
        "<td class=\"n\">{}</td><td class=\"small\">{}</td></tr>\n",
        EscapeXml(number.label), EscapeXml(number.key), Shown(number), FormatInterval(number),
        EscapeXml(number.provenance));
  }
  return "<div class=\"scroll\"><table><thead><tr><th>number</th><th class=\"n\">value</th>"
         "<th class=\"n\">95 % interval</th><th>where it comes from</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

}  // namespace

std::string RenderPage(const FigureData& data, const std::vector<Figure>& figures) {
  const std::string title = "Study " + EscapeXml(data.report->study);
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>" +
      title + " - Inferon</title>\n<style>" + kCss + PageCss() +
      "</style>\n</head>\n<body>\n<main>\n";
  html += "<h1>" + title + "</h1>\n<p class=\"sub\">Amortised inference of " +
          std::to_string(data.dimension()) + " neuron parameters. Inferon, seed " +
          std::to_string(data.report->seed) + ".</p>\n";
  if (!data.report->device_mark.empty()) {
    html += "<p class=\"mark\" role=\"alert\">" + EscapeXml(data.report->device_mark) +
            ": no chip made these data.</p>\n";
  }
  html += "<p class=\"lead\">" + Sentence(data) + "</p>\n";
  html +=
      "<nav><a href=\"#numbers\">Paper and here</a><a href=\"#figures\">Figures</a>"
      "<a href=\"#calibration\">Calibration</a><a href=\"#widths\">Posterior widths</a><a "
      "href=\"#predictive\">Predicted features</a>"
      "<a href=\"#settings\">Settings</a><a href=\"#provenance\">Provenance</a></nav>\n";
  html += "<h2 id=\"numbers\">Paper and here</h2>\n" + PaperTable(data);
  html += "<h2 id=\"figures\">Figures</h2>\n";
  for (const Figure& figure : figures) html += FigureHtml(figure);
  html += "<h2 id=\"calibration\">Calibration</h2>\n";
  const std::string calibration = CalibrationTable(data);
  html += calibration.empty() ? "<p>The study has no tests of calibration.</p>\n" : calibration;
  html +=
      "<h2 id=\"widths\">Posteriors of the target, DAC codes</h2>\n"
      "<p>The paper gives no widths in numbers; its figure 2a shows the summary network's "
      "posterior narrower than the features', and b broad. Width: central 90 %.</p>\n" +
      WidthTable(data);
  html +=
      "<h2 id=\"predictive\">Medians of the predicted features</h2>\n"
      "<p>The paper gives no medians in numbers; its figure 3 shows latency to the first spike, "
      "fast and slow trough underestimated. A dash: undefined in all runs.</p>\n" +
      PredictiveTable(data);
  html += "<h2 id=\"settings\">Settings of the study</h2>\n" + SettingsTables(data);
  html +=
      "<h2 id=\"provenance\">Every number and where it comes from</h2>\n" + ProvenanceTable(data);
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace inferon::report
