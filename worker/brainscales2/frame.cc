#include "worker/brainscales2/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "common/base/check.h"

namespace inferon::worker {
namespace {

using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "frames are copied without swapping");

constexpr std::size_t kMaxArrays = 16;
constexpr std::size_t kMaxAxes = 4;
constexpr int kMaxDepth = 16;
constexpr std::array<std::string_view, 8> kTypes{"u1", "u2", "u4", "u8", "i4", "i8", "f4", "f8"};

auto Malformed(const std::string& what) {
  return Fail(ErrorCode::kDataLoss, "the child sent a malformed frame: " + what,
              "Use a worker and a child of the same version");
}

// 0 for an unknown type.
std::uint64_t ElementBytes(std::string_view dtype) {
  const bool known = std::find(kTypes.begin(), kTypes.end(), dtype) != kTypes.end();
  return known ? static_cast<std::uint64_t>(dtype[1] - '0') : 0;
}

// Bytes of an array; above kMaxWireBytes where that is too many.
std::uint64_t ArrayBytes(std::string_view dtype, std::span<const std::uint64_t> shape) {
  std::uint64_t bytes = ElementBytes(dtype);
  for (const std::uint64_t extent : shape) {
    if (extent != 0 && bytes > kMaxWireBytes / extent) return kMaxWireBytes + 1;
    bytes *= extent;
  }
  return bytes;
}

// Bounds the recursion of whoever walks the object.
bool TooDeep(const Json& json, int depth = 0) {
  if (!json.is_structured()) return false;
  if (depth >= kMaxDepth) return true;
  return std::any_of(json.begin(), json.end(),
                     [&](const Json& child) { return TooDeep(child, depth + 1); });
}

// Nesting of brackets outside strings, before anything is parsed.
bool NestedTooDeeply(std::string_view json) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// Reads one entry of "arrays"; false where it is malformed.
bool ReadEntry(const Json& entry, WireArray& array) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("name") ||
      !entry.contains("dtype") || !entry.contains("shape")) {
    return false;
  }
  const Json& shape = entry["shape"];
  if (!entry["name"].is_string() || !entry["dtype"].is_string() || !shape.is_array() ||
      shape.size() > kMaxAxes) {
    return false;
  }
  array.name = entry["name"].get<std::string>();
  array.dtype = entry["dtype"].get<std::string>();
  for (const Json& extent : shape) {
    if (!extent.is_number_unsigned()) return false;
    array.shape.push_back(extent.get<std::uint64_t>());
  }
  return ElementBytes(array.dtype) != 0;
}

Status ReadArrays(const Json& entries, std::string_view rest, std::vector<WireArray>& arrays) {
  if (!entries.is_array() || entries.size() > kMaxArrays) {
    return Malformed("its list of arrays is no list or too long");
  }
  for (const Json& entry : entries) {
    WireArray array;
    if (!ReadEntry(entry, array)) return Malformed("an array is described wrongly");
    const auto same = [&](const WireArray& other) { return other.name == array.name; };
    if (std::any_of(arrays.begin(), arrays.end(), same)) {
      return Malformed(fmt::format("it has two arrays '{}'", array.name));
    }
    const std::uint64_t bytes = ArrayBytes(array.dtype, array.shape);
    if (bytes > rest.size()) return Malformed(fmt::format("it ends inside '{}'", array.name));
    array.data = rest.substr(0, bytes);
    rest.remove_prefix(bytes);
    arrays.push_back(std::move(array));
  }
  if (!rest.empty()) return Malformed("it is longer than its header declares");
  return {};
}

template <typename T>
void AppendNumber(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

std::string EncodeWire(Json header, std::span<const WireArray> arrays) {
  INFERON_CHECK(header.is_object() && header.contains("type"));
  INFERON_CHECK(arrays.size() <= kMaxArrays);
  std::size_t bytes = 0;
  header["arrays"] = Json::array();
  for (const WireArray& array : arrays) {
    INFERON_CHECK(ElementBytes(array.dtype) != 0 &&
                  ArrayBytes(array.dtype, array.shape) == array.data.size());
    header["arrays"].push_back(
        {{"name", array.name}, {"dtype", array.dtype}, {"shape", array.shape}});
    bytes += array.data.size();
  }
  const std::string text = header.dump();
  const std::size_t length = sizeof(std::uint32_t) + text.size() + bytes;
  INFERON_CHECK(text.size() <= kMaxWireHeader && length <= kMaxWireBytes);
  std::string frame;
  frame.reserve(sizeof(std::uint32_t) + length);
  AppendNumber(frame, static_cast<std::uint32_t>(length));
  AppendNumber(frame, static_cast<std::uint32_t>(text.size()));
  frame += text;
  for (const WireArray& array : arrays) frame += array.data;
  return frame;
}

Result<WireFrame> DecodeWire(std::unique_ptr<char[]> bytes, std::size_t size) {
  std::uint32_t header_bytes = 0;
  if (size > kMaxWireBytes) return Malformed("it is longer than the limit");
  if (size < sizeof header_bytes) return Malformed("it ends inside its header's length");
  std::memcpy(&header_bytes, bytes.get(), sizeof header_bytes);
  std::string_view rest(bytes.get() + sizeof header_bytes, size - sizeof header_bytes);
  if (header_bytes > kMaxWireHeader || header_bytes > rest.size()) {
    return Malformed("its header is longer than the frame or the limit");
  }
  const std::string_view text = rest.substr(0, header_bytes);
  if (NestedTooDeeply(text)) return Malformed("its header is nested too deeply");
  WireFrame frame;
  frame.header = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!frame.header.is_object() || !frame.header.contains("type") ||
      !frame.header["type"].is_string() || TooDeep(frame.header)) {
    return Malformed("its header is not a JSON object with a type");
  }
  const Json entries = frame.header.value("arrays", Json::array());
  frame.header.erase("arrays");
  if (Status read = ReadArrays(entries, rest.substr(header_bytes), frame.arrays); !read) {
    return tl::unexpected(read.error());
  }
  frame.bytes = std::move(bytes);
  return frame;
}

template <typename T>
Result<std::vector<T>> TakeWireArray(const WireFrame& frame, std::string_view name) {
  const auto found = std::find_if(frame.arrays.begin(), frame.arrays.end(),
                                  [&](const WireArray& array) { return array.name == name; });
  if (found == frame.arrays.end() || found->dtype != WireType<T>() || found->shape.size() != 1) {
    return Malformed(fmt::format("it has no list '{}' of type {}", name, WireType<T>()));
  }
  std::vector<T> values(found->data.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), found->data.data(), found->data.size());
  return values;
}

template Result<std::vector<std::uint16_t>> TakeWireArray(const WireFrame&, std::string_view);
template Result<std::vector<std::uint32_t>> TakeWireArray(const WireFrame&, std::string_view);
template Result<std::vector<std::int32_t>> TakeWireArray(const WireFrame&, std::string_view);
template Result<std::vector<float>> TakeWireArray(const WireFrame&, std::string_view);

}  // namespace inferon::worker
