// Frames between the worker and its child: bytes <-> header and arrays. The other side is
// child/bss2_wire.py.
//
// u32 length (of all that follows), u32 header length, a UTF-8 JSON object, then the arrays that
// its key "arrays" lists (name, dtype, shape) without gaps; all numbers little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace inferon::worker {

inline constexpr int kWireProtocol = 1;
inline constexpr std::size_t kMaxWireBytes = std::size_t{256} << 20;  // Value of the length word.
inline constexpr std::size_t kMaxWireHeader = std::size_t{1} << 20;

struct WireArray {
  std::string name;
  std::string dtype;  // "u1" "u2" "u4" "u8" "i4" "i8" "f4" "f8"
  std::vector<std::uint64_t> shape;
  std::string_view data;  // Exactly the elements.
};

// A decoded frame; the arrays point into its bytes.
struct WireFrame {
  nlohmann::json header;  // An object with a string "type"; without "arrays".
  std::vector<WireArray> arrays;
  std::unique_ptr<char[]> bytes;

  std::string Type() const { return header.at("type").get<std::string>(); }
};

template <typename T>
constexpr std::string_view WireType() {
  if constexpr (std::is_same_v<T, std::uint16_t>) return "u2";
  if constexpr (std::is_same_v<T, std::uint32_t>) return "u4";
  if constexpr (std::is_same_v<T, std::int32_t>) return "i4";
  if constexpr (std::is_same_v<T, float>) return "f4";
}

template <typename T>
WireArray MakeWireArray(std::string name, std::span<const T> values,
                        std::vector<std::uint64_t> shape) {
  return {std::move(name),
          std::string(WireType<T>()),
          std::move(shape),
          {reinterpret_cast<const char*>(values.data()), values.size_bytes()}};
}

// The whole frame, length word included. A header without "type", an array whose data do not fit
// its shape, or a frame beyond the limit is a bug.
std::string EncodeWire(nlohmann::json header, std::span<const WireArray> arrays = {});

// A frame without its length word. kDataLoss for anything malformed.
Result<WireFrame> DecodeWire(std::unique_ptr<char[]> bytes, std::size_t size);

// The elements of an array, copied. kDataLoss unless it is there with this type and one axis.
template <typename T>
Result<std::vector<T>> TakeWireArray(const WireFrame& frame, std::string_view name);

}  // namespace inferon::worker
