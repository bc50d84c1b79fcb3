#include "common/tables/npy_writer.h"

#include <fmt/format.h>

#include <utility>

namespace inferon {
namespace {

// Magic, version, header length and header; the data begins at a multiple of 64 (format
// description in numpy.lib.format).
constexpr std::size_t kDataOffset = 256;
constexpr std::size_t kPrefix = 10;

}  // namespace

NpyWriter::NpyWriter(const std::filesystem::path& path, std::string type,
                     std::vector<std::uint64_t> row_shape)
    : type_(std::move(type)), row_shape_(std::move(row_shape)) {
  stream_.exceptions(std::ios::failbit | std::ios::badbit);
  stream_.open(path, std::ios::binary | std::ios::trunc);
  const std::string header = Header();
  Write(header.data(), header.size());
}

void NpyWriter::Close() {
  const std::string header = Header();
  stream_.seekp(0);
  Write(header.data(), header.size());
  stream_.close();
}

void NpyWriter::Write(const char* bytes, std::size_t size) {
  stream_.write(bytes, static_cast<std::streamsize>(size));
}

std::string NpyWriter::Header() const {
  std::string shape = std::to_string(rows_) + ",";
  for (const std::uint64_t extent : row_shape_) shape += fmt::format(" {},", extent);
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type_, shape);
  text.resize(kDataOffset - kPrefix - 1, ' ');
  const auto length = static_cast<std::uint16_t>(text.size() + 1);
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(length & 0xFFu);
  header += static_cast<char>(length >> 8);
  return header + text + "\n";
}

}  // namespace inferon
