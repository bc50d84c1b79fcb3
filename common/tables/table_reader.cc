#include "common/tables/table_reader.h"

#include <fmt/format.h>

#include <array>
#include <fstream>

namespace inferon {

Result<std::unique_ptr<TableReader>> OpenTable(const std::filesystem::path& path, bool row) {
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed)) {
    return InvalidArgument(fmt::format("{} is a folder", path.string()), "Give a file");
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return Fail(ErrorCode::kNotFound, fmt::format("cannot read {}", path.string()),
                "Check the path and the file's permissions");
  }
  std::array<char, 6> magic{};
  stream.read(magic.data(), magic.size());
  const bool npy = stream.gcount() == 6 && std::string_view(magic.data(), 6) == "\x93NUMPY";
  return npy ? OpenNpy(path, row) : OpenCsv(path);
}

Result<Table2d> ReadTable(const std::filesystem::path& path, std::uint64_t max_rows, bool row) {
  constexpr std::uint64_t kBlock = 4096;
  auto reader = OpenTable(path, row);
  if (!reader) return tl::unexpected(reader.error());
  Table2d table{0, (*reader)->columns(), (*reader)->names(), {}};
  std::vector<double> block;
  for (;;) {
    const auto rows = (*reader)->Read(kBlock, &block);
    if (!rows) return tl::unexpected(rows.error());
    if (*rows == 0) return table;
    table.rows += *rows;
    if (table.rows > max_rows) {
      return InvalidArgument(fmt::format("{} has more than {} row{}", path.string(), max_rows,
                                         max_rows == 1 ? "" : "s"),
                             "Leave the others out");
    }
    table.values.insert(table.values.end(), block.begin(), block.end());
  }
}

}  // namespace inferon
