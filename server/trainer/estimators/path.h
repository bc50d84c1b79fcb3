// Paths between data and noise, by which flow matching and diffusion learn a posterior: pure
// functions of one row, without networks.
//
// Along a path, tau goes from 0 (data) to 1 (noise). Each column of the state moves by an ordinary
// differential equation over a time that depends on tau, with the field F that is learnt:
//   d state / d time = own * state + field * gate(state) * F(scale * state)
//
// Flow matching (Lipman and others, ICLR 2023) goes straight from a standard normal number to the
// data; unit columns are mapped to the line first (unit_line.h).
//
// Diffusion is EDM (Karras and others, NeurIPS 2022): line columns get normal noise; their state is
// divided by its standard deviation for data of unit variance. Noise on a unit column is reflected
// at 0 and 1 (Lou and Ermon, "Reflected diffusion models", ICML 2023), so that it ends uniform, the
// state never leaves the interval and the density at its ends need not vanish. There the gate
// closes, within about the noise's deviation: no motion leads out, whatever F is, so that the
// equation carries the interval onto itself. All other gates are 1.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "server/trainer/estimators/estimators.h"

namespace inferon::estimators {

inline constexpr std::size_t kTimeColumns = 14;
// What a network is told of tau: [kTimeColumns].
void DescribeTime(double tau, float* out);

// The equation of one column at one tau.
struct PathPoint {
  double scale = 0, own = 0, field = 0;
};

class Path {
 public:
  // family is kFlowMatching or kDiffusion; empty axes: all unit.
  Path(DensityFamily family, std::size_t dimension, const std::vector<Axis>& axes);

  std::size_t dimension() const { return columns_.size(); }
  // The equation's time, in which it is mild, and d time / d tau.
  double Time(double tau) const;
  double TauAt(double time) const;
  double TimeSpeed(double tau) const;
  PathPoint At(std::size_t column, double tau) const;
  struct Gate {
    float value = 1, slope = 0;  // slope: by the state.
  };
  Gate GateAt(std::size_t column, double tau, float state) const;

  // theta to the state at tau = 0; returns the log derivative.
  double Enter(const float* theta, float* state) const;
  // The state at tau = 0 to theta, inside the support.
  void Leave(const float* state, float* theta) const;
  // A state that a step has moved; -1 where it was reflected, so that its motion turns round.
  float Reflect(std::size_t column, float* state) const;

  // The state at tau = 1 from a number in [0, 1), and its log density.
  float Base(std::size_t column, double uniform) const;
  double LogBase(std::size_t column, double state) const;

  // A training example at tau from a state of tau = 0 and standard normal numbers, all
  // [dimension]: the network's input scale * state, the gate, and what gate * F should be there.
  void Example(const float* data, const double* noise, double tau, float* input, float* gate,
               float* target) const;

 private:
  enum class Column { kStraight, kStraightUnit, kNoise, kReflected };
  bool straight_;
  std::vector<Column> columns_;
};

}  // namespace inferon::estimators
