// Tables of numbers in files, read a block of rows at a time: CSV, and NPY (NumPy's format,
// versions 1 to 3) with little-endian float32 or float64 in C order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace inferon {

inline constexpr std::uint64_t kMaxTableColumns = 1'000'000;
inline constexpr std::uint64_t kMaxTableRows = 4'000'000'000;
inline constexpr std::size_t kMaxCsvLine = std::size_t{16} << 20;

// Not thread-safe.
class TableReader {
 public:
  virtual ~TableReader() = default;
  virtual std::uint64_t columns() const = 0;  // At least 1.
  // Known before the end for NPY only.
  virtual std::optional<std::uint64_t> rows() const = 0;
  // The CSV's header; empty where there is none.
  virtual const std::vector<std::string>& names() const = 0;
  // Replaces `values` by the next rows, `most` at most; 0 rows at the end. Errors name the place:
  // kInvalidArgument for a malformed line or number, kDataLoss for a file that ends early.
  virtual Result<std::uint64_t> Read(std::uint64_t most, std::vector<double>* values) = 0;
};

// By content: NPY files begin with their magic bytes, anything else is CSV. kNotFound without the
// file. An NPY array of one axis is one column, or one row where `row` is set.
Result<std::unique_ptr<TableReader>> OpenTable(const std::filesystem::path& path, bool row = false);

// A whole table; kInvalidArgument beyond max_rows.
struct Table2d {
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  std::vector<std::string> names;
  std::vector<double> values;  // [rows, columns]
};
Result<Table2d> ReadTable(const std::filesystem::path& path, std::uint64_t max_rows,
                          bool row = false);

// CSV: numbers separated by commas, one row a line; a first line that holds a name is the header;
// empty lines and lines that begin with # are left out; "nan" and "inf" are numbers, an empty cell
// is nan.
Result<std::unique_ptr<TableReader>> OpenCsv(const std::filesystem::path& path);
Result<std::unique_ptr<TableReader>> OpenNpy(const std::filesystem::path& path, bool row);

}  // namespace inferon
