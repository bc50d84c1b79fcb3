#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/neuron/profile.h"
#include "worker/brainscales2/fake/fake_chip.h"
#include "worker/emulator/emulator.h"

namespace inferon::worker {
namespace {

constexpr double kCyclesPerSample = 34.0 / 8;
constexpr double kFineGridUs = 0.1;
constexpr double kMaxCounts = 1023;

// Adds the recording of one experiment, read off a finely emulated trace.
class Digitiser {
 public:
  Digitiser(std::int64_t duration_cycles, double offset)
      : times_(SampleTimes(duration_cycles)), offset_(offset) {
    for (const std::int32_t time : times_) {
      places_.push_back(static_cast<float>(std::max(0.0, time / kCyclesPerUs / kFineGridUs)));
    }
  }

  void Add(std::span<const std::uint16_t> trace, BatchReply& reply) const {
    const std::size_t last = trace.size() - 1;
    for (const float place : places_) {
      const auto at = std::min(static_cast<std::size_t>(place), last);
      const std::size_t next = std::min(at + 1, last);
      const double share = place - static_cast<double>(at);
      const double value = trace[at] + share * (trace[next] - trace[at]) + offset_;
      reply.sample_value.push_back(
          static_cast<std::uint16_t>(std::clamp(value + 0.5, 0.0, kMaxCounts)));
    }
    reply.sample_time.insert(reply.sample_time.end(), times_.begin(), times_.end());
    reply.sample_count.push_back(static_cast<std::uint32_t>(times_.size()));
  }

 private:
  const std::vector<std::int32_t> times_;
  const double offset_;
  std::vector<float> places_;  // On the fine grid.
};

class EmulatedChip : public FakeChip {
 public:
  EmulatedChip(const EmulatedChipOptions& options, Profile profile, ChipMapping mapping)
      : options_(options),
        profile_(std::move(profile)),
        mapping_(std::move(mapping)),
        emulator_(MakeEmulator({.threads = options.threads})) {}

  Result<BatchReply> Run(const OpenRequest& open, const BatchRequest& batch) override {
    Result<ParameterSets> sets = SetsOf(batch);
    if (!sets) return tl::unexpected(sets.error());
    RunRequest request{.profile = profile_,
                       .protocol = {.steps = {},
                                    .duration_us = batch.duration_cycles / kCyclesPerUs,
                                    .grid_step_us = kFineGridUs},
                       .device = {.chip = options_.chip, .neuron = open.neuron},
                       .seed = batch.seed,
                       .trials = std::max(1u, batch.trials),
                       .first_index = batch.first_index,
                       .count = static_cast<std::uint32_t>(batch.rows.size()),
                       .sets = std::move(*sets)};
    for (const auto& [on, off] : batch.steps_cycles) {
      request.protocol.steps.push_back(
          {on / kCyclesPerUs, off / kCyclesPerUs, StimulusScale(open)});
    }
    const auto observed = emulator_->Run(request, {});
    if (!observed) return tl::unexpected(observed.error());
    return Digitise(*observed, batch);
  }

 private:
  // Chip fields back to the profile's codes, one row a written set.
  Result<ParameterSets> SetsOf(const BatchRequest& batch) const {
    ParameterSets sets{.dimension = profile_.dimension()};
    const std::size_t columns = batch.fields.size();
    for (std::size_t row = 0; row * columns < batch.codes.size(); ++row) {
      for (const Parameter parameter : profile_.free) {
        const FieldMap& map = mapping_.parameters.at(std::string(ParameterName(parameter)));
        const auto found = std::find(batch.fields.begin(), batch.fields.end(), map.field);
        if (found == batch.fields.end()) {
          return InvalidArgument(fmt::format("the field {} is not set", map.field),
                                 "Use the profile and mapping of this fake chip");
        }
        const auto column = static_cast<std::size_t>(found - batch.fields.begin());
        const double code = (batch.codes[row * columns + column] - map.offset) / map.scale;
        sets.codes.push_back(static_cast<std::uint16_t>(std::lround(code)));
      }
    }
    return sets;
  }

  // Amplitude relative to the mapping's.
  double StimulusScale(const OpenRequest& open) const {
    const auto configured = mapping_.fixed.find("constant_current.i_offset");
    const auto asked = open.fixed.find("constant_current.i_offset");
    if (configured == mapping_.fixed.end() || asked == open.fixed.end()) return 1;
    const auto type = open.fixed.find("constant_current.type");
    const double sign = type != open.fixed.end() && type->second == 1 ? -1 : 1;
    return sign * asked->second / std::max(1, configured->second);
  }

  BatchReply Digitise(const ObservationBatch& observed, const BatchRequest& batch) {
    BatchReply reply{.experiments = static_cast<std::uint32_t>(observed.size())};
    const Digitiser digitiser(batch.duration_cycles,
                              options_.drift_counts * static_cast<double>(batches_++));
    reply.spike_count = observed.spike_count;
    for (std::size_t i = 0; i < observed.size(); ++i) digitiser.Add(observed.Trace(i), reply);
    for (const float us : observed.spike_time_us) {
      reply.spike_time.push_back(static_cast<std::int32_t>(std::lround(us * kCyclesPerUs)));
    }
    return reply;
  }

  const EmulatedChipOptions options_;
  const Profile profile_;
  const ChipMapping mapping_;
  const std::unique_ptr<Substrate> emulator_;
  std::uint64_t batches_ = 0;
};

class SyntheticChip : public FakeChip {
 public:
  Result<BatchReply> Run(const OpenRequest&, const BatchRequest& batch) override {
    if (batch.duration_cycles != duration_) {
      duration_ = batch.duration_cycles;
      times_ = SampleTimes(duration_);
      values_.clear();
      for (std::size_t i = 0; i < times_.size(); ++i) {
        values_.push_back(static_cast<std::uint16_t>(300 + i % 200));
      }
    }
    BatchReply reply{.experiments = static_cast<std::uint32_t>(batch.rows.size())};
    for (std::size_t i = 0; i < batch.rows.size(); ++i) {
      reply.sample_time.insert(reply.sample_time.end(), times_.begin(), times_.end());
      reply.sample_value.insert(reply.sample_value.end(), values_.begin(), values_.end());
      reply.sample_count.push_back(static_cast<std::uint32_t>(times_.size()));
      reply.spike_count.push_back(0);
    }
    return reply;
  }

 private:
  std::int64_t duration_ = -1;
  std::vector<std::int32_t> times_;
  std::vector<std::uint16_t> values_;
};

}  // namespace

std::vector<std::int32_t> SampleTimes(std::int64_t duration_cycles) {
  const double from = -2 * kCyclesPerUs,
               to = static_cast<double>(duration_cycles) + 5 * kCyclesPerUs;
  std::vector<std::int32_t> times;
  for (std::size_t i = 0;; ++i) {
    const double time = from + std::floor(static_cast<double>(i) * kCyclesPerSample);
    if (time >= to) return times;
    times.push_back(static_cast<std::int32_t>(time));
  }
}

Result<std::unique_ptr<FakeChip>> MakeEmulatedChip(const EmulatedChipOptions& options) {
  Result<Profile> profile = BuiltInProfile(options.profile);
  if (!profile) profile = LoadProfile(options.profile);
  if (!profile) return tl::unexpected(profile.error());
  Result<ChipMapping> mapping = FindChipMapping(options.mapping);
  if (!mapping) return tl::unexpected(mapping.error());
  if (Status ok = CheckProfile(*mapping, *profile); !ok) return tl::unexpected(ok.error());
  return std::make_unique<EmulatedChip>(options, std::move(*profile), std::move(*mapping));
}

std::unique_ptr<FakeChip> MakeSyntheticChip() { return std::make_unique<SyntheticChip>(); }

}  // namespace inferon::worker
