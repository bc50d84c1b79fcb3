// The networks of one density estimator: scaling, input network and flow, and their architecture as
// JSON. Shared by training, inference and storage.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/field.h"
#include "server/trainer/estimators/flow.h"
#include "server/trainer/estimators/input_network.h"
#include "server/trainer/estimators/outlier.h"
#include "server/trainer/estimators/scaling.h"

namespace inferon::estimators {

// What model.json keeps of an estimator.
struct FlowArchitecture {
  FlowOptions options;
  std::vector<std::vector<std::uint32_t>> masks;  // Columns that each layer moves.
};
std::string ToJson(const FlowArchitecture& architecture);
// kDataLoss for text that is no architecture of this library.
Result<FlowArchitecture> ArchitectureFromJson(const std::string& text);
// kInvalidArgument for options out of range.
Status CheckFlowOptions(const FlowOptions& options);
// The same for a device, and kFailedPrecondition where this machine has none.
Status CheckFlowDevice(const FlowOptions& options, const std::string& device);

class DensityNetwork {
 public:
  DensityNetwork(FlowArchitecture architecture, std::uint64_t seed);

  const FlowOptions& options() const { return architecture_.options; }
  // Of a flow and of a field (IsField(options().family)).
  const CouplingFlow& flow() const { return *flow_; }
  const FieldNetwork& field() const { return *field_; }
  WeightStore& store() { return store_; }
  std::size_t weight_count() const { return store_.count(); }

  // Fits the scaling; before anything below.
  void FitScaling(MatrixView rows);
  // Raw input rows to the input network's scaled rows.
  at::Tensor Scale(const float* raw, std::size_t rows) const;
  // Scaled rows [n, ...] to contexts [n, c], both in memory wherever the network computes.
  at::Tensor Context(const at::Tensor& scaled) const;
  // Computes contexts on this device from now on ("cpu" or "cuda"): kInvalidArgument for another
  // and for a network on features, which is too small to gain; kFailedPrecondition without such a
  // device.
  Status UseDevice(const std::string& device);
  // Traces that go through the network at once: as many as fit the cache, on a GPU many.
  std::size_t trace_rows() const { return device_.is_cpu() ? 64 : 1024; }

  // Columns of the space in which distances from the training data are measured, and rows of it.
  std::size_t OutlierColumns() const;
  std::vector<float> OutlierRows(const float* raw, std::size_t rows) const;
  void FitOutliers(MatrixView outlier_rows) { outliers_ = OutlierModel::Fit(outlier_rows); }
  const OutlierModel& outliers() const { return outliers_; }

  std::string Architecture() const { return ToJson(architecture_); }
  void Save(TensorFile* file) const;
  Status Load(const TensorFile& file);

 private:
  bool linear_inputs() const { return options().feature_revision >= 2; }
  std::size_t trial_columns() const { return options().input_columns / options().trials; }
  bool summary() const { return options().input == InputNetwork::kSummary; }

  FlowArchitecture architecture_;
  WeightStore store_;
  std::unique_ptr<InputModule> input_;
  at::Device device_ = at::kCPU;  // Contexts are computed there.
  std::unique_ptr<CouplingFlow> flow_;
  std::unique_ptr<FieldNetwork> field_;
  FeatureScaling features_;  // Used for InputNetwork::kFeatures.
  TraceScaling trace_;       // Used for InputNetwork::kSummary.
  OutlierModel outliers_;
};

}  // namespace inferon::estimators
