#include "server/trainer/estimators/safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/base/files.h"

namespace inferon::estimators {
namespace {

static_assert(std::endian::native == std::endian::little, "bytes are copied as they lie in memory");

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = std::size_t{100} << 20;  // The format's own limit.
constexpr std::size_t kAlignment = 8;  // Of the first data byte, by padding the header.

tl::unexpected<Error> Damaged(const std::string& what) {
  return Fail(ErrorCode::kDataLoss, "the weights file is damaged: " + what,
              "restore it from a copy or train the model again");
}

std::optional<std::size_t> ElementBytes(const std::string& dtype) {
  static const std::map<std::string, std::size_t> kSizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"I16", 2}, {"U16", 2}, {"F16", 2}, {"BF16", 2},
      {"I32", 4},  {"U32", 4}, {"F32", 4}, {"F64", 8}, {"I64", 8}, {"U64", 8}};
  const auto found = kSizes.find(dtype);
  if (found == kSizes.end()) return std::nullopt;
  return found->second;
}

// Bytes of an array; nothing where the product overflows or a length is negative.
std::optional<std::size_t> ArrayBytes(const std::vector<std::int64_t>& shape, std::size_t element) {
  std::size_t bytes = element;
  for (const std::int64_t length : shape) {
    if (length < 0) return std::nullopt;
    const auto n = static_cast<std::size_t>(length);
    if (n != 0 && bytes > std::numeric_limits<std::size_t>::max() / n) return std::nullopt;
    bytes *= n;
  }
  return bytes;
}

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

template <typename T>
StoredTensor Stored(const char* dtype, std::vector<std::int64_t> shape, std::span<const T> values) {
  StoredTensor tensor{dtype, std::move(shape), std::string(values.size_bytes(), '\0')};
  if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
  return tensor;
}

template <typename T>
std::vector<T> Values(const StoredTensor& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

template <typename T>
Result<std::vector<T>> Line(const std::map<std::string, StoredTensor>& tensors,
                            const std::string& name, const char* dtype, std::int64_t expected) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return Damaged("tensor \"" + name + "\" is missing");
  const StoredTensor& tensor = found->second;
  if (tensor.dtype != dtype || tensor.shape.size() != 1 ||
      (expected >= 0 && tensor.shape[0] != expected)) {
    return Damaged("tensor \"" + name + "\" is " + tensor.dtype + ShapeText(tensor.shape) +
                   ", expected " + dtype + "[" +
                   (expected >= 0 ? std::to_string(expected) : std::string("n")) + "]");
  }
  return Values<T>(tensor);
}

// One entry of the header against the data section.
Result<std::pair<std::size_t, StoredTensor>> DecodeEntry(const std::string& name, const Json& entry,
                                                         std::string_view data) {
  StoredTensor tensor;
  std::vector<std::uint64_t> range;
  try {
    tensor.dtype = entry.at("dtype").get<std::string>();
    for (const Json& length : entry.at("shape")) {
      if (!length.is_number_unsigned()) return Damaged("shape of \"" + name + "\"");
      tensor.shape.push_back(length.get<std::int64_t>());
    }
    for (const Json& offset : entry.at("data_offsets")) {
      if (!offset.is_number_unsigned()) return Damaged("offsets of \"" + name + "\"");
      range.push_back(offset.get<std::uint64_t>());
    }
  } catch (const Json::exception&) {
    return Damaged("header entry of \"" + name + "\"");
  }
  const auto element = ElementBytes(tensor.dtype);
  if (!element) return Damaged("type \"" + tensor.dtype + "\" of \"" + name + "\" is unknown");
  if (range.size() != 2 || range[0] > range[1] || range[1] > data.size()) {
    return Damaged("offsets of \"" + name + "\" leave the file");
  }
  const auto bytes = ArrayBytes(tensor.shape, *element);
  if (!bytes || *bytes != range[1] - range[0]) {
    return Damaged("size of \"" + name + "\" does not fit its shape " + ShapeText(tensor.shape));
  }
  tensor.bytes = std::string(data.substr(range[0], range[1] - range[0]));
  return std::pair{static_cast<std::size_t>(range[0]), std::move(tensor)};
}

}  // namespace

void TensorFile::Put(const std::string& name, std::vector<std::int64_t> shape,
                     std::span<const float> values) {
  tensors[name] = Stored("F32", std::move(shape), values);
}

void TensorFile::Put(const std::string& name, std::span<const double> values) {
  tensors[name] = Stored("F64", {static_cast<std::int64_t>(values.size())}, values);
}

void TensorFile::Put(const std::string& name, std::span<const std::uint32_t> values) {
  tensors[name] = Stored("U32", {static_cast<std::int64_t>(values.size())}, values);
}

Result<std::vector<float>> TensorFile::Floats(const std::string& name,
                                              const std::vector<std::int64_t>& shape) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return Damaged("tensor \"" + name + "\" is missing");
  const StoredTensor& tensor = found->second;
  if (tensor.dtype != "F32" || tensor.shape != shape) {
    return Damaged("tensor \"" + name + "\" is " + tensor.dtype + ShapeText(tensor.shape) +
                   ", expected F32" + ShapeText(shape));
  }
  return Values<float>(tensor);
}

Result<std::vector<double>> TensorFile::Doubles(const std::string& name,
                                                std::int64_t expected) const {
  return Line<double>(tensors, name, "F64", expected);
}

Result<std::vector<std::uint32_t>> TensorFile::Words(const std::string& name,
                                                     std::int64_t expected) const {
  return Line<std::uint32_t>(tensors, name, "U32", expected);
}

std::string EncodeTensors(const TensorFile& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::size_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump();
  while ((kLengthBytes + text.size()) % kAlignment != 0) text += ' ';
  std::string bytes(kLengthBytes, '\0');
  const std::uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, kLengthBytes);
  bytes.reserve(kLengthBytes + text.size() + offset);
  bytes += text;
  for (const auto& [name, tensor] : file.tensors) bytes += tensor.bytes;
  return bytes;
}

Result<TensorFile> DecodeTensors(std::string_view bytes) {
  if (bytes.size() < kLengthBytes) return Damaged("it is shorter than its length field");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes || length > bytes.size() - kLengthBytes) {
    return Damaged("its header is longer than the file");
  }
  const std::string_view text = bytes.substr(kLengthBytes, length);
  const std::string_view data = bytes.substr(kLengthBytes + length);
  const Json header = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) return Damaged("its header is not a JSON object");
  TensorFile file;
  std::vector<std::pair<std::size_t, std::size_t>> ranges;  // Start and size of each tensor.
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) return Damaged("its metadata is not a JSON object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) return Damaged("metadata \"" + key + "\" is not a text");
        file.metadata[key] = value.get<std::string>();
      }
      continue;
    }
    auto decoded = DecodeEntry(name, entry, data);
    if (!decoded) return tl::unexpected(decoded.error());
    ranges.emplace_back(decoded->first, decoded->second.bytes.size());
    file.tensors[name] = std::move(decoded->second);
  }
  std::sort(ranges.begin(), ranges.end());
  std::size_t end = 0;
  for (const auto& [start, size] : ranges) {
    if (start != end) return Damaged("its tensors overlap or leave gaps");
    end = start + size;
  }
  if (end != data.size()) return Damaged("bytes follow the last tensor");
  return file;
}

Result<TensorFile> ReadTensors(const std::filesystem::path& path) {
  auto bytes = ReadFile(path);
  if (!bytes) {
    return Fail(ErrorCode::kDataLoss, "cannot read the weights file: " + bytes.error().message,
                "restore the model's folder from a copy or train the model again");
  }
  auto file = DecodeTensors(*bytes);
  if (!file) {
    Error error = file.error();
    error.message += " (" + path.string() + ")";
    return tl::unexpected(std::move(error));
  }
  return file;
}

}  // namespace inferon::estimators
