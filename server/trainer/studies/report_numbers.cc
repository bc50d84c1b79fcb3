#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "server/trainer/statistics/calibration.h"
#include "server/trainer/statistics/intervals.h"
#include "server/trainer/statistics/predictive.h"
#include "server/trainer/statistics/summaries.h"
#include "server/trainer/studies/report_step.h"

namespace inferon::trainer {
namespace {

using statistics::Interval;

// Other range of relevant spike counts that the paper's figure 1 may mean.
constexpr std::uint32_t kNarrowMostSpikes = 40;

// Appends numbers; keeps the shared facts at hand.
class NumberList {
 public:
  NumberList(const StudyContext& study, const StudyResults& results)
      : study_(study), results_(results) {}

  std::vector<ReportNumber> Build() {
    AddEffort();
    AddShares();
    AddClassifier();
    AddDensities();
    AddTarget();
    for (const InputResults& r : results_.inputs) AddPosterior(r);
    AddPriorWidths();
    for (const InputResults& r : results_.inputs) AddCheck(r);
    for (const InputResults& r : results_.inputs) AddCalibration(r);
    AddWidthRatio();
    return std::move(numbers_);
  }

 private:
  void Add(std::string key, std::string label, double value, std::string unit,
           std::string provenance, Interval interval = {kUnknown, kUnknown},
           std::string paper = {}) {
    numbers_.push_back({std::move(key), std::move(label), value, interval.low, interval.high,
                        std::move(unit), std::move(paper), std::move(provenance)});
  }

  static std::string Source(const char* name, const DataSet& data) {
    std::string source = fmt::format("data set {} ({} experiments, SHA-256 {}...)", name,
                                     data.size(), data.sha256().substr(0, 12));
    if (data.failed() > 0) source += fmt::format(", {} failed ones left out", data.failed());
    return source;
  }
  static std::string ModelSource(const InputResults& r) {
    return fmt::format("model {} (weights SHA-256 {}...)", r.model.id,
                       r.model.weights_sha256.substr(0, 12));
  }

  // Experiments with min_spikes..most spikes.
  std::uint64_t CountRelevant(const DataSet& data, std::uint32_t most) const {
    std::uint64_t hits = 0;
    for (std::uint64_t i = 0; i < data.size(); ++i) {
      const std::uint32_t spikes = data.StimulusSpikes(i);
      hits += spikes >= study_.spec.min_spikes && spikes <= most;
    }
    return hits;
  }

  void AddShare(const std::string& key, const std::string& label, std::uint64_t hits,
                std::uint64_t count, const std::string& provenance, const std::string& paper = {}) {
    Add(key, label, count == 0 ? kUnknown : static_cast<double>(hits) / static_cast<double>(count),
        "share", provenance + "; interval after Clopper and Pearson",
        statistics::ClopperPearson(hits, count), paper);
  }

  void AddEffort();
  void AddShares();
  void AddClassifier();
  void AddDensities();
  void AddTarget();
  void AddPosterior(const InputResults& r);
  void AddPriorWidths();
  void AddCheck(const InputResults& r);
  void AddCalibration(const InputResults& r);
  void AddTests(const std::string& key, const std::string& what, const RoundDiagnostics& round,
                const std::string& source);
  std::string TestSource(const InputResults& r, const RoundDiagnostics& round,
                         const std::string& data) const;
  void AddWidthRatio();
  void AddWidths(const std::string& who, std::span<const std::uint16_t> codes,
                 const std::string& provenance, const std::string& paper);

  const StudyContext& study_;
  const StudyResults& results_;
  std::vector<ReportNumber> numbers_;
};

std::vector<double> Column(std::span<const std::uint16_t> codes, std::size_t d, std::size_t p) {
  std::vector<double> column;
  column.reserve(codes.size() / d);
  for (std::size_t i = p; i < codes.size(); i += d) column.push_back(codes[i]);
  return column;
}

std::string UnitOf(Feature feature) {
  switch (feature) {
    case Feature::kLatency:
    case Feature::kMeanIsi:
    case Feature::kFirstIsi:
    case Feature::kWidth:
      return "us";
    case Feature::kPeak:
    case Feature::kFastTrough:
    case Feature::kSlowTrough:
    case Feature::kBaseline:
      return "counts";
    default:
      return "";
  }
}

void NumberList::AddEffort() {
  const StudyRecord record = study_.journal.Snapshot();
  double seconds = record.active_seconds;
  Add("seconds", "Time for the study", seconds, "seconds",
      "time that the trainer spent on the study, over all restarts");
  Add("sbc_draws", "Posterior draws behind each rank",
      results_.inputs.front().diagnostics.validation.tests.draws, "", "setting of the trainer");
}

void NumberList::AddShares() {
  const StudySpec& spec = study_.spec;
  const std::string uniform = Source("uniform", results_.uniform);
  const std::string constrained = Source("constrained", results_.constrained);
  const std::uint64_t n0 = results_.uniform.size();
  const std::uint64_t n1 = results_.constrained.size();
  const std::uint64_t hits0 = CountRelevant(results_.uniform, spec.max_spikes);
  const std::uint64_t hits1 = CountRelevant(results_.constrained, spec.max_spikes);
  const std::string range = fmt::format("{}..{} spikes", spec.min_spikes, spec.max_spikes);
  const std::string narrow = fmt::format("{}..{} spikes", spec.min_spikes, kNarrowMostSpikes);
  AddShare("uniform_share", "Uniform prior: share with " + range, hits0, n0, uniform, "2 %");
  AddShare("constrained_share", "Constrained prior: share with " + range, hits1, n1, constrained,
           "38 %");
  const Interval ratio = statistics::ShareRatio(hits1, n1, hits0, n0);
  Add("share_ratio", "Gain of the classifier",
      hits0 == 0 ? kUnknown
                 : static_cast<double>(hits1) / static_cast<double>(n1) /
                       (static_cast<double>(hits0) / static_cast<double>(n0)),
      "", "constrained_share over uniform_share; interval after Katz", ratio, "19");
  AddShare("uniform_share_40", "Uniform prior: share with " + narrow,
           CountRelevant(results_.uniform, kNarrowMostSpikes), n0, uniform);
  AddShare("constrained_share_40", "Constrained prior: share with " + narrow,
           CountRelevant(results_.constrained, kNarrowMostSpikes), n1, constrained);
}

void NumberList::AddClassifier() {
  const ThresholdAudit& audit = results_.classifier.audit;
  const ThresholdChoice& choice = results_.classifier.choice;
  const std::string rule = fmt::format(
      "classifier trained on data set uniform, threshold {:.6g} from data set calibration ({} of "
      "{} "
      "relevant missed, 95 % bound {:.2f} %), measured on data set audit ({} experiments)",
      choice.threshold, choice.missed, choice.relevant, 100 * choice.bound, audit.draws);
  AddShare("false_negative_rate", "Classifier: relevant sets that it rejects", audit.missed,
           audit.relevant, rule, "low");
  Add("false_negative_bound", "Its one-sided 95 % upper bound", audit.FalseNegativeBound(), "share",
      rule + "; bound after Clopper and Pearson");
  AddShare("audit_precision", "Classifier: relevant among the accepted", audit.accepted_relevant,
           audit.accepted, rule);
  AddShare("acceptance", "Share of the uniform prior that the classifier accepts",
           results_.effort.accepted, results_.effort.candidates,
           "candidates looked at to draw the constrained round");
}

void NumberList::AddDensities() {
  const InputResults& features = results_.inputs[0];
  const InputResults& summary = results_.inputs[1];
  const std::string subset = fmt::format(
      "mean over the {} rows of {} with {}..{} spikes, nats over the unit box; +-1.96 "
      "standard errors",
      features.diagnostics.validation.heldout.size(), Source("validation", results_.validation),
      study_.spec.min_spikes, study_.spec.max_spikes);
  const DrawEffort& effort = results_.effort;
  const Interval share = statistics::ClopperPearson(effort.accepted, effort.candidates);
  const double acceptance =
      static_cast<double>(effort.accepted) / static_cast<double>(effort.candidates);
  Add("heldout_count", "Held-out observations",
      static_cast<double>(features.diagnostics.validation.heldout.size()), "experiments", subset);
  Add("log_density_prior", "Log density of the constrained prior", -std::log(acceptance), "nats",
      "minus the logarithm of the share that the classifier accepts",
      {-std::log(share.high), -std::log(share.low)});
  for (const InputResults& r : results_.inputs) {
    const auto mean = statistics::Mean(r.diagnostics.validation.heldout);
    Add("log_density_" + r.input, "Held-out log density, " + r.input, mean.mean, "nats",
        ModelSource(r) + "; " + subset, mean.Interval95());
  }
  const auto difference = statistics::PairedDifference(summary.diagnostics.validation.heldout,
                                                       features.diagnostics.validation.heldout);
  Add("log_density_difference", "Summary network minus features, paired", difference.mean, "nats",
      "differences row by row, " + subset, difference.Interval95(), "> 0 (narrower posterior)");
}

void NumberList::AddTarget() {
  const std::string source =
      "trial 0 of " + Source("target", results_.target) + ", " + results_.target_choice;
  const auto row = results_.target.FeatureRow(0);
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    const auto feature = static_cast<Feature>(i);
    Add(fmt::format("target_{}", FeatureName(feature)),
        fmt::format("Target: {}", FeatureLabel(feature)), row[i], UnitOf(feature), source);
  }
}

void NumberList::AddWidths(const std::string& who, std::span<const std::uint16_t> codes,
                           const std::string& provenance, const std::string& paper) {
  const std::vector<std::string> names = study_.profile.ParameterNames();
  for (std::size_t p = 0; p < names.size(); ++p) {
    const std::vector<double> column = Column(codes, names.size(), p);
    const std::vector<double> sorted = statistics::Sorted(column);
    Add(fmt::format("width_{}_{}", who, names[p]),
        fmt::format("Central 90 % of {}, {}", names[p], who),
        statistics::Quantile(sorted, 0.95) - statistics::Quantile(sorted, 0.05), "codes",
        provenance, {kUnknown, kUnknown}, paper);
    Add(fmt::format("std_{}_{}", who, names[p]),
        fmt::format("Standard deviation of {}, {}", names[p], who),
        statistics::StandardDeviation(column), "codes", provenance);
  }
}

void NumberList::AddPosterior(const InputResults& r) {
  const std::vector<std::string> names = study_.profile.ParameterNames();
  const auto theta = results_.target.Codes(0);
  bool inside = true;
  for (std::size_t p = 0; p < names.size(); ++p) {
    const auto sorted = statistics::Sorted(Column(r.posterior.codes.values(), names.size(), p));
    inside = inside && theta[p] >= statistics::Quantile(sorted, 0.005) &&
             theta[p] <= statistics::Quantile(sorted, 0.995);
  }
  const std::string source = fmt::format("{} draws of {} for the target observation",
                                         r.posterior.codes.rows(), ModelSource(r));
  Add("theta_inside_99_" + r.input, "theta_T in the central 99 % of every marginal, " + r.input,
      inside ? 1 : 0, "", source + "; 1 = yes, 0 = no", {kUnknown, kUnknown}, "dense near theta_T");
  Add("posterior_acceptance_" + r.input, "Draws inside the constrained prior, " + r.input,
      r.posterior.acceptance, "share", source);
  AddWidths(r.input, r.posterior.codes.values(), source,
            r.input == "summary" ? "narrower than features" : "");
}

void NumberList::AddPriorWidths() {
  AddWidths("prior", results_.constrained.AllCodes(),
            "draws of the constrained prior: " + Source("constrained", results_.constrained), "");
}

void NumberList::AddCheck(const InputResults& r) {
  const std::uint64_t n = r.posterior.codes.rows();
  const std::string source = fmt::format("the {} posterior draws of {} run again: {}", n,
                                         ModelSource(r), Source("check", r.check));
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    const auto feature = static_cast<Feature>(i);
    std::vector<double> values;
    for (std::uint64_t row = 0; row < n; ++row) values.push_back(r.check.FeatureRow(row)[i]);
    const std::vector<double> sorted = statistics::Sorted(values);
    const bool some = !sorted.empty();
    Add(fmt::format("ppc_median_{}_{}", r.input, FeatureName(feature)),
        fmt::format("Predictive median, {}: {}", r.input, FeatureLabel(feature)),
        some ? statistics::Quantile(sorted, 0.5) : kUnknown, UnitOf(feature),
        fmt::format("{}; {} of {} runs have this feature", source, sorted.size(), n),
        some ? statistics::MedianInterval(sorted) : Interval{kUnknown, kUnknown});
    const double observed = results_.target.FeatureRow(0)[i];
    const auto check = statistics::CheckPrediction(values, observed);
    Add(fmt::format("ppc_p_{}_{}", r.input, FeatureName(feature)),
        fmt::format("Target among the predicted, {}: {} (two-sided p)", r.input,
                    FeatureLabel(feature)),
        some && !std::isnan(observed) ? check.p_value : kUnknown, "",
        fmt::format("{}; twice the smaller share of runs at or beyond the target's value", source));
  }
}

// Numbers of one model on one round; `key` ends in the input, "other_run_features" for instance.
void NumberList::AddTests(const std::string& key, const std::string& what,
                          const RoundDiagnostics& round, const std::string& source) {
  const std::vector<std::string> names = study_.profile.ParameterNames();
  const statistics::CalibrationResult& tests = round.tests;
  Add("calibration_p_" + key, "Calibration, smallest p of all tests, " + what,
      tests.smallest_adjusted, "",
      fmt::format("{}; after Holm over {} tests; {}", round.verdict, tests.tests.size(), source));
  for (std::size_t p = 0; p < tests.parameters.size(); ++p) {
    Add(fmt::format("sbc_p_{}_{}", key, names[p]),
        fmt::format("Rank uniformity of {}, {} (p-value)", names[p], what),
        tests.parameters[p].ks_p_value, "",
        source + "; Kolmogorov-Smirnov test, ties broken at random");
    Add(fmt::format("band_p_{}_{}", key, names[p]),
        fmt::format("Ranks of {} inside the joint band, {} (p-value)", names[p], what),
        tests.parameters[p].band_p_value, "", source + "; joint band, gamma simulated");
  }
  const auto hits = static_cast<std::uint64_t>(
      std::ranges::count_if(tests.levels, [](double level) { return level <= 0.9; }));
  AddShare("coverage_90_" + key, "Truth inside the 90 % highest-density region, " + what, hits,
           tests.levels.size(), source);
  Add("coverage_p_" + key, "Coverage of highest-density regions, " + what + " (p-value)",
      tests.coverage_p_value, "", source);
  Add("atc_" + key, "TARP: area to the curve, " + what, tests.atc, "",
      source +
          "; integral of coverage minus credibility over credibilities from 0.5 to 1, "
          "references from a regression on the input");
  Add("tarp_p_" + key, "TARP, " + what + " (p-value)", tests.tarp_p_value, "", source);
  Add("classifier_p_" + key, "Truths told from draws by a classifier, " + what + " (p-value)",
      tests.classifier_p_value, "", source + "; exchanges of truth and draw within pairs");
  Add("outlier_share_" + key, "Observations that a query would warn of, " + what,
      round.outlier_share, "share", source);
}

std::string NumberList::TestSource(const InputResults& r, const RoundDiagnostics& round,
                                   const std::string& data) const {
  std::string source = fmt::format("{} draws of {} for each of {} rows of {}", round.tests.draws,
                                   ModelSource(r), round.rows.size(), data);
  if (round.left_out > 0) {
    source += fmt::format("; {} rows left out: too few draws inside the constrained prior",
                          round.left_out);
  }
  return source;
}

void NumberList::AddCalibration(const InputResults& r) {
  const Diagnostics& diagnostics = r.diagnostics;
  const RoundDiagnostics& own = diagnostics.validation;
  const std::vector<std::string> names = study_.profile.ParameterNames();
  const std::string source = TestSource(r, own, Source("validation", results_.validation));
  AddTests(r.input, r.input, own, source);
  for (std::size_t p = 0; p < own.tests.parameters.size(); ++p) {
    Add(fmt::format("contraction_{}_{}", r.input, names[p]),
        fmt::format("Contraction of {}, {}", names[p], r.input),
        own.tests.parameters[p].contraction, "share",
        source + "; 1 - mean posterior variance / variance of the true codes");
    Add(fmt::format("recovery_{}_{}", r.input, names[p]),
        fmt::format("Recovery of {}, {}", names[p], r.input), own.tests.parameters[p].recovery, "",
        source + "; correlation of posterior mean and true code");
  }
  Add("local_p_" + r.input, "Classifier at the target, " + r.input + " (p-value)",
      diagnostics.local_p_value, "", source + "; evaluated at the target's posterior draws");
  Add("outlier_score_" + r.input, "Misspecification score of the target, " + r.input,
      diagnostics.target_outlier_score, "",
      ModelSource(r) + "; share of training rows that lie nearer to the centre, warns above 0.99");
  if (!diagnostics.other_run) return;
  const RoundDiagnostics& other = *diagnostics.other_run;
  const std::string other_source =
      TestSource(r, other,
                 fmt::format("data set {} (the validation round's parameter sets in "
                             "another hardware run)",
                             kOtherRun));
  AddTests("other_run_" + r.input, r.input + " in another run", other, other_source);
  const auto mean = statistics::Mean(other.heldout);
  Add("log_density_other_run_" + r.input, "Held-out log density, " + r.input + " in another run",
      mean.mean, "nats",
      fmt::format("{}; {} rows with {}..{} spikes", other_source, other.heldout.size(),
                  study_.spec.min_spikes, study_.spec.max_spikes),
      mean.Interval95());
}

// Narrower at equal coverage? Rows that both models were tested on.
void NumberList::AddWidthRatio() {
  const RoundDiagnostics& features = results_.inputs[0].diagnostics.validation;
  const RoundDiagnostics& summary = results_.inputs[1].diagnostics.validation;
  std::vector<double> differences;
  for (std::size_t i = 0, k = 0; i < summary.rows.size(); ++i) {
    while (k < features.rows.size() && features.rows[k] < summary.rows[i]) ++k;
    if (k == features.rows.size() || features.rows[k] != summary.rows[i]) continue;
    differences.push_back(summary.widths[i] - features.widths[k]);
  }
  const auto mean = statistics::Mean(differences);
  const Interval interval = mean.Interval95();
  Add("width_ratio", "Width of the posteriors, summary network over features", std::exp(mean.mean),
      "",
      fmt::format("geometric mean over parameters and {} rows of {} of the draws' standard "
                  "deviation in codes",
                  differences.size(), Source("validation", results_.validation)),
      {std::exp(interval.low), std::exp(interval.high)}, "< 1 (narrower posterior)");
}

}  // namespace

std::vector<ReportNumber> ReportNumbers(const StudyContext& study, const StudyResults& results) {
  return NumberList(study, results).Build();
}

}  // namespace inferon::trainer
