// Arrays on disk in NumPy's NPY format (version 1.0, little-endian, C order), written as a stream
// and read by mapping, so that a data set may be larger than memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "common/base/result.h"

namespace inferon::trainer {

// NumPy's name of an element type: "<u2", "<f4", ...
template <typename T>
constexpr std::string_view NpyType();
template <>
constexpr std::string_view NpyType<std::uint16_t>() {
  return "<u2";
}
template <>
constexpr std::string_view NpyType<std::uint32_t>() {
  return "<u4";
}
template <>
constexpr std::string_view NpyType<float>() {
  return "<f4";
}
template <>
constexpr std::string_view NpyType<double>() {
  return "<f8";
}

// Header of an array; always kNpyHeaderBytes long, so that it can be written last.
inline constexpr std::size_t kNpyHeaderBytes = 128;
std::string NpyHeader(std::string_view type, std::span<const std::uint64_t> shape);

// Appends rows to a file whose header is written by Finish. Throws std::system_error when the disk
// refuses. Not thread-safe.
class ArrayWriter {
 public:
  // Writes to `path` itself (replacing it); the owner renames it when all is there.
  ArrayWriter(const std::filesystem::path& path, std::string_view type);
  ~ArrayWriter();
  ArrayWriter(const ArrayWriter&) = delete;
  ArrayWriter& operator=(const ArrayWriter&) = delete;

  template <typename T>
  void Append(std::span<const T> values) {
    INFERON_CHECK(NpyType<T>() == type_);
    AppendBytes({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  // Writes the header and syncs the file. No Append after it.
  void Finish(std::span<const std::uint64_t> shape);

 private:
  void AppendBytes(std::string_view bytes);
  void Flush();

  const std::filesystem::path path_;
  const std::string type_;
  int fd_;
  std::string buffer_;
};

// An array file mapped into memory, read-only, for the life of the object.
class MappedFile {
 public:
  // kNotFound without the file, kDataLoss where it is not an NPY file of this element type or its
  // length does not fit its shape.
  static Result<std::shared_ptr<const MappedFile>> Open(const std::filesystem::path& path,
                                                        std::string_view type);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::vector<std::uint64_t>& shape() const { return shape_; }
  std::string_view bytes() const { return {data_ + kNpyHeaderBytes, size_ - kNpyHeaderBytes}; }

 private:
  MappedFile(const char* data, std::size_t size) : data_(data), size_(size) {}
  const char* data_;
  std::size_t size_;
  std::vector<std::uint64_t> shape_;
};

// Typed view of a mapped file; copies share the mapping.
template <typename T>
class MappedArray {
 public:
  static Result<MappedArray> Open(const std::filesystem::path& path) {
    auto file = MappedFile::Open(path, NpyType<T>());
    if (!file) return tl::unexpected(file.error());
    return MappedArray(std::move(*file));
  }
  std::uint64_t rows() const { return file_->shape().empty() ? 0 : file_->shape()[0]; }
  std::uint64_t columns() const { return file_->shape().size() < 2 ? 1 : file_->shape()[1]; }
  std::span<const T> values() const {
    const std::string_view bytes = file_->bytes();
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  std::span<const T> Row(std::uint64_t i) const {
    return values().subspan(i * columns(), columns());
  }
  const std::vector<std::uint64_t>& shape() const { return file_->shape(); }

 private:
  explicit MappedArray(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}
  std::shared_ptr<const MappedFile> file_;
};

// Lower-case hex SHA-256 of a file. Throws std::system_error where it cannot be read.
std::string HashFile(const std::filesystem::path& path);

// Writes a whole array atomically (beside it, synced, renamed).
void WriteArrayBytes(const std::filesystem::path& path, std::string_view type,
                     std::span<const std::uint64_t> shape, std::string_view bytes);
template <typename T>
void WriteArray(const std::filesystem::path& path, std::span<const T> values,
                std::vector<std::uint64_t> shape) {
  WriteArrayBytes(path, NpyType<T>(), shape,
                  {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

}  // namespace inferon::trainer
