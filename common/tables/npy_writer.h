// Arrays in NumPy's NPY files (format version 1.0), written row by row.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace inferon {

// A file of shape [rows, row_shape...]; the number of rows is known when it is closed.
// Little-endian, C order. Failures of the disk throw std::ios_base::failure or std::system_error.
class NpyWriter {
 public:
  // `type` is NumPy's: "<u2", "<f4", "<f8", "<u8". The file is replaced.
  NpyWriter(const std::filesystem::path& path, std::string type,
            std::vector<std::uint64_t> row_shape);

  // Appends the bytes of whole rows.
  template <typename T>
  void Append(std::span<const T> values, std::uint64_t rows) {
    Write(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    rows_ += rows;
  }
  // Writes the final shape. Nothing is appended afterwards.
  void Close();

 private:
  void Write(const char* bytes, std::size_t size);
  std::string Header() const;

  std::ofstream stream_;
  const std::string type_;
  const std::vector<std::uint64_t> row_shape_;
  std::uint64_t rows_ = 0;
};

}  // namespace inferon
