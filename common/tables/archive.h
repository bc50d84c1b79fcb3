// Several arrays in one file (or one file each), written row by row.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace inferon {

// One array; its number of rows is known when the archive is closed.
struct ArraySpec {
  std::string name;
  std::string type;                      // NumPy's: "<u2", "<u4", "<f4" or "<f8".
  std::vector<std::uint64_t> row_shape;  // Of one row; empty: numbers.
  // Texts that belong to it, for example "names" and "units" of its columns. HDF5: attributes of
  // the array. NPZ: arrays of their own, "theta_names". NPY: left out.
  std::map<std::string, std::vector<std::string>> texts = {};
};

// Not thread-safe. Nothing appears under the file's name before Close; what is unfinished goes away
// with the object. Failures of the disk: kFailedPrecondition, std::ios_base::failure or
// std::system_error.
class ArrayArchive {
 public:
  virtual ~ArrayArchive() = default;
  // Appends whole rows to the array of this index.
  virtual Status Append(std::size_t array, std::string_view bytes, std::uint64_t rows) = 0;
  virtual Status Close() = 0;
  // What was written, once it is closed.
  virtual std::vector<std::filesystem::path> Files() const = 0;
};

// By the path's ending: .npz, .h5 or .hdf5, or .npy (NAME.<array>.npy for each array).
// kInvalidArgument for another. `attributes` describe the whole; HDF5 only.
Result<std::unique_ptr<ArrayArchive>> CreateArchive(
    const std::filesystem::path& path, std::vector<ArraySpec> arrays,
    const std::map<std::string, std::string>& attributes);

template <typename T>
std::string_view BytesOf(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace inferon
