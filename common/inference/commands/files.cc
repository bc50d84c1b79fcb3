#include "common/inference/commands/files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "common/base/files.h"
#include "common/tables/npy_writer.h"

namespace inferon::commands {
namespace {

constexpr std::uint64_t kBlockValues = 1 << 18;  // Values of x in a block.
constexpr std::uint64_t kMostBlockRows = 8192;

std::vector<float> Narrow(const std::vector<double>& values) {
  return {values.begin(), values.end()};  // Beyond float32 becomes infinite, which is refused.
}

}  // namespace

Result<std::vector<std::size_t>> OrderOfColumns(const Prior& prior,
                                                const std::vector<std::string>& names,
                                                std::uint64_t columns, const std::string& file) {
  const std::size_t d = prior.dimension();
  if (columns != d) {
    return InvalidArgument(
        fmt::format("{} has {} columns, the prior has {} parameters", file, columns, d),
        fmt::format("Give one column each for {}", fmt::join(prior.Names(), ", ")));
  }
  std::vector<std::size_t> order;
  for (std::size_t j = 0; j < d; ++j) {
    if (names.empty()) {
      order.push_back(j);
      continue;
    }
    const auto& name = prior.parameters[j].name;
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      return InvalidArgument(fmt::format("{} has no column '{}'", file, name),
                             fmt::format("Its first line must name {}, or leave it out",
                                         fmt::join(prior.Names(), ", ")));
    }
    order.push_back(static_cast<std::size_t>(found - names.begin()));
  }
  return order;
}

Result<PairReader> PairReader::Open(const std::filesystem::path& theta,
                                    const std::filesystem::path& x, const Prior& prior) {
  auto theta_reader = OpenTable(theta);
  if (!theta_reader) return tl::unexpected(theta_reader.error());
  auto x_reader = OpenTable(x);
  if (!x_reader) return tl::unexpected(x_reader.error());
  auto order =
      OrderOfColumns(prior, (*theta_reader)->names(), (*theta_reader)->columns(), theta.string());
  if (!order) return tl::unexpected(order.error());
  const auto theta_rows = (*theta_reader)->rows(), x_rows = (*x_reader)->rows();
  if (theta_rows && x_rows && *theta_rows != *x_rows) {
    return InvalidArgument(fmt::format("theta has {} rows and x has {}", *theta_rows, *x_rows),
                           "Give one row of x for each row of theta");
  }
  return PairReader(std::move(*theta_reader), std::move(*x_reader), std::move(*order));
}

Result<DataSetRows> PairReader::Next() {
  const std::uint64_t most =
      std::clamp<std::uint64_t>(kBlockValues / x_->columns(), 1, kMostBlockRows);
  std::vector<double> theta, x;
  const auto theta_rows = theta_->Read(most, &theta);
  if (!theta_rows) return tl::unexpected(theta_rows.error());
  const auto x_rows = x_->Read(most, &x);
  if (!x_rows) return tl::unexpected(x_rows.error());
  if (*theta_rows != *x_rows) {
    return InvalidArgument(
        fmt::format("{} has more rows than {}: it goes on after row {}",
                    *theta_rows > *x_rows ? "theta" : "x", *theta_rows > *x_rows ? "x" : "theta",
                    rows_ + std::min(*theta_rows, *x_rows)),
        "Give one row of x for each row of theta");
  }
  rows_ += *theta_rows;
  const std::size_t d = order_.size();
  DataSetRows rows{std::vector<double>(theta.size()), Narrow(x)};
  for (std::size_t i = 0; i < *theta_rows; ++i) {
    for (std::size_t j = 0; j < d; ++j) rows.theta[i * d + j] = theta[i * d + order_[j]];
  }
  return rows;
}

Result<std::vector<float>> ReadObservation(const std::filesystem::path& path) {
  // A file of one column with many rows is one observation too.
  const auto table = ReadTable(path, kMaxTableColumns, /*row=*/true);
  if (!table) return tl::unexpected(table.error());
  if (table->rows != 1 && table->columns != 1) {
    return InvalidArgument(
        fmt::format("{} has {} rows and {} columns", path.string(), table->rows, table->columns),
        "Give one observation: one row, or one column");
  }
  return Narrow(table->values);
}

Result<std::vector<double>> ReadTheta(const std::filesystem::path& path, const Prior& prior,
                                      std::uint64_t most) {
  const auto table = ReadTable(path, most, /*row=*/prior.dimension() > 1);
  if (!table) return tl::unexpected(table.error());
  const auto order = OrderOfColumns(prior, table->names, table->columns, path.string());
  if (!order) return tl::unexpected(order.error());
  const std::size_t d = order->size();
  std::vector<double> theta(table->values.size());
  for (std::size_t i = 0; i < theta.size(); ++i) {
    theta[i] = table->values[i / d * d + (*order)[i % d]];
  }
  return theta;
}

Status CheckTablePath(const std::filesystem::path& path) {
  if (path.extension() == ".csv" || path.extension() == ".npy") return {};
  return InvalidArgument("'" + path.string() + "' ends neither in .csv nor in .npy",
                         "Choose one of these two formats by the file's ending");
}

Status WriteTable(const std::filesystem::path& path, const std::vector<std::string>& names,
                  std::span<const double> values) {
  if (Status ok = CheckTablePath(path); !ok) return ok;
  const std::size_t columns = names.size(), rows = values.size() / columns;
  if (path.extension() == ".npy") {
    NpyWriter writer(path, "<f8", {columns});
    writer.Append<double>(values, rows);
    writer.Close();
    return {};
  }
  std::string text = fmt::format("{}\n", fmt::join(names, ","));
  for (std::size_t i = 0; i < rows; ++i) {
    text += fmt::format("{}\n", fmt::join(values.subspan(i * columns, columns), ","));
  }
  WriteFileAtomically(path, text);
  return {};
}

}  // namespace inferon::commands
