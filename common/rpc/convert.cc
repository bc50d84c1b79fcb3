#include "common/rpc/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace inferon::rpc {
namespace {

constexpr int kMaxAxes = 4;
constexpr std::size_t kMaxArrayBytes = std::size_t{64} << 20;

std::size_t ElementBytes(const std::string& dtype) {
  static constexpr std::array<const char*, 8> kKnown{"u1", "u2", "u4", "u8",
                                                     "i4", "i8", "f4", "f8"};
  for (const char* known : kKnown) {
    if (dtype == known) return static_cast<std::size_t>(dtype[1] - '0');
  }
  return 0;
}

bool IsChipName(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace

Status CheckArray(const v1::Array& array, const std::string& dtype, int axes) {
  const std::string name = array.name().empty() ? "array" : fmt::format("array '{}'", array.name());
  if (array.dtype() != dtype) {
    return InvalidArgument(fmt::format("{} has dtype '{}', not '{}'", name, array.dtype(), dtype),
                           "Send little-endian elements of that type");
  }
  if (array.shape_size() != axes || axes > kMaxAxes) {
    return InvalidArgument(fmt::format("{} has {} axes, not {}", name, array.shape_size(), axes));
  }
  if (array.data().size() > kMaxArrayBytes) {
    return InvalidArgument(fmt::format("{} has {} bytes, more than the limit of {}", name,
                                       array.data().size(), kMaxArrayBytes),
                           "Split it into several requests");
  }
  std::size_t elements = 1;
  for (const std::uint64_t extent : array.shape()) {
    if (extent > kMaxArrayBytes || (extent != 0 && elements > kMaxArrayBytes / extent)) {
      return InvalidArgument(fmt::format("{} has a shape beyond the limit", name));
    }
    elements *= extent;
  }
  if (elements * ElementBytes(dtype) != array.data().size()) {
    return InvalidArgument(fmt::format("{} has {} bytes, its shape wants {}", name,
                                       array.data().size(), elements * ElementBytes(dtype)));
  }
  return {};
}

v1::Protocol ToProto(const Protocol& protocol) {
  v1::Protocol result;
  for (const CurrentStep& step : protocol.steps) {
    v1::CurrentStep* out = result.add_steps();
    out->set_start_us(step.start_us);
    out->set_stop_us(step.stop_us);
    out->set_scale(step.scale);
  }
  result.set_duration_us(protocol.duration_us);
  result.set_grid_step_us(protocol.grid_step_us);
  return result;
}

Result<Protocol> FromProto(const v1::Protocol& message, const std::function<Protocol()>& unset) {
  if (message.steps_size() == 0 && message.duration_us() == 0 && message.grid_step_us() == 0) {
    return unset();
  }
  const bool whole = message.duration_us() != 0 && message.grid_step_us() != 0;
  Protocol protocol = whole ? Protocol() : unset();
  protocol.steps.clear();
  for (const v1::CurrentStep& step : message.steps()) {
    protocol.steps.push_back({step.start_us(), step.stop_us(), step.scale()});
  }
  if (message.duration_us() != 0) protocol.duration_us = message.duration_us();
  if (message.grid_step_us() != 0) protocol.grid_step_us = message.grid_step_us();
  if (Status ok = ValidateProtocol(protocol); !ok) return tl::unexpected(ok.error());
  return protocol;
}

v1::Device ToProto(const DeviceId& device) {
  v1::Device result;
  result.set_chip(device.chip);
  result.set_neuron(device.neuron);
  result.set_run(device.run);
  return result;
}

Result<DeviceId> FromProto(const v1::Device& message) {
  DeviceId device;
  if (!message.chip().empty()) device.chip = message.chip();
  device.neuron = message.neuron();
  device.run = message.run();
  if (!IsChipName(device.chip)) {
    return InvalidArgument("the chip's name is malformed",
                           "Use 1 to 64 letters, digits, dots, underscores and hyphens");
  }
  if (device.neuron > kMaxNeuron) {
    return InvalidArgument(fmt::format("there is no neuron {}", device.neuron),
                           fmt::format("Choose one of 0..{}", kMaxNeuron));
  }
  if (device.run > kMaxRun) {
    return InvalidArgument(fmt::format("run {} is too large", device.run),
                           fmt::format("Choose one of 0..{}", kMaxRun));
  }
  return device;
}

v1::Observation ToProto(const Observation& observation, const Protocol& protocol) {
  v1::Observation result;
  *result.mutable_trace() = ToArray<float>("trace", observation.trace, {observation.trace.size()});
  *result.mutable_spike_times() =
      ToArray<float>("spike_times", observation.spike_time_us, {observation.spike_time_us.size()});
  *result.mutable_protocol() = ToProto(protocol);
  return result;
}

Result<ObservationWithProtocol> FromProto(const v1::Observation& message) {
  auto protocol = FromProto(message.protocol());
  if (!protocol) return tl::unexpected(protocol.error());
  auto trace = FromArray<float>(message.trace(), 1);
  if (!trace) return tl::unexpected(trace.error());
  std::vector<float> spikes;
  if (message.has_spike_times()) {
    auto times = FromArray<float>(message.spike_times(), 1);
    if (!times) return tl::unexpected(times.error());
    spikes = std::move(*times);
  }
  if (trace->size() != protocol->Points()) {
    return InvalidArgument(
        fmt::format("the trace has {} points, its protocol has {}", trace->size(),
                    protocol->Points()),
        "Resample it to the protocol's grid (the command line does it for CSV recordings)");
  }
  for (std::size_t i = 0; i < trace->size(); ++i) {
    if (!((*trace)[i] >= 0 && (*trace)[i] <= 1023)) {
      return InvalidArgument(
          fmt::format("point {} of the trace is {}, not a count of 0..1023", i, (*trace)[i]),
          "Map the recording to MADC counts and leave out missing samples");
    }
  }
  for (std::size_t i = 0; i < spikes.size(); ++i) {
    const bool inside = spikes[i] >= 0 && spikes[i] <= static_cast<float>(protocol->duration_us);
    if (!inside || (i > 0 && spikes[i] < spikes[i - 1])) {
      return InvalidArgument(fmt::format("spike {} at {} us is not inside the recording or not in "
                                         "order",
                                         i, spikes[i]),
                             "Give ascending times in us from the start of the recording");
    }
  }
  return ObservationWithProtocol{{std::move(*trace), std::move(spikes)}, std::move(*protocol)};
}

v1::Array ToProto(const ParameterSets& sets) {
  return ToArray<std::uint16_t>("parameter_sets", sets.codes, {sets.size(), sets.dimension});
}

Result<ParameterSets> ParameterSetsFromProto(const v1::Array& array) {
  auto codes = FromArray<std::uint16_t>(array, 2);
  if (!codes) return tl::unexpected(codes.error());
  ParameterSets sets{static_cast<std::size_t>(array.shape(1)), std::move(*codes)};
  for (std::size_t i = 0; i < sets.codes.size(); ++i) {
    if (sets.codes[i] > kMaxCode) {
      return InvalidArgument(
          fmt::format("code {} in row {}, column {} is outside 0..{}", sets.codes[i],
                      i / sets.dimension, i % sets.dimension, kMaxCode),
          "1023 switches a cell off and is refused; correct that row");
    }
  }
  return sets;
}

google::protobuf::Timestamp ToProto(WallTime time) {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch());
  google::protobuf::Timestamp stamp;
  stamp.set_seconds(ns.count() / 1'000'000'000);
  stamp.set_nanos(static_cast<int>(ns.count() % 1'000'000'000));
  return stamp;
}

WallTime FromProto(const google::protobuf::Timestamp& stamp) {
  const auto ns = std::chrono::seconds(stamp.seconds()) + std::chrono::nanoseconds(stamp.nanos());
  return WallTime(std::chrono::duration_cast<WallTime::duration>(ns));
}

bool IsIdentifier(std::string_view text) {
  const auto letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= 63 && letter_or_digit(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter_or_digit(c) || c == '-'; });
}

Result<std::string> ParseName(const std::string& name, const std::string& prefix) {
  const std::string start = prefix + "/";
  const std::string id = name.rfind(start, 0) == 0 ? name.substr(start.size()) : "";
  if (!IsIdentifier(id)) {
    return InvalidArgument(
        fmt::format("'{}' is not a name of the form {}/ID", name, prefix),
        "An ID has 1 to 63 lower-case letters, digits and hyphens and starts with no hyphen");
  }
  return id;
}

}  // namespace inferon::rpc
