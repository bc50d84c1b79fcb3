// Files of the commands as the engine's blocks and back.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/inference/engine.h"
#include "common/priors/prior.h"
#include "common/tables/table_reader.h"

namespace inferon::commands {

// Theta and x side by side. A header of the theta file that names the prior's parameters may have
// them in any order.
class PairReader {
 public:
  // kInvalidArgument where the two files do not fit each other or the prior.
  static Result<PairReader> Open(const std::filesystem::path& theta, const std::filesystem::path& x,
                                 const Prior& prior);
  std::uint64_t columns() const { return x_->columns(); }
  const std::vector<std::string>& x_names() const { return x_->names(); }
  std::uint64_t rows_read() const { return rows_; }
  // The next block; empty at the end.
  Result<DataSetRows> Next();

 private:
  PairReader(std::unique_ptr<TableReader> theta, std::unique_ptr<TableReader> x,
             std::vector<std::size_t> order)
      : theta_(std::move(theta)), x_(std::move(x)), order_(std::move(order)) {}

  std::unique_ptr<TableReader> theta_, x_;
  std::vector<std::size_t> order_;  // Column of the file for each parameter.
  std::uint64_t rows_ = 0;
};

// For each parameter its column in a table with these column names (none: the prior's order).
// kInvalidArgument names what is missing, unknown or twice; `file` is for messages.
Result<std::vector<std::size_t>> OrderOfColumns(const Prior& prior,
                                                const std::vector<std::string>& names,
                                                std::uint64_t columns, const std::string& file);

// One observation: a row, or a column.
Result<std::vector<float>> ReadObservation(const std::filesystem::path& path);
// Parameter sets as rows in the prior's order.
Result<std::vector<double>> ReadTheta(const std::filesystem::path& path, const Prior& prior,
                                      std::uint64_t most);

// By the file's ending; kInvalidArgument for any but .csv and .npy.
Status CheckTablePath(const std::filesystem::path& path);
Status WriteTable(const std::filesystem::path& path, const std::vector<std::string>& names,
                  std::span<const double> values);

}  // namespace inferon::commands
