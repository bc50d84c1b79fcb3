#include "tests/emulator/reference_neuron.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace inferon::worker {
namespace {

constexpr double kForever = std::numeric_limits<double>::infinity();
constexpr double kFirstStep = 1e-3, kLeastStep = 1e-9, kLongestStep = 20;  // us

using State = ReferenceState;

State operator+(State x, State y) { return {x.v + y.v, x.w + y.w}; }
State operator*(double s, State x) { return {s * x.v, s * x.w}; }

// Coefficients of J. R. Dormand, P. J. Prince, "A family of embedded Runge-Kutta formulae",
// J. Comp. Appl. Math. 6 (1980) 19-26, RK5(4)7M. The equations have no explicit time within a
// segment of constant current, so the nodes are not needed.
constexpr double kA[7][6] = {
    {},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}};
// Fifth minus fourth order.
constexpr double kError[7] = {71.0 / 57600,      0,          -71.0 / 16695, 71.0 / 1920,
                              -17253.0 / 339200, 22.0 / 525, -1.0 / 40};

struct Step {
  State end;
  State error;
};

class Solver {
 public:
  Solver(const ReferenceNeuron& neuron, const Protocol& protocol,
         std::span<const double> sample_times, double tolerance)
      : n_(neuron),
        protocol_(protocol),
        times_(sample_times),
        tolerance_(tolerance),
        t_(-neuron.settle),
        x_{neuron.v_l, 0} {}

  ReferenceRun Run() {
    if (x_.v >= n_.v_th) Fire();
    while (t_ < protocol_.duration_us) {
      TakeSamples();
      Advance(NextEdge());
    }
    TakeSamples();
    return std::move(run_);
  }

 private:
  bool Held() const { return t_ < release_; }

  // The next time at which the equations change or a sample is due.
  double NextEdge() const {
    double next = protocol_.duration_us;
    const auto consider = [&](double time) {
      if (time > t_) next = std::min(next, time);
    };
    for (const CurrentStep& step : protocol_.steps) consider(step.start_us), consider(step.stop_us);
    consider(release_);
    if (sampled_ < times_.size()) consider(times_[sampled_]);
    consider(0);  // Spikes before the recording are not noted.
    return next;
  }

  // Amplitude from now to the next edge.
  double Current() const {
    double scale = 0;
    for (const CurrentStep& step : protocol_.steps) {
      if (t_ >= step.start_us && t_ < step.stop_us) scale += step.scale;
    }
    return scale * n_.stimulus;
  }

  State Derivative(State x) const {
    const double dw = (n_.a * (x.v - n_.v_l) - x.w) / n_.tau_w;
    if (Held()) return {n_.reset_tau > 0 ? (n_.v_r - x.v) / n_.reset_tau : 0, dw};
    const double exponent = std::min((x.v - n_.v_t) / n_.delta_t, n_.max_exponent);
    const double wanted = n_.g_exponential * n_.delta_t * std::exp(exponent);
    const double exponential = n_.limit * wanted / (n_.limit + wanted);
    return {(n_.g_l * (n_.v_l - x.v) + exponential + current_ - x.w) / n_.c, dw};
  }

  Step Try(double h) const {
    std::array<State, 7> k;
    State x = x_;
    for (int stage = 0; stage < 7; ++stage) {
      x = x_;
      for (int i = 0; i < stage; ++i) x = x + (h * kA[stage][i]) * k[static_cast<std::size_t>(i)];
      k[static_cast<std::size_t>(stage)] = Derivative(x);
    }
    Step step{x, {}};
    for (int i = 0; i < 7; ++i)
      step.error = step.error + (h * kError[i]) * k[static_cast<std::size_t>(i)];
    return step;
  }

  double ScaledError(const Step& step) const {
    const auto part = [&](double error, double before, double after) {
      const double size = std::max(std::abs(before), std::abs(after));
      return std::abs(error) / (tolerance_ * (1 + size));
    };
    return std::max(part(step.error.v, x_.v, step.end.v), part(step.error.w, x_.w, step.end.w));
  }

  // To the edge, or to a spike before it.
  void Advance(double edge) {
    current_ = Current();
    while (t_ < edge) {
      const double left = edge - t_;
      const double h = std::min({h_, left, kLongestStep});
      const Step step = Try(h);
      const double error = ScaledError(step);
      const double change = std::clamp(0.9 * std::pow(error + 1e-12, -0.2), 0.2, 4.0);
      if (error > 1 && h > kLeastStep) {
        h_ = std::max(h * change, kLeastStep);
        continue;
      }
      if (!Held() && step.end.v >= n_.v_th) {
        Cross(h);
        return;
      }
      h_ = std::max(h * change, kLeastStep);
      x_ = step.end;
      t_ = h == left ? edge : t_ + h;
    }
    if (t_ == release_) {
      release_ = -kForever;
      if (x_.v >= n_.v_th) Fire();
    }
  }

  // A step of h crosses the threshold: finds the part of it that just reaches it, by bisection on
  // the length of a fresh step from the same start.
  void Cross(double h) {
    double low = 0, high = h;
    while (high - low > 1e-10) {
      const double middle = 0.5 * (low + high);
      (Try(middle).end.v >= n_.v_th ? high : low) = middle;
    }
    x_ = Try(high).end;
    t_ += high;
    Fire();
  }

  void Fire() {
    if (t_ >= 0 && t_ < protocol_.duration_us) run_.spike_time_us.push_back(t_);
    x_.v = n_.reset_tau > 0 ? n_.v_th : n_.v_r;
    x_.w += n_.b;
    release_ = t_ + n_.refractory;
    h_ = kFirstStep;
  }

  void TakeSamples() {
    while (sampled_ < times_.size() && times_[sampled_] <= t_) {
      run_.sample.push_back(x_);
      ++sampled_;
    }
  }

  const ReferenceNeuron n_;
  const Protocol& protocol_;
  const std::span<const double> times_;
  const double tolerance_;
  double t_;
  State x_;
  double h_ = kFirstStep;
  double current_ = 0;
  double release_ = -kForever;  // End of the reset.
  std::size_t sampled_ = 0;
  ReferenceRun run_;
};

}  // namespace

ReferenceNeuron MakeReference(const Profile& profile, std::span<const std::uint16_t> codes) {
  std::array<double, kPhysicalParameterCount> code = profile.fixed_code, value{};
  for (std::size_t i = 0; i < codes.size(); ++i) {
    code[static_cast<std::size_t>(profile.free[i])] = codes[i];
  }
  const auto of = [](auto& numbers, Parameter p) -> double& {
    return numbers[static_cast<std::size_t>(p)];
  };
  for (std::size_t i = 0; i < value.size(); ++i) {
    value[i] = profile.map[i].offset + profile.map[i].slope * code[i];
  }
  const Coupling& c = profile.coupling;
  of(value, Parameter::kVT) +=
      c.delta_t_to_v_t * (of(code, Parameter::kDeltaT) - c.reference_delta_t);
  of(value, Parameter::kVL) += c.g_l_to_v_l * (of(code, Parameter::kGL) - c.reference_g_l);
  for (const Parameter p :
       {Parameter::kGL, Parameter::kDeltaT, Parameter::kA, Parameter::kB, Parameter::kGTauW}) {
    of(value, p) = std::max(of(value, p), profile.map[static_cast<std::size_t>(p)].floor);
  }
  of(value, Parameter::kDeltaT) =
      std::max(of(value, Parameter::kDeltaT) +
                   c.v_t_to_delta_t * (of(code, Parameter::kVT) - c.reference_v_t),
               profile.map[static_cast<std::size_t>(Parameter::kDeltaT)].floor);
  const double g_l = of(value, Parameter::kGL) / 1000;
  const bool textbook = profile.exponential == ExponentialForm::kTextbook;
  return {.c = profile.capacitance_pf,
          .g_l = g_l,
          .v_l = of(value, Parameter::kVL),
          .v_t = of(value, Parameter::kVT),
          .delta_t = of(value, Parameter::kDeltaT),
          .v_r = of(value, Parameter::kVR),
          .v_th = of(value, Parameter::kVTh),
          .a = of(value, Parameter::kA) / 1000,
          .b = of(value, Parameter::kB) / 1000,
          .tau_w = 1000 * profile.adaptation_capacitance_pf / of(value, Parameter::kGTauW),
          .g_exponential = textbook ? g_l : profile.exponential_g_ns / 1000,
          .limit = profile.exponential_limit_na,
          .max_exponent = profile.max_exponent,
          .stimulus = profile.stimulus_na,
          .refractory = profile.refractory_us,
          .reset_tau = profile.reset == ResetForm::kConductance ? profile.reset_tau_us : 0,
          .settle = profile.settle_us};
}

ReferenceRun RunReference(const ReferenceNeuron& neuron, const Protocol& protocol,
                          std::span<const double> sample_times, double tolerance) {
  return Solver(neuron, protocol, sample_times, tolerance).Run();
}

}  // namespace inferon::worker
