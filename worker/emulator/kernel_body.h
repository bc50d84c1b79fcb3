// Body of the kernel, written once over the vector types F, U and M of a simd_*.h header that is
// included before it: F has 16 floats, U 16 words, M 16 truth values.
//
// Scheme (second order): exponential Runge-Kutta of Cox and Matthews (ETD2RK) for the membrane,
// with the leak exact and exponential current, adaptation and stimulus as the non-linear part; the
// adaptation relaxes exactly towards the mean of the step's ends. Noise is added to the predictor.
//
// Membrane noise is the sum of four uniform bytes of a Philox word each step: variance exact,
// excess kurtosis -0.3, which falls with the number of steps in the membrane's time constant (20
// or more) below 0.02. The read-out's is the sum of eight bytes (-0.15), then rounded to counts.
#pragma once

#include "worker/emulator/kernel.h"

namespace inferon::worker::INFERON_SIMD_NAMESPACE {
namespace {

struct UBlock {
  U word[4];
};

// Philox4x32-10, one block a lane (common/base/philox.h).
inline UBlock LanePhilox(const std::uint32_t (&key)[2], U c0, U c1, U c2, U c3) {
  std::uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    U high0, low0, high1, low1;
    Multiply(c0, 0xD2511F53u, high0, low0);
    Multiply(c2, 0xCD9E8D57u, high1, low1);
    c0 = high1 ^ c1 ^ Words(k0);
    c2 = high0 ^ c3 ^ Words(k1);
    c1 = low1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// Sum of a word's four bytes as 16-bit pairs: two partial sums to be added by the caller.
inline U PairSums(U word) {
  return (word & Words(0x00FF00FFu)) + ((word >> 8) & Words(0x00FF00FFu));
}

// Sum of the four bytes minus its mean 510.
inline F FourByteSum(U word) {
  const U pairs = PairSums(word);
  return ToFloats((pairs + (pairs >> 16)) & Words(0xFFFFu)) - Floats(510.0f);
}

// Sum of the eight bytes of two words minus its mean 1020.
inline F EightByteSum(U first, U second) {
  const U pairs = PairSums(first) + PairSums(second);
  return ToFloats((pairs + (pairs >> 16)) & Words(0xFFFFu)) - Floats(1020.0f);
}

// exp(x), relative error below 3e-7; x is clamped to -80 below and must be at most 80.
inline F Exp(F x) {
  const F magic = Floats(12582912.0f);  // 1.5 * 2^23: leaves the rounded number in the low bits.
  x = Max(x, Floats(-80.0f));
  const F shifted = Fma(x, Floats(1.44269504f), magic);
  const F n = shifted - magic;
  const F r = Fma(n, Floats(2.12194440e-4f), Fma(n, Floats(-0.693359375f), x));
  F p = Floats(1.9875691500e-4f);
  p = Fma(p, r, Floats(1.3981999507e-3f));
  p = Fma(p, r, Floats(8.3334519073e-3f));
  p = Fma(p, r, Floats(4.1665795894e-2f));
  p = Fma(p, r, Floats(1.6666665459e-1f));
  p = Fma(p, r, Floats(5.0000001201e-1f));
  p = Fma(p, r * r, r) + Floats(1.0f);
  return AsFloats(AsWords(p) + (AsWords(shifted) << 23));
}

// All lanes of a batch on their way through time.
class Integrator {
 public:
  Integrator(const LaneCoefficients& lanes, const KernelSchedule& schedule, KernelOutput& output)
      : lanes_(lanes), schedule_(schedule), output_(output), v_(Load(lanes.v_start)) {}

  void Run() {
    const std::uint32_t steps = schedule_.settle_steps + schedule_.record_steps;
    UBlock words{};
    for (std::uint32_t k = 0; k < steps; ++k) {
      if (k % 4 == 0) words = Words4(schedule_.membrane_key, k / 4);
      Step(k, words.word[k % 4]);
    }
  }

 private:
  UBlock Words4(const std::uint32_t (&key)[2], std::uint32_t block) const {
    return LanePhilox(key, Words(block), Load(lanes_.trial), Load(lanes_.set_low),
                      Load(lanes_.set_high));
  }

  F ExponentialCurrent(F v) const {
    const F exponent = (v - Load(lanes_.v_t)) * Load(lanes_.inverse_delta_t);
    const F current = Load(lanes_.exponential) * Exp(Min(exponent, Floats(schedule_.max_exponent)));
    return current / Fma(current, Floats(schedule_.inverse_limit), Floats(1.0f));
  }

  void Step(std::uint32_t k, U word) {
    const bool recording = k >= schedule_.settle_steps;
    const std::uint32_t step = k - schedule_.settle_steps;  // Used while recording only.
    noise_ = Fma(Floats(schedule_.noise_decay), noise_,
                 Load(lanes_.noise_amplitude) * FourByteSum(word));
    const F before = v_;

    // Lanes in reset start from the held voltage and integrate only what is left of the step.
    const F v_r = Load(lanes_.v_r);
    const F held = Fma(v_ - v_r, Floats(schedule_.hold_decay), v_r);
    const F start = Select(refractory_ > Floats(0.0f), held, v_);
    const F active = Max(Floats(1.0f) - refractory_, Floats(0.0f));

    const F stimulus = Load(lanes_.stimulus) * Floats(recording ? schedule_.scale[step] : 0.0f);
    const F gain_w = Load(lanes_.gain_w), relax_w = Load(lanes_.relax_w);
    const F force = stimulus + ExponentialCurrent(start) - w_;
    const F predicted =
        start + Fma(Load(lanes_.relax_v), start, Fma(Load(lanes_.gain_v), force, noise_));
    const F w_predicted = w_ + Fma(relax_w, w_, gain_w * start);
    const F force_end = stimulus + ExponentialCurrent(predicted) - w_predicted;
    const F full = Fma(Load(lanes_.gain2_v), force_end - force, predicted);

    v_ = Fma(active, full - start, start);
    const F mean = Fma(Floats(0.5f) * active, v_ - start, start);
    w_ = w_ + Fma(relax_w, w_, gain_w * mean);
    refractory_ = Max(refractory_ - Floats(1.0f), Floats(0.0f));
    const M fired = (v_ >= Load(lanes_.v_th)) & (active > Floats(0.0f));
    if (Any(fired)) Fire(k, fired, start, active, mean);
    if (recording) Sample(step, before);
  }

  // Resets the lanes that fired. Lanes that start at or above the threshold (V_r >= V_th) fire at
  // the end of the refractory time, as the chip's comparator does.
  void Fire(std::uint32_t k, M fired, F start, F active, F mean) {
    LaneFloats v, w, refractory, v_start, active_part, v_mean;
    Store(v, v_), Store(w, w_), Store(refractory, refractory_);
    Store(v_start, start), Store(active_part, active), Store(v_mean, mean);
    const std::uint32_t bits = Bits(fired);
    for (int i = 0; i < kLanes; ++i) {
      if ((bits >> i & 1u) == 0) continue;
      const float rise = v.lane[i] - v_start.lane[i];
      const float missing = lanes_.v_th.lane[i] - v_start.lane[i];
      const float share = missing <= 0.0f ? 0.0f : missing >= rise ? 1.0f : missing / rise;
      const float within = (1.0f - active_part.lane[i]) + active_part.lane[i] * share;
      const float v_r = lanes_.v_r.lane[i];
      v.lane[i] = v_r + (lanes_.v_th.lane[i] - v_r) * schedule_.hold_decay;
      // The adaptation saw the threshold until the spike, the reset voltage after it.
      const float up = active_part.lane[i] * share;
      const float seen = (1.0f - up) * v_start.lane[i] +
                         0.5f * up * (v_start.lane[i] + lanes_.v_th.lane[i]) +
                         (1.0f - within) * (v.lane[i] - v_start.lane[i]);
      w.lane[i] += lanes_.gain_w.lane[i] * (seen - v_mean.lane[i]) + lanes_.b.lane[i];
      const float rest = schedule_.refractory_steps - (1.0f - within);
      refractory.lane[i] = rest > 0.0f ? rest : 0.0f;
      if (k >= schedule_.settle_steps) Note(i, k - schedule_.settle_steps, within);
    }
    v_ = Load(v), w_ = Load(w), refractory_ = Load(refractory);
  }

  void Note(int lane, std::uint32_t step, float within) {
    const double time_us = (step + static_cast<double>(within)) * schedule_.step_us;
    std::uint32_t& count = output_.spike_count[lane];
    if (time_us >= schedule_.duration_us || count >= output_.spike_capacity) return;
    output_.spike_time_us[lane][count++] = static_cast<float>(time_us);
  }

  // Stores the points that lie in this step, between the voltages before and after it.
  void Sample(std::uint32_t step, F before) {
    while (point_ < schedule_.points && schedule_.point_step[point_] == step) {
      if (point_ % 2 == 0) readout_words_ = Words4(schedule_.readout_key, point_ / 2);
      const std::uint32_t pair = point_ % 2 * 2;
      const F noise = EightByteSum(readout_words_.word[pair], readout_words_.word[pair + 1]);
      const F v = Fma(Floats(schedule_.point_fraction[point_]), v_ - before, before);
      F counts = Fma(Floats(schedule_.madc_gain), v, Load(lanes_.v_l_counts));
      counts = Fma(Floats(schedule_.readout_amplitude), noise, counts);
      counts = Min(Max(counts, Floats(schedule_.madc_min)), Floats(schedule_.madc_max));
      LaneFloats rounded;
      Store(rounded, counts + Floats(0.5f));
      for (int i = 0; i < kLanes; ++i) {
        output_.trace[i][point_] = static_cast<std::uint16_t>(rounded.lane[i]);
      }
      ++point_;
    }
  }

  const LaneCoefficients& lanes_;
  const KernelSchedule& schedule_;
  KernelOutput& output_;
  F v_;                          // Relative to V_L, mV.
  F w_ = Floats(0.0f);           // nA.
  F noise_ = Floats(0.0f);       // mV a step.
  F refractory_ = Floats(0.0f);  // Steps of reset that are left.
  std::uint32_t point_ = 0;      // Next point to store.
  UBlock readout_words_{};
};

}  // namespace
}  // namespace inferon::worker::INFERON_SIMD_NAMESPACE
