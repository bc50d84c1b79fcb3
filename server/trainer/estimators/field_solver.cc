#include "server/trainer/estimators/field_solver.h"

#include <algorithm>
#include <array>

#include "common/base/check.h"

namespace inferon::estimators {
namespace {

using RowValues = std::array<double, kFlowBlock>;

}  // namespace

FieldSolver::FieldSolver(const FieldView& field, const Path& path, std::size_t steps)
    : path_(path),
      steps_(steps),
      dimension_(field.dimension()),
      context_(field.condition_columns() - kTimeColumns),
      field_(field),
      arena_(9 * dimension_ * kFlowBlock) {
  INFERON_CHECK(path.dimension() == dimension_);
  for (float** array : {&state_, &stage_, &turned_, &input_, &out_, &slopes_}) {
    *array = arena_.Columns(dimension_);
  }
  for (float*& motion : motion_) motion = arena_.Columns(dimension_);
}

void FieldSolver::SetContext(std::span<const float> context) {
  INFERON_CHECK(context.size() == context_);
  shared_.assign(context.begin(), context.end());
  shared_.resize(context_ + kTimeColumns);
}

void FieldSolver::SetRowContexts(MatrixView contexts) {
  INFERON_CHECK(contexts.columns == context_);
  shared_.clear();
  LoadBlock(contexts, field_.RowConditions());
}

void FieldSolver::Motion(const float* state, double tau, float* motion, double* divergence) {
  if (shared_.empty()) {
    std::array<float, kTimeColumns> time{};
    DescribeTime(tau, time.data());
    float* to = field_.RowConditions() + context_ * kFlowBlock;
    for (const float value : time) to = std::fill_n(to, kFlowBlock, value);
  } else {
    DescribeTime(tau, shared_.data() + context_);
    field_.SetCondition(shared_);
  }
  std::vector<PathPoint> points(dimension_);
  for (std::size_t j = 0; j < dimension_; ++j) {
    points[j] = path_.At(j, tau);
    const auto scale = static_cast<float>(points[j].scale);
    for (std::size_t k = j * kFlowBlock; k < (j + 1) * kFlowBlock; ++k) {
      input_[k] = scale * state[k];
    }
  }
  field_.Evaluate(input_, out_, divergence == nullptr ? nullptr : slopes_);
  if (divergence != nullptr) std::fill_n(divergence, kFlowBlock, 0.0);
  for (std::size_t j = 0; j < dimension_; ++j) {
    const PathPoint& p = points[j];
    const auto own = static_cast<float>(p.own), field = static_cast<float>(p.field);
    const double speed = path_.TimeSpeed(tau);
    for (std::size_t row = 0; row < kFlowBlock; ++row) {
      const std::size_t k = j * kFlowBlock + row;
      const Path::Gate gate = path_.GateAt(j, tau, state[k]);
      motion[k] = own * state[k] + field * gate.value * out_[k];
      if (divergence == nullptr) continue;
      const double slope = double{gate.slope} * out_[k] + p.scale * double{gate.value} * slopes_[k];
      divergence[row] += speed * (p.own + p.field * slope);
    }
  }
}

void FieldSolver::MoveTo(double change, const float* motion) {
  const auto by = static_cast<float>(change);
  for (std::size_t j = 0; j < dimension_; ++j) {
    for (std::size_t k = j * kFlowBlock; k < (j + 1) * kFlowBlock; ++k) {
      stage_[k] = state_[k] + by * motion[k];
      turned_[k] = path_.Reflect(j, &stage_[k]);
    }
  }
}

void FieldSolver::Step(double from, double to) {
  const double start = path_.Time(from), change = path_.Time(to) - start;
  for (const std::size_t i : {1u, 2u}) {
    const double part = i == 1 ? 0.5 * change : 0.75 * change;
    MoveTo(part, motion_[i - 1]);
    Motion(stage_, path_.TauAt(start + part), motion_[i], nullptr);
    // Back to the direction of the state that was not reflected.
    for (std::size_t k = 0; k < dimension_ * kFlowBlock; ++k) motion_[i][k] *= turned_[k];
  }
  for (std::size_t k = 0; k < dimension_ * kFlowBlock; ++k) {
    motion_[0][k] = (2 * motion_[0][k] + 3 * motion_[1][k] + 4 * motion_[2][k]) / 9;
  }
  MoveTo(change, motion_[0]);
  std::copy_n(stage_, dimension_ * kFlowBlock, state_);
}

void FieldSolver::Solve(bool to_noise, double* integral) {
  RowValues here{}, before{};
  double* divergence = integral == nullptr ? nullptr : here.data();
  const double step = 1.0 / static_cast<double>(steps_);
  const auto tau = [&](std::size_t i) {
    return static_cast<double>(to_noise ? i : steps_ - i) * step;
  };
  for (std::size_t i = 0; i < steps_; ++i) {
    Motion(state_, tau(i), motion_[0], divergence);
    for (std::size_t r = 0; integral != nullptr && i > 0 && r < kFlowBlock; ++r) {
      integral[r] += 0.5 * step * (here[r] + before[r]);
    }
    before = here;
    Step(tau(i), tau(i + 1));
  }
  if (integral == nullptr) return;
  Motion(state_, tau(steps_), motion_[0], divergence);
  for (std::size_t r = 0; r < kFlowBlock; ++r) integral[r] += 0.5 * step * (here[r] + before[r]);
}

void FieldSolver::Draw(std::size_t n, float* values, double* log_density) {
  LoadBlock({values, n, dimension_}, state_);
  RowValues integral{}, density{};
  for (std::size_t j = 0; j < dimension_; ++j) {
    for (std::size_t row = 0; row < kFlowBlock; ++row) {
      float& state = state_[j * kFlowBlock + row];
      state = path_.Base(j, state);
      density[row] += path_.LogBase(j, state);
    }
  }
  Solve(/*to_noise=*/false, log_density == nullptr ? nullptr : integral.data());
  std::vector<float> row_state(dimension_), again(dimension_);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t j = 0; j < dimension_; ++j) row_state[j] = state_[j * kFlowBlock + row];
    float* theta = values + row * dimension_;
    path_.Leave(row_state.data(), theta);
    if (log_density == nullptr) continue;
    log_density[row] = density[row] + integral[row] + path_.Enter(theta, again.data());
  }
}

void FieldSolver::LogDensity(MatrixView theta, double* log_density) {
  RowValues integral{};
  std::vector<float> states(theta.rows * dimension_);
  for (std::size_t row = 0; row < theta.rows; ++row) {
    log_density[row] = path_.Enter(theta.Row(row).data(), states.data() + row * dimension_);
  }
  LoadBlock({states.data(), theta.rows, dimension_}, state_);
  Solve(/*to_noise=*/true, integral.data());
  for (std::size_t row = 0; row < theta.rows; ++row) {
    log_density[row] += integral[row];
    for (std::size_t j = 0; j < dimension_; ++j) {
      log_density[row] += path_.LogBase(j, state_[j * kFlowBlock + row]);
    }
  }
}

}  // namespace inferon::estimators
