#include "common/tables/npz.h"

#include <fmt/format.h>

#include <fstream>

#include "common/base/hash.h"

namespace inferon {
namespace {

constexpr std::size_t kBlock = 1 << 20;
constexpr std::uint16_t kVersion = 20;
constexpr std::uint16_t kDate = (2020 - 1980) << 9 | 1 << 5 | 1;  // Fixed: the same bytes again.

void Put(std::string& to, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> 8 * i & 0xFF);
}

struct Entry {
  std::string name;
  std::uint32_t crc = 0, size = 0, offset = 0;

  // The fields that a file's own header and the directory share.
  void PutCommon(std::string& to) const {
    Put(to, kVersion, 2);
    Put(to, 0, 2);  // Flags.
    Put(to, 0, 2);  // Stored.
    Put(to, 0, 2);  // Time.
    Put(to, kDate, 2);
    Put(to, crc, 4);
    Put(to, size, 4);
    Put(to, size, 4);
    Put(to, static_cast<std::uint32_t>(name.size()), 2);
    Put(to, 0, 2);  // Extra field.
  }
};

std::string LocalHeader(const Entry& entry) {
  std::string header = "PK\x03\x04";
  entry.PutCommon(header);
  return header + entry.name;
}

std::string DirectoryHeader(const Entry& entry) {
  std::string header = "PK\x01\x02";
  Put(header, kVersion, 2);
  entry.PutCommon(header);
  Put(header, 0, 2);  // Comment.
  Put(header, 0, 2);  // Disk.
  Put(header, 0, 2);  // Internal attributes.
  Put(header, 0, 4);  // External attributes.
  Put(header, entry.offset, 4);
  return header + entry.name;
}

// Copies a file; returns its CRC-32.
std::uint32_t Copy(const std::filesystem::path& from, std::ofstream& to) {
  std::ifstream in(from, std::ios::binary);
  in.exceptions(std::ios::badbit);
  std::string block(kBlock, '\0');
  std::uint32_t crc = 0;
  while (in.read(block.data(), static_cast<std::streamsize>(kBlock)), in.gcount() > 0) {
    const std::string_view part(block.data(), static_cast<std::size_t>(in.gcount()));
    crc = Crc32(part, crc);
    to.write(part.data(), static_cast<std::streamsize>(part.size()));
  }
  return crc;
}

}  // namespace

Status WriteNpz(const std::filesystem::path& path,
                const std::vector<std::pair<std::string, std::filesystem::path>>& files) {
  std::uint64_t total = 0;
  for (const auto& [name, file] : files) total += std::filesystem::file_size(file) + 256;
  if (total > kMaxNpzBytes) {
    return InvalidArgument(fmt::format("{} bytes are too many for one NPZ file", total),
                           "Export as NPY, one file an array");
  }
  std::ofstream out;
  out.exceptions(std::ios::failbit | std::ios::badbit);
  out.open(path, std::ios::binary | std::ios::trunc);
  std::string directory;
  for (const auto& [name, file] : files) {
    Entry entry{name, 0, static_cast<std::uint32_t>(std::filesystem::file_size(file)),
                static_cast<std::uint32_t>(out.tellp())};
    const std::string placeholder = LocalHeader(entry);
    out.write(placeholder.data(), static_cast<std::streamsize>(placeholder.size()));
    entry.crc = Copy(file, out);
    const auto end = out.tellp();
    const std::string header = LocalHeader(entry);
    out.seekp(entry.offset);
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    out.seekp(end);
    directory += DirectoryHeader(entry);
  }
  const auto at = static_cast<std::uint32_t>(out.tellp());
  std::string end = "PK\x05\x06";
  Put(end, 0, 4);
  Put(end, static_cast<std::uint32_t>(files.size()), 2);
  Put(end, static_cast<std::uint32_t>(files.size()), 2);
  Put(end, static_cast<std::uint32_t>(directory.size()), 4);
  Put(end, at, 4);
  Put(end, 0, 2);
  directory += end;
  out.write(directory.data(), static_cast<std::streamsize>(directory.size()));
  out.close();
  return {};
}

}  // namespace inferon
