#include "server/trainer/estimators/density_network.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "server/trainer/estimators/backend.h"
#include "server/trainer/estimators/path.h"
#include "server/trainer/estimators/summary_networks.h"
#include "server/trainer/estimators/trials.h"

namespace inferon::estimators {
namespace {

using Json = nlohmann::json;

constexpr int kOldestSchema = 1;  // Without axes and feature_revision: all kUnit, revision 1.
constexpr int kSchema = 3;
// Without summary_network and trials: SummaryNetwork::kConvGru, one trial. Still written for these.
constexpr int kPlainSchema = 2;
// By DensityFamily.
constexpr std::array<const char*, 4> kKinds = {"spline-coupling-flow", "affine-coupling-flow",
                                               "flow-matching", "diffusion"};
constexpr std::size_t kFeatureContext = 32;
constexpr std::size_t kTraceBlocks =
    16;  // Means of the trace that join the summaries as distances.

std::unique_ptr<InputModule> MakeSummary(SummaryNetwork network, std::size_t points,
                                         std::size_t outputs, WeightStore* store) {
  switch (network) {
    case SummaryNetwork::kDilated:
      return MakeDilatedModule(points, outputs, store);
    case SummaryNetwork::kTransformer:
      return MakeTransformerModule(points, outputs, store);
    case SummaryNetwork::kPaper:
      return MakePaperModule(points, outputs, store);
    case SummaryNetwork::kConvGru:
      break;
  }
  return MakeSummaryModule(points, outputs, store);
}

// Reads one trial.
std::unique_ptr<InputModule> MakeTrialInput(const FlowOptions& options, WeightStore* store) {
  const std::size_t columns = options.input_columns / options.trials;
  if (options.input == InputNetwork::kSummary) {
    return MakeSummary(options.summary_network, columns, options.summaries, store);
  }
  const bool linear = options.feature_revision >= 2;
  return MakeFeatureModule((linear ? 3 : 2) * columns, kFeatureContext, linear, store);
}

std::unique_ptr<InputModule> MakeInput(const FlowOptions& options, WeightStore* store) {
  auto one = MakeTrialInput(options, store);
  if (options.trials == 1) return one;
  const std::size_t columns = options.input_columns / options.trials;
  const MissingFlags missing =
      options.input == InputNetwork::kSummary ? MissingFlags{} : MissingFlags{columns, columns};
  return MakePooledModule(std::move(one), options.trials, missing);
}

tl::unexpected<Error> BadArchitecture(const std::string& what) {
  return Fail(ErrorCode::kDataLoss, "the estimator's architecture is damaged: " + what,
              "restore model.json from a copy or train the model again");
}

std::vector<std::uint8_t> LineColumns(const FlowOptions& options) {
  std::vector<std::uint8_t> line;
  if (options.family == DensityFamily::kAffineFlow) line.assign(options.dimension, 1);
  if (!line.empty()) return line;
  for (const Axis axis : options.axes) line.push_back(axis == Axis::kLine);
  return line;
}

// Every column exists, ascending; each layer moves at least one.
bool MasksFit(const FlowArchitecture& architecture) {
  if (IsField(architecture.options.family)) return true;
  if (architecture.masks.size() != architecture.options.transforms) return false;
  return std::all_of(architecture.masks.begin(), architecture.masks.end(), [&](const auto& mask) {
    return !mask.empty() && mask.back() < architecture.options.dimension &&
           std::adjacent_find(mask.begin(), mask.end(), std::greater_equal<>()) == mask.end();
  });
}

// Coarse description of a scaled trace: block means, standard deviation, extremes.
void DescribeTrace(const float* trace, std::size_t points, float* out) {
  for (std::size_t b = 0; b < kTraceBlocks; ++b) {
    const std::size_t begin = b * points / kTraceBlocks;
    const std::size_t end = std::max(begin + 1, (b + 1) * points / kTraceBlocks);
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += trace[std::min(i, points - 1)];
    out[b] = static_cast<float>(sum / static_cast<double>(end - begin));
  }
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < points; ++i) {
    sum += trace[i];
    squares += double{trace[i]} * trace[i];
  }
  const double mean = sum / static_cast<double>(points);
  const auto [low, high] = std::minmax_element(trace, trace + points);
  out[kTraceBlocks] = static_cast<float>(
      std::sqrt(std::max(0.0, squares / static_cast<double>(points) - mean * mean)));
  out[kTraceBlocks + 1] = *low;
  out[kTraceBlocks + 2] = *high;
}

}  // namespace

namespace {

std::vector<std::string> AxisNames(const FlowOptions& options) {
  std::vector<std::string> names;
  for (const Axis axis : options.axes) names.push_back(axis == Axis::kLine ? "line" : "unit");
  return names;
}

// False for an unknown name.
bool ReadAxes(const Json& json, std::vector<Axis>* axes) {
  for (const auto& name : json.get<std::vector<std::string>>()) {
    if (name != "line" && name != "unit") return false;
    axes->push_back(name == "line" ? Axis::kLine : Axis::kUnit);
  }
  return true;
}

std::optional<DensityFamily> FamilyOf(const Json& json) {
  const auto kind = json.at("kind").get<std::string>();
  const auto* at = std::find(kKinds.begin(), kKinds.end(), kind);
  if (at == kKinds.end()) return std::nullopt;
  return static_cast<DensityFamily>(at - kKinds.begin());
}

// kDataLoss or, for a model of a later version, kFailedPrecondition.
Status CheckSchema(const Json& json) {
  if (!FamilyOf(json)) return BadArchitecture("unknown kind");
  const int schema = json.at("schema").get<int>();
  if (schema > kSchema) {
    return Fail(ErrorCode::kFailedPrecondition,
                "the model was made by a later version of Inferon (estimator schema " +
                    std::to_string(schema) + ", this version knows " + std::to_string(kSchema) +
                    ")",
                "use a version at least as new as the one that trained the model");
  }
  if (schema < kOldestSchema) return BadArchitecture("schema is " + std::to_string(schema));
  return {};
}

}  // namespace

std::string ToJson(const FlowArchitecture& architecture) {
  const FlowOptions& o = architecture.options;
  const bool plain = o.trials == 1 && (o.input == InputNetwork::kFeatures ||
                                       o.summary_network == SummaryNetwork::kConvGru);
  Json json = {{"schema", plain ? kPlainSchema : kSchema},
               {"kind", kKinds[static_cast<std::size_t>(o.family)]},
               {"dimension", o.dimension},
               {"input", o.input == InputNetwork::kSummary ? "summary" : "features"},
               {"input_columns", o.input_columns},
               {"transforms", o.transforms},
               {"hidden", o.hidden},
               {"bins", o.bins},
               {"summaries", o.summaries},
               {"axes", AxisNames(o)},
               {"feature_revision", o.feature_revision},
               {"masks", architecture.masks}};
  if (!plain) {
    json["summary_network"] = NameOf(o.summary_network);
    json["trials"] = o.trials;
  }
  return json.dump();
}

Result<FlowArchitecture> ArchitectureFromJson(const std::string& text) {
  FlowArchitecture architecture;
  FlowOptions& o = architecture.options;
  try {
    const Json json = Json::parse(text);
    if (Status ok = CheckSchema(json); !ok) return tl::unexpected(ok.error());
    o.family = *FamilyOf(json);
    if (json.at("schema") == kOldestSchema) {
      o.feature_revision = 1;
    } else {
      json.at("feature_revision").get_to(o.feature_revision);
      if (!ReadAxes(json.at("axes"), &o.axes)) return BadArchitecture("unknown axis");
    }
    const auto input = json.at("input").get<std::string>();
    if (input != "summary" && input != "features") return BadArchitecture("input is " + input);
    o.input = input == "summary" ? InputNetwork::kSummary : InputNetwork::kFeatures;
    o.dimension = json.at("dimension").get<std::size_t>();
    o.input_columns = json.at("input_columns").get<std::size_t>();
    o.transforms = json.at("transforms").get<std::uint32_t>();
    o.hidden = json.at("hidden").get<std::uint32_t>();
    o.bins = json.at("bins").get<std::uint32_t>();
    o.summaries = json.at("summaries").get<std::uint32_t>();
    if (json.at("schema") > kPlainSchema) {
      const auto name = json.at("summary_network").get<std::string>();
      const auto network = SummaryNetworkOf(name);
      if (!network) return BadArchitecture("summary network is " + name);
      o.summary_network = *network;
      json.at("trials").get_to(o.trials);
    }
    architecture.masks = json.at("masks").get<std::vector<std::vector<std::uint32_t>>>();
  } catch (const Json::exception& e) {
    return BadArchitecture(e.what());
  }
  if (auto status = CheckFlowOptions(o); !status) return BadArchitecture(status.error().message);
  if (!MasksFit(architecture)) return BadArchitecture("masks do not fit the dimension");
  return architecture;
}

Status CheckFlowOptions(const FlowOptions& o) {
  const auto check = [](std::size_t value, std::size_t low, std::size_t high,
                        const std::string& name) -> Status {
    if (value >= low && value <= high) return {};
    return InvalidArgument("flow option " + name + " is " + std::to_string(value),
                           "set it to " + std::to_string(low) + ".." + std::to_string(high));
  };
  Status status = check(o.dimension, 1, 64, "dimension");
  if (status) status = check(o.input_columns, 1, 1'000'000, "input_columns");
  if (status) status = check(o.transforms, 1, 64, "transforms");
  if (status) status = check(o.hidden, 1, 1024, "hidden");
  if (status) status = check(o.bins, 2, kMaxBins, "bins");
  if (status) status = check(o.summaries, 1, 1024, "summaries");
  if (status) status = check(o.feature_revision, 1, 2, "feature_revision");
  if (status) status = check(o.members, 1, kMaxMembers, "members");
  if (status) status = check(o.trials, 1, kMaxTrials, "trials");
  if (status && o.input_columns % o.trials != 0) {
    return InvalidArgument("rows of " + std::to_string(o.input_columns) + " values are not " +
                               std::to_string(o.trials) + " trials of equal length",
                           "set trials to the number of trials that a row of x holds");
  }
  if (status && !o.axes.empty()) {
    status = check(o.axes.size(), o.dimension, o.dimension, "axes (their number)");
  }
  return status;
}

DensityNetwork::DensityNetwork(FlowArchitecture architecture, std::uint64_t seed)
    : architecture_(std::move(architecture)), store_(seed), input_(MakeInput(options(), &store_)) {
  const FlowOptions& o = options();
  if (IsField(o.family)) {
    field_ = std::make_unique<FieldNetwork>(o.dimension, input_->outputs() + kTimeColumns, o.hidden,
                                            o.transforms, &store_);
    return;
  }
  const std::size_t bins = o.family == DensityFamily::kAffineFlow ? 0 : o.bins;
  flow_ = std::make_unique<CouplingFlow>(o.dimension, input_->outputs(), o.hidden, bins,
                                         architecture_.masks, LineColumns(o), &store_);
}

void DensityNetwork::FitScaling(MatrixView rows) {
  rows = {rows.data, rows.rows * options().trials, trial_columns()};
  if (summary()) {
    trace_ = TraceScaling::Fit(rows);
  } else {
    features_ = FeatureScaling::Fit(rows);
  }
}

at::Tensor DensityNetwork::Scale(const float* raw, std::size_t rows) const {
  const std::size_t columns = trial_columns();
  const std::size_t width = input_->inputs() / options().trials;
  const at::Tensor scaled =
      EmptyTensor({static_cast<std::int64_t>(rows), static_cast<std::int64_t>(input_->inputs())});
  float* out = MutableData(scaled);
  for (std::size_t i = 0; i < rows * options().trials; ++i, raw += columns, out += width) {
    if (!summary()) {
      linear_inputs() ? features_.ApplyBoth(raw, out) : features_.Apply(raw, out);
      continue;
    }
    trace_.Apply(raw, columns, out);
    std::fill(out + columns, out + width, out[columns - 1]);
  }
  return scaled;
}

at::Tensor DensityNetwork::Context(const at::Tensor& scaled) const {
  if (device_.is_cpu()) return (*input_)(scaled);
  return (*input_)(scaled.to(device_)).to(at::kCPU);
}

Status CheckFlowDevice(const FlowOptions& options, const std::string& device) {
  if (Status ok = CheckDevice(device); !ok) return ok;
  if (device == kCpuDevice || options.input == InputNetwork::kSummary) return {};
  return InvalidArgument("estimators on values compute on the CPU only",
                         "leave the device out: a network this small is slower on a GPU");
}

Status DensityNetwork::UseDevice(const std::string& device) {
  if (Status ok = CheckFlowDevice(options(), device); !ok) return ok;
  device_ = device == kCudaDevice ? at::kCUDA : at::kCPU;
  return {};
}

std::size_t DensityNetwork::OutlierColumns() const {
  return summary() ? options().summaries + kTraceBlocks + 3 : features_.outputs();
}

std::vector<float> DensityNetwork::OutlierRows(const float* raw, std::size_t rows) const {
  const std::size_t columns = options().input_columns;
  const std::size_t width = OutlierColumns();
  std::vector<float> out(rows * width);
  if (!summary()) {
    // Over several trials the mean: the same for any order of them.
    std::vector<float> trial(width);
    const auto trials = options().trials;
    for (std::size_t i = 0; i < rows * trials; ++i) {
      features_.ApplyLinear(raw + i * trial_columns(), trial.data());
      float* row = out.data() + i / trials * width;
      for (std::size_t j = 0; j < width; ++j) row[j] += trial[j] / static_cast<float>(trials);
    }
    return out;
  }
  const at::Tensor scaled = Scale(raw, rows);
  const at::Tensor summaries = Context(scaled).contiguous();
  const std::size_t count = options().summaries;
  const std::size_t points = options().trials == 1 ? columns : input_->inputs();
  for (std::size_t i = 0; i < rows; ++i) {
    float* row = out.data() + i * width;
    std::copy_n(Data(summaries) + i * input_->outputs(), count, row);
    DescribeTrace(Data(scaled) + i * input_->inputs(), points, row + count);
    if (!std::all_of(raw + i * columns, raw + (i + 1) * columns,
                     [](float v) { return std::isfinite(v); })) {
      row[0] = std::numeric_limits<float>::quiet_NaN();
    }
  }
  return out;
}

void DensityNetwork::Save(TensorFile* file) const {
  store_.Save(file);
  if (summary()) {
    trace_.Save(file);
  } else {
    features_.Save(file);
  }
  outliers_.Save(file);
}

Status DensityNetwork::Load(const TensorFile& file) {
  if (auto status = store_.Load(file); !status) return status;
  if (summary()) {
    auto trace = TraceScaling::Load(file);
    if (!trace) return tl::unexpected(trace.error());
    trace_ = *trace;
  } else {
    auto features = FeatureScaling::Load(file, trial_columns());
    if (!features) return tl::unexpected(features.error());
    features_ = std::move(*features);
  }
  auto outliers = OutlierModel::Load(file, OutlierColumns());
  if (!outliers) return tl::unexpected(outliers.error());
  outliers_ = std::move(*outliers);
  return {};
}

}  // namespace inferon::estimators
