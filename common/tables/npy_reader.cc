#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>

#include "common/tables/table_reader.h"

namespace inferon {
namespace {

static_assert(std::endian::native == std::endian::little, "NPY data is copied as it is");

constexpr std::size_t kMaxHeader = 1 << 20;
constexpr std::size_t kMaxAxes = 8;

tl::unexpected<Error> Refuse(const std::string& name, const std::string& what,
                             const std::string& advice) {
  return InvalidArgument(fmt::format("{} {}", name, what), advice);
}

// What the header says.
struct Header {
  std::string type;
  bool fortran = false;
  std::vector<std::uint64_t> shape;
};

// Text between the quotes after a key of the header's dictionary; empty without it.
std::string_view After(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + key.size());
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return {};
  text.remove_prefix(colon + 1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

std::optional<Header> ParseHeader(std::string_view text) {
  Header header;
  std::string_view type = After(text, "'descr'");
  if (type.empty() || type.front() != '\'') return std::nullopt;
  type.remove_prefix(1);
  if (type.find('\'') == std::string_view::npos) return std::nullopt;
  header.type = std::string(type.substr(0, type.find('\'')));
  const std::string_view order = After(text, "'fortran_order'");
  if (!order.starts_with("True") && !order.starts_with("False")) return std::nullopt;
  header.fortran = order.starts_with("True");
  std::string_view shape = After(text, "'shape'");
  if (shape.empty() || shape.front() != '(') return std::nullopt;
  shape.remove_prefix(1);
  for (;;) {
    while (!shape.empty() && (shape.front() == ' ' || shape.front() == ',')) shape.remove_prefix(1);
    if (shape.empty()) return std::nullopt;
    if (shape.front() == ')') return header;
    std::uint64_t extent = 0;
    const auto [end, error] = std::from_chars(shape.data(), shape.data() + shape.size(), extent);
    if (error != std::errc() || header.shape.size() == kMaxAxes) return std::nullopt;
    header.shape.push_back(extent);
    shape.remove_prefix(static_cast<std::size_t>(end - shape.data()));
  }
}

class NpyReader : public TableReader {
 public:
  explicit NpyReader(const std::filesystem::path& path)
      : path_(path), name_(path.string()), stream_(path, std::ios::binary) {}

  Status Start(bool row) {
    auto text = ReadHeader();
    if (!text) return tl::unexpected(text.error());
    const auto header = ParseHeader(*text);
    if (!header) return Refuse(name_, "has a damaged NPY header", "Save it again with numpy.save");
    if (header->type != "<f4" && header->type != "<f8") {
      return Refuse(name_, fmt::format("holds elements of type '{}'", header->type),
                    "Save it as float32 or float64: numpy.save(file, array.astype('<f8'))");
    }
    if (header->fortran) {
      return Refuse(name_, "is in Fortran order",
                    "Save it in C order: numpy.save(file, numpy.ascontiguousarray(array))");
    }
    element_ = header->type == "<f4" ? 4 : 8;
    if (Status ok = TakeShape(header->shape, row); !ok) return ok;
    const std::uint64_t bytes = std::filesystem::file_size(path_) - data_offset_;
    if (bytes != rows_ * columns_ * element_) {
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("{} has {} bytes of data, its shape needs {}", name_, bytes,
                              rows_ * columns_ * element_),
                  "Save or copy it again");
    }
    return {};
  }

  std::uint64_t columns() const override { return columns_; }
  std::optional<std::uint64_t> rows() const override { return rows_; }
  const std::vector<std::string>& names() const override { return names_; }

  Result<std::uint64_t> Read(std::uint64_t most, std::vector<double>* values) override {
    const std::uint64_t rows = std::min(most, rows_ - read_);
    const std::uint64_t count = rows * columns_;
    buffer_.resize(count * element_);
    stream_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    if (static_cast<std::uint64_t>(stream_.gcount()) != buffer_.size()) {
      return Fail(ErrorCode::kDataLoss, fmt::format("{} ended while it was read", name_),
                  "Copy it again");
    }
    values->resize(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (element_ == 8) {
        std::memcpy(&(*values)[i], buffer_.data() + 8 * i, 8);
      } else {
        float value = 0;
        std::memcpy(&value, buffer_.data() + 4 * i, 4);
        (*values)[i] = value;
      }
    }
    read_ += rows;
    return rows;
  }

 private:
  // The header's dictionary; the stream then stands at the data.
  Result<std::string> ReadHeader() {
    const auto refuse = [&] {
      return Refuse(name_, "has a damaged NPY header", "Save it again with numpy.save");
    };
    unsigned char start[12] = {};
    stream_.read(reinterpret_cast<char*>(start), 8);
    if (!stream_ || start[6] < 1 || start[6] > 3) return refuse();
    const int length_bytes = start[6] == 1 ? 2 : 4;
    stream_.read(reinterpret_cast<char*>(start) + 8, length_bytes);
    std::size_t length = start[8] | std::size_t{start[9]} << 8;
    if (length_bytes == 4) length |= std::size_t{start[10]} << 16 | std::size_t{start[11]} << 24;
    if (!stream_ || length > kMaxHeader) return refuse();
    std::string text(length, '\0');
    stream_.read(text.data(), static_cast<std::streamsize>(length));
    if (!stream_) return refuse();
    data_offset_ = 8 + static_cast<std::uint64_t>(length_bytes) + length;
    return text;
  }

  Status TakeShape(const std::vector<std::uint64_t>& shape, bool row) {
    if (shape.size() == 1) {
      rows_ = row ? 1 : shape[0];
      columns_ = row ? shape[0] : 1;
    } else if (shape.size() == 2) {
      rows_ = shape[0];
      columns_ = shape[1];
    } else {
      return Refuse(name_, fmt::format("has {} axes", shape.size()),
                    "Give an array of rows and columns: array.reshape(len(array), -1)");
    }
    if (rows_ == 0 || columns_ == 0) return Refuse(name_, "is empty", "Give at least one row");
    if (rows_ > kMaxTableRows || columns_ > kMaxTableColumns) {
      return Refuse(name_, fmt::format("has {} rows and {} columns", rows_, columns_),
                    fmt::format("Give at most {} and {}", kMaxTableRows, kMaxTableColumns));
    }
    return {};
  }

  const std::filesystem::path path_;
  const std::string name_;
  std::ifstream stream_;
  std::uint64_t data_offset_ = 0;
  std::uint64_t element_ = 8;
  std::uint64_t rows_ = 0;
  std::uint64_t columns_ = 0;
  std::uint64_t read_ = 0;
  std::vector<std::string> names_;
  std::vector<char> buffer_;
};

}  // namespace

Result<std::unique_ptr<TableReader>> OpenNpy(const std::filesystem::path& path, bool row) {
  auto reader = std::make_unique<NpyReader>(path);
  if (Status ok = reader->Start(row); !ok) return tl::unexpected(ok.error());
  return reader;
}

}  // namespace inferon
