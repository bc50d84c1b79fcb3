// Body of the kernel, written once over Highway's vectors. Included once for each target
// (kernel.cc).
//
// Scheme: the leak is exact; the sum N of the other currents enters by its Taylor polynomial of
// second degree over the step, integrated against the leak's decay (an exponential Taylor method,
// order 3; one exponential a step serves the current and both of its derivatives). The adaptation
// relaxes exactly towards the mean of the step's voltage (order 2). A spike is where the step's
// cubic reaches the threshold; the step after the refractory time follows the same cubic.
//
// Membrane noise is a current, constant over a step: the sum of two uniform bytes for each step.
// Variance exact, excess kurtosis -0.6; the membrane's is less than that by the number of steps in
// its time constant (20 or more in the shipped profiles: below 0.03). The noises of read-out and
// threshold are sums of eight bytes (-0.15).
#if defined(INFERON_KERNEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INFERON_KERNEL_INL_H_
#undef INFERON_KERNEL_INL_H_
#else
#define INFERON_KERNEL_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "worker/emulator/kernel.h"
#include "worker/emulator/lane_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inferon::worker::HWY_NAMESPACE {

constexpr std::uint32_t kDrawSteps = 8;    // A Philox block makes the noise of so many steps.
constexpr std::uint32_t kTilePoints = 32;  // Points that are gathered before they are written out.

// Reads the lanes from `first` on as a vector.
HWY_INLINE F Get(const LaneFloats& from, std::size_t first) {
  return hn::Load(DF(), from.lane + first);
}
HWY_INLINE U Get(const LaneWords& from, std::size_t first) {
  return hn::Load(DU(), from.lane + first);
}
HWY_INLINE void Put(LaneFloats& to, std::size_t first, F value) {
  hn::Store(value, DF(), to.lane + first);
}

// All lanes of a batch on their way through time.
class Integrator {
 public:
  Integrator(const LaneCoefficients& lanes, const KernelSchedule& schedule, KernelOutput& output)
      : lanes_(lanes), schedule_(schedule), output_(output) {
    for (int i = 0; i < kLanes; ++i) output_.spike_count[i] = 0;
    for (std::size_t first = 0; first < kLanes; first += Width()) {
      Put(v_, first, Get(lanes.v_start, first));
      Put(v_th_, first, Get(lanes.v_th, first));
      MoveThreshold(first, hn::FirstN(DF(), Width()));
    }
  }

  void Run() {
    const std::uint32_t steps = schedule_.settle_steps + schedule_.record_steps;
    for (std::uint32_t k = 0; k < steps; ++k) {
      if (schedule_.membrane_noise && k % kDrawSteps == 0) DrawMembrane(k / kDrawSteps);
      if (k < schedule_.settle_steps) {
        Advance(k, 0.0f);
      } else {
        Record(k - schedule_.settle_steps);
      }
    }
    WriteTile();
  }

 private:
  static constexpr std::size_t Width() { return hn::MaxLanes(DF()); }

  // What one step does to the voltage, from its start: v + slope x + bend x^2 / 2 + ..., 0 <= x <=
  // 1, v + full at its end.
  struct Increment {
    F full, slope, bend;
  };

  HWY_INLINE WordBlock Draw(const std::uint32_t (&key)[2], U counter, std::size_t first) const {
    return LanePhilox(key, counter, Get(lanes_.trial, first), Get(lanes_.set_low, first),
                      Get(lanes_.set_high, first));
  }

  HWY_INLINE void DrawMembrane(std::uint32_t block) {
    for (std::size_t first = 0; first < kLanes; first += Width()) {
      const WordBlock words = Draw(schedule_.membrane_key, Words(block), first);
      for (std::uint32_t i = 0; i < 4; ++i) {
        const U pairs = PairSums(words.word[i]);
        Put(draw_[2 * i], first, ToFloats(hn::And(pairs, Words(0xFFFFu))));
        Put(draw_[2 * i + 1], first, ToFloats(hn::ShiftRight<16>(pairs)));
      }
    }
  }

  // The coloured noise moves on by a step; nA.
  HWY_INLINE F MoveNoise(std::uint32_t k, std::size_t first) {
    const F amplitude = Get(lanes_.noise_amplitude, first);
    const F draw = hn::Sub(Get(draw_[k % kDrawSteps], first), Floats(255.0f));
    const F noise =
        Fma(Floats(schedule_.noise_decay), Get(noise_, first), hn::Mul(amplitude, draw));
    Put(noise_, first, noise);
    return noise;
  }

  // The step from v and w on with the outer current `drive`. Ordered so that little waits for the
  // exponential.
  HWY_INLINE Increment StepFrom(F v, F w, F drive, std::size_t first) const {
    const F exponent =
        Fma(Get(lanes_.exponent_slope, first), v, Get(lanes_.exponent_offset, first));
    const F ceiling = Get(lanes_.exponent_ceiling, first);
    const F rising = Exp2(hn::Min(hn::Max(exponent, Floats(-40.0f)), ceiling));

    // Without the exponential current, which is `share` of its limit.
    const F outer = hn::Sub(drive, w);
    const F rate = Get(lanes_.rate_v, first), charge = Get(lanes_.charge_v, first);
    const F inverse = Get(lanes_.inverse_delta_t, first);
    const F outer_slope = Fma(rate, v, hn::Mul(charge, outer));
    const F outer_full =
        Fma(Get(lanes_.gain_v, first), outer, hn::Mul(Get(lanes_.relax_v, first), v));
    const F w_slope = Fma(Get(lanes_.relax_w, first), w, hn::Mul(Get(lanes_.gain_w, first), v));

    const F limit = Floats(schedule_.exponential_limit);
    const F share = hn::Div(rising, hn::Add(rising, limit));
    const F current = hn::Mul(share, limit);
    const F room = hn::Sub(Floats(1.0f), share);
    const F slope = Fma(charge, current, outer_slope);
    // First derivative by v times delta_t; the second times delta_t^2 is this times room - share.
    const F derivative = hn::IfThenElseZero(hn::Le(exponent, ceiling), hn::Mul(current, room));
    // Bounded, so that steps across several delta_t stay between no current and its limit.
    const F q =
        hn::Min(hn::Max(Fma(slope, inverse, Floats(0x1p-40f)), Floats(-1.0f)), Floats(2.0f));
    // No rise goes beyond the current's ceiling: there the polynomials would miss the kink.
    const F head = hn::Sub(Get(lanes_.current_ceiling, first), current);
    const F rise = hn::Min(hn::Mul(derivative, q), head);
    const F force1 = hn::Sub(rise, w_slope);
    const F bend = Fma(charge, force1, hn::Mul(rate, slope));
    const F square = hn::Mul(hn::Mul(hn::Sub(room, share), q), q);
    const F left = hn::Sub(head, rise);
    // The factor stands for the higher terms, of which a growing exponential has 3/4 q and more;
    // 5/4 fits the upstroke best.
    const F second = hn::Mul(derivative, Fma(bend, inverse, square));
    const F force2 = hn::Min(Fma(hn::Mul(Floats(1.25f), q), second, second), hn::Add(left, left));
    const F full = Fma(Get(lanes_.gain3_v, first), force2,
                       Fma(Get(lanes_.gain2_v, first), force1,
                           Fma(Get(lanes_.gain_v, first), current, outer_full)));
    return {full, slope, bend};
  }

  // w after a step in which the voltage was `mean` in the mean.
  HWY_INLINE F MoveW(F w, F mean, std::size_t first) const {
    return hn::Add(w, Fma(Get(lanes_.relax_w, first), w, hn::Mul(Get(lanes_.gain_w, first), mean)));
  }

  HWY_INLINE void Advance(std::uint32_t k, float scale) {
    for (std::size_t first = 0; first < kLanes; first += Width()) {
      const F drive = Fma(Get(lanes_.stimulus, first), Floats(scale), MoveNoise(k, first));
      if (HWY_LIKELY(!in_reset_[first / Width()])) {
        const F v = Get(v_, first), w = Get(w_, first);
        const Increment step = StepFrom(v, w, drive, first);
        const F end = hn::Add(v, step.full);
        if (HWY_LIKELY(hn::AllFalse(DF(), hn::Ge(end, Get(v_th_, first))))) {
          Put(v_, first, end);
          Put(w_, first, MoveW(w, Fma(Floats(0.5f), step.full, v), first));
          continue;
        }
      }
      AdvanceAcrossSpikes(k, drive, first);
    }
  }

  // What is left of v - v_r after a reset of so many steps.
  HWY_INLINE F ResetDecay(F steps) const {
    return Exp2(hn::Mul(Floats(schedule_.reset_log2), steps));
  }

  // Part of the step, at most `end`, after which the cubic has risen by `missing`; 0 if it already
  // has. Newton's method from the chord. Rubbish where the cubic does not get there.
  HWY_INLINE F Crossing(const Increment& step, F half_bend, F cubic, F missing, F risen,
                        F end) const {
    const F zero = Floats(0.0f);
    F x = hn::Min(hn::Mul(end, hn::Div(missing, risen)), end);
    for (int i = 0; i < 3; ++i) {
      const F value = hn::Mul(x, Fma(x, Fma(x, cubic, half_bend), step.slope));
      const F slope =
          Fma(x, Fma(hn::Mul(Floats(3.0f), x), cubic, hn::Add(half_bend, half_bend)), step.slope);
      const F next = hn::Sub(x, hn::Div(hn::Sub(value, missing), slope));
      x = hn::Min(hn::Max(hn::IfThenElse(hn::Gt(slope, zero), next, x), zero), end);
    }
    return hn::IfThenElse(hn::Gt(missing, zero), x, zero);
  }

  // A step for lanes of which some are in reset or fire. The others get the same bits as in
  // Advance. Lanes that start at or above the threshold (V_r >= V_th) fire at the end of the
  // refractory time, as the chip's comparator does.
  HWY_NOINLINE void AdvanceAcrossSpikes(std::uint32_t k, F drive, std::size_t first) {
    const DF d;
    const F zero = Floats(0.0f), half = Floats(0.5f), one = Floats(1.0f);
    const F before = Get(v_, first), w = Get(w_, first), v_r = Get(lanes_.v_r, first);
    const F refractory = Get(refractory_, first);
    const auto reset = hn::Gt(refractory, zero);
    const F held = hn::Min(refractory, one);  // Part of the step in reset, then the active part.
    const F active = hn::Sub(one, held);
    const F start = hn::IfThenElse(reset, Fma(hn::Sub(before, v_r), ResetDecay(held), v_r), before);
    const Increment step = StepFrom(start, w, drive, first);
    const F half_bend = hn::Mul(half, step.bend);
    const F cubic = hn::Sub(hn::Sub(step.full, step.slope), half_bend);
    const F part = hn::Mul(active, Fma(active, Fma(active, cubic, half_bend), step.slope));
    const F risen = hn::IfThenElse(reset, part, step.full);
    const F end = hn::Add(start, risen);
    const F mean =
        Fma(hn::Mul(half, held), hn::Sub(before, start), Fma(hn::Mul(half, active), risen, start));
    Put(v_, first, end);
    Put(w_, first, MoveW(w, mean, first));
    Put(refractory_, first, hn::Max(hn::Sub(refractory, one), zero));

    const F v_th = Get(v_th_, first);
    const auto fired = hn::And(hn::Ge(end, v_th), hn::Gt(active, zero));
    if (!hn::AllFalse(d, fired)) {
      const F missing = hn::Sub(v_th, start);
      const F up = Crossing(step, half_bend, cubic, missing, risen, active);
      const F after = hn::Sub(active, up);
      const F held_mean = hn::Mul(hn::Mul(half, held), hn::Add(before, start));
      Fire(first, fired, Fma(hn::Mul(half, up), hn::Add(start, v_th), held_mean), after, w);
      Note(k, first, fired, hn::Sub(one, after));
      MoveThreshold(first, fired);
    }
    in_reset_[first / Width()] = !hn::AllFalse(d, hn::Gt(Get(refractory_, first), zero));
  }

  // Resets lanes with `after` of the step left; `seen` is the integral of v until then.
  template <typename M>
  HWY_INLINE void Fire(std::size_t first, M fired, F seen, F after, F w) {
    const F v_r = Get(lanes_.v_r, first);
    const F top = hn::Mul(hn::Sub(Get(v_th_, first), v_r), Floats(schedule_.reset_from));
    const F end = Fma(top, ResetDecay(after), v_r);
    const F in_reset = hn::Mul(hn::Mul(Floats(0.5f), after), hn::Add(hn::Add(top, v_r), end));
    const F jump = Fma(hn::Mul(Get(lanes_.relax_w, first), after), Get(lanes_.b, first),
                       Get(lanes_.b, first));  // b decays as the rest of w does.
    const F w_end = hn::Add(MoveW(w, hn::Add(seen, in_reset), first), jump);
    const F left = hn::Max(hn::Sub(Floats(schedule_.refractory_steps), after), Floats(0.0f));
    Put(v_, first, hn::IfThenElse(fired, end, Get(v_, first)));
    Put(w_, first, hn::IfThenElse(fired, w_end, Get(w_, first)));
    Put(refractory_, first, hn::IfThenElse(fired, left, Get(refractory_, first)));
  }

  // Stores the spikes of lanes that fired `within` the step.
  template <typename M>
  HWY_INLINE void Note(std::uint32_t k, std::size_t first, M fired, F within) {
    if (k < schedule_.settle_steps) return;
    LaneFloats place, hit;
    Put(place, first, within);
    Put(hit, first, hn::IfThenElseZero(fired, Floats(1.0f)));
    for (std::size_t i = first; i < first + Width(); ++i) {
      if (hit.lane[i] == 0.0f) continue;
      const double step = static_cast<double>(k - schedule_.settle_steps);
      const double time_us = (step + static_cast<double>(place.lane[i])) * schedule_.step_us;
      std::uint32_t& count = output_.spike_count[i];
      if (time_us >= schedule_.duration_us || count >= output_.spike_capacity) continue;
      output_.spike_time_us[i][count++] = static_cast<float>(time_us);
    }
  }

  // Draws a new threshold for lanes that fired: its noise belongs to the spike.
  template <typename M>
  HWY_INLINE void MoveThreshold(std::size_t first, M fired) {
    if (schedule_.threshold_amplitude == 0.0f) return;
    const DU d;
    const U spike = Get(spike_, first);
    const WordBlock words = Draw(schedule_.threshold_key, spike, first);
    const F moved = Fma(Floats(schedule_.threshold_amplitude),
                        EightByteSum(words.word[0], words.word[1]), Get(lanes_.v_th, first));
    Put(v_th_, first, hn::IfThenElse(fired, moved, Get(v_th_, first)));
    const U next = hn::Add(spike, Words(1));
    hn::Store(hn::IfThenElse(hn::RebindMask(d, fired), next, spike), d, spike_.lane + first);
  }

  HWY_INLINE bool PointIn(std::uint32_t step) const {
    return point_ < schedule_.points && schedule_.point[point_].step == step;
  }

  HWY_INLINE void Record(std::uint32_t step) {
    const float scale = schedule_.scale[step];
    if (!schedule_.average && !PointIn(step)) return Advance(schedule_.settle_steps + step, scale);
    before_ = v_;
    Advance(schedule_.settle_steps + step, scale);
    if (schedule_.average) {
      Average(step);
    } else {
      Interpolate(step);
    }
  }

  // Counts of the voltage at a place between the step's ends.
  HWY_INLINE F CountsAt(float place, std::size_t first) const {
    const F before = Get(before_, first);
    const F v = Fma(Floats(place), hn::Sub(Get(v_, first), before), before);
    return Fma(Floats(schedule_.madc_gain), v, Get(lanes_.v_l_counts, first));
  }

  HWY_INLINE F Clip(F counts) const {
    return hn::Min(hn::Max(counts, Floats(schedule_.madc_min)), Floats(schedule_.madc_max));
  }

  // Stores the points that lie in this step, between the voltages before and after it.
  HWY_INLINE void Interpolate(std::uint32_t step) {
    for (; PointIn(step); ++point_) {
      const float place = schedule_.point[point_].fraction;
      for (std::size_t first = 0; first < kLanes; first += Width()) {
        Put(counts_, first, CountsAt(place, first));
      }
      Store(point_);
    }
  }

  // Adds this step to the means that it belongs to; the chip clips each sample.
  HWY_INLINE void Average(std::uint32_t step) {
    float from = 0.0f;
    for (; PointIn(step); ++point_) {
      const float until = schedule_.point[point_].fraction;
      AddSamples(from, until);
      Store(point_);
      counts_ = {};
      from = until;
    }
    if (point_ < schedule_.points) AddSamples(from, 1.0f);
  }

  HWY_INLINE void AddSamples(float from, float until) {
    const F weight = Floats((until - from) * schedule_.point[point_].weight);
    const float middle = 0.5f * (from + until);
    for (std::size_t first = 0; first < kLanes; first += Width()) {
      const F sum = Get(counts_, first);
      Put(counts_, first, Fma(weight, Clip(CountsAt(middle, first)), sum));
    }
  }

  // Adds the read-out's noise to counts_, clips, rounds.
  HWY_NOINLINE void Store(std::uint32_t point) {
    const F amplitude = Floats(schedule_.point[point].noise);
    for (std::size_t first = 0; first < kLanes; first += Width()) {
      if (point % 2 == 0) DrawReadout(point / 2, first);
      const F counts = Fma(amplitude, Get(readout_[point % 2], first), Get(counts_, first));
      const auto rounded = hn::ConvertTo(DI(), hn::Add(Clip(counts), Floats(0.5f)));
      hn::Store(rounded, DI(), tile_[point % kTilePoints] + first);
    }
    tile_end_ = point + 1;
    if (tile_end_ % kTilePoints == 0) WriteTile();
  }

  HWY_INLINE void DrawReadout(std::uint32_t pair, std::size_t first) {
    const WordBlock words = Draw(schedule_.readout_key, Words(pair), first);
    Put(readout_[0], first, EightByteSum(words.word[0], words.word[1]));
    Put(readout_[1], first, EightByteSum(words.word[2], words.word[3]));
  }

  // Transposes the gathered points into the traces.
  HWY_NOINLINE void WriteTile() {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      for (std::uint32_t point = tile_begin_; point < tile_end_; ++point) {
        output_.trace[lane][point] = static_cast<std::uint16_t>(tile_[point % kTilePoints][lane]);
      }
    }
    tile_begin_ = tile_end_;
  }

  const LaneCoefficients& lanes_;
  const KernelSchedule& schedule_;
  KernelOutput& output_;
  LaneFloats v_{};           // Relative to V_L, mV.
  LaneFloats w_{};           // nA
  LaneFloats noise_{};       // nA
  LaneFloats refractory_{};  // Steps of reset that are left.
  LaneFloats v_th_{};        // Of the next spike.
  LaneWords spike_{};        // Its number.
  LaneFloats draw_[kDrawSteps]{};
  LaneFloats before_{};      // Voltage at the begin of the step; where a point lies in it.
  LaneFloats counts_{};      // Of the point at hand.
  LaneFloats readout_[2]{};  // Noise of this point and the next.
  alignas(64) std::int32_t tile_[kTilePoints][kLanes]{};
  bool in_reset_[kLanes]{};       // Of each vector: a lane has reset left.
  std::uint32_t point_ = 0;       // Next point to store.
  std::uint32_t tile_begin_ = 0;  // Points that wait in the tile.
  std::uint32_t tile_end_ = 0;
};

void RunKernel(const LaneCoefficients& lanes, const KernelSchedule& schedule,
               KernelOutput& output) {
  Integrator(lanes, schedule, output).Run();
}

}  // namespace inferon::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // Toggle.
