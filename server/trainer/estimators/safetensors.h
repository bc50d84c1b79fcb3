// Reader and writer of the safetensors format (version 0.x): an 8-byte little-endian header length,
// a JSON header that names dtype, shape and byte range of each tensor, then the bytes. Every other
// language reads it, and nothing in it is executed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace inferon::estimators {

// One array; bytes are little-endian and row-major.
struct StoredTensor {
  std::string dtype;  // "F32", "F64", "U32", ...
  std::vector<std::int64_t> shape;
  std::string bytes;
};

// What a file holds, by name.
class TensorFile {
 public:
  std::map<std::string, std::string> metadata;
  std::map<std::string, StoredTensor> tensors;

  void Put(const std::string& name, std::vector<std::int64_t> shape, std::span<const float> values);
  void Put(const std::string& name, std::span<const double> values);
  void Put(const std::string& name, std::span<const std::uint32_t> values);

  // kDataLoss when the tensor is absent or its type or shape differs.
  Result<std::vector<float>> Floats(const std::string& name,
                                    const std::vector<std::int64_t>& shape) const;
  // One-dimensional arrays; count of any size where expected is negative.
  Result<std::vector<double>> Doubles(const std::string& name, std::int64_t expected = -1) const;
  Result<std::vector<std::uint32_t>> Words(const std::string& name,
                                           std::int64_t expected = -1) const;
};

std::string EncodeTensors(const TensorFile& file);
// kDataLoss for anything that is not a whole, consistent file: truncated, overlapping or
// out-of-range data, sizes that disagree with shapes, unknown types, trailing bytes.
Result<TensorFile> DecodeTensors(std::string_view bytes);

// As above from a path; an absent file is kDataLoss too, since a model names it.
Result<TensorFile> ReadTensors(const std::filesystem::path& path);

}  // namespace inferon::estimators
