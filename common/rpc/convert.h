// Wire types to domain types and back, one converter each. Every From… refuses what the API's
// documentation forbids.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/neuron/device.h"
#include "common/neuron/observation.h"
#include "common/neuron/parameters.h"
#include "common/neuron/protocol.h"
#include "inferon/v1/types.pb.h"

namespace inferon::rpc {

// dtype of an element type: "u1", "u2", "u4", "u8", "i4", "i8", "f4", "f8".
template <typename T>
constexpr const char* DtypeOf();
template <>
constexpr const char* DtypeOf<std::uint8_t>() {
  return "u1";
}
template <>
constexpr const char* DtypeOf<std::uint16_t>() {
  return "u2";
}
template <>
constexpr const char* DtypeOf<std::uint32_t>() {
  return "u4";
}
template <>
constexpr const char* DtypeOf<std::uint64_t>() {
  return "u8";
}
template <>
constexpr const char* DtypeOf<std::int32_t>() {
  return "i4";
}
template <>
constexpr const char* DtypeOf<std::int64_t>() {
  return "i8";
}
template <>
constexpr const char* DtypeOf<float>() {
  return "f4";
}
template <>
constexpr const char* DtypeOf<double>() {
  return "f8";
}

template <typename T>
v1::Array ToArray(const std::string& name, std::span<const T> values,
                  std::vector<std::uint64_t> shape) {
  v1::Array array;
  array.set_name(name);
  array.set_dtype(DtypeOf<T>());
  for (const std::uint64_t extent : shape) array.add_shape(extent);
  array.set_data(values.data(), values.size_bytes());
  return array;
}

// Checks dtype, number of axes, and that shape and bytes fit.
Status CheckArray(const v1::Array& array, const std::string& dtype, int axes);

template <typename T>
Result<std::vector<T>> FromArray(const v1::Array& array, int axes) {
  if (Status ok = CheckArray(array, DtypeOf<T>(), axes); !ok) return tl::unexpected(ok.error());
  std::vector<T> values(array.data().size() / sizeof(T));
  std::copy_n(array.data().data(), array.data().size(), reinterpret_cast<char*>(values.data()));
  return values;
}

v1::Protocol ToProto(const Protocol& protocol);
// An empty message gives unset(), so do an unset duration and an unset grid step. It is asked only
// where it is needed: of a profile it means that its text is parsed.
Result<Protocol> FromProto(const v1::Protocol& protocol, const std::function<Protocol()>& unset);
inline Result<Protocol> FromProto(const v1::Protocol& protocol) {
  return FromProto(protocol, [] { return Protocol(); });
}

v1::Device ToProto(const DeviceId& device);
Result<DeviceId> FromProto(const v1::Device& device);  // An empty chip gives "emulated-0".

v1::Observation ToProto(const Observation& observation, const Protocol& protocol);
struct ObservationWithProtocol {
  Observation observation;
  Protocol protocol;
};
// Refuses NaN, counts outside 0..1023, a wrong number of points, spikes not ascending or outside
// the recording.
Result<ObservationWithProtocol> FromProto(const v1::Observation& observation);

v1::Array ToProto(const ParameterSets& sets);
// Refuses codes outside 0..1022, naming row and column.
Result<ParameterSets> ParameterSetsFromProto(const v1::Array& array);

google::protobuf::Timestamp ToProto(WallTime time);
WallTime FromProto(const google::protobuf::Timestamp& time);

// Identifiers: [a-z0-9][a-z0-9-]{0,62}.
bool IsIdentifier(std::string_view text);
// "studies/{id}" with prefix "studies" gives id.
Result<std::string> ParseName(const std::string& name, const std::string& prefix);

}  // namespace inferon::rpc
