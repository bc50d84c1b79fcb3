#include "server/trainer/studies/array_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <system_error>

#include "common/base/files.h"
#include "common/base/hash.h"

namespace inferon::trainer {
namespace {

constexpr std::string_view kMagic{"\x93NUMPY\x01\x00", 8};
constexpr std::size_t kFlushBytes = 1 << 20;

[[noreturn]] void ThrowErrno(const char* what, const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(),
                          fmt::format("{} {}", what, path.string()));
}

void WriteAt(int fd, std::string_view bytes, off_t offset, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) ThrowErrno("cannot write", path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += n;
  }
}

tl::unexpected<Error> Damaged(const std::filesystem::path& path, const char* why) {
  return Fail(ErrorCode::kDataLoss, fmt::format("{} is damaged: {}", path.string(), why),
              "Restore the file or start a new study");
}

// Shape in a header of ours; false where the header is another's.
bool ParseHeader(std::string_view header, std::string_view type,
                 std::vector<std::uint64_t>& shape) {
  const std::string start =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (", type);
  if (!header.starts_with(kMagic) || header.substr(10, start.size()) != start) return false;
  const char* at = header.data() + 10 + start.size();
  const char* const end = header.data() + header.size();
  while (at < end && *at != ')') {
    std::uint64_t extent = 0;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc()) return false;
    shape.push_back(extent);
    at = next;
    while (at < end && (*at == ',' || *at == ' ')) ++at;
  }
  return at < end && shape.size() <= 4;
}

std::size_t ElementBytes(std::string_view type) {
  return static_cast<std::size_t>(type.back() - '0');
}

// Whether elements of this shape take exactly so many bytes.
bool Fits(std::span<const std::uint64_t> shape, std::size_t element, std::uint64_t bytes) {
  std::uint64_t expected = element;
  for (const std::uint64_t extent : shape) {
    if (__builtin_mul_overflow(expected, extent, &expected)) return false;
  }
  return expected == bytes;
}

}  // namespace

std::string NpyHeader(std::string_view type, std::span<const std::uint64_t> shape) {
  std::string extents;
  for (const std::uint64_t extent : shape) extents += fmt::format("{}, ", extent);
  if (shape.size() > 1) extents.resize(extents.size() - 2);
  if (shape.size() == 1) extents.resize(extents.size() - 1);
  std::string header(kMagic);
  header += static_cast<char>(kNpyHeaderBytes - 10);
  header += '\0';
  header +=
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, extents);
  INFERON_CHECK(header.size() < kNpyHeaderBytes);
  header.resize(kNpyHeaderBytes - 1, ' ');
  return header + '\n';
}

ArrayWriter::ArrayWriter(const std::filesystem::path& path, std::string_view type)
    : path_(path),
      type_(type),
      fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (fd_ < 0) ThrowErrno("cannot open", path);
  buffer_.reserve(kFlushBytes + kNpyHeaderBytes);
  buffer_.resize(kNpyHeaderBytes, ' ');
}

ArrayWriter::~ArrayWriter() { close(fd_); }

void ArrayWriter::AppendBytes(std::string_view bytes) {
  buffer_ += bytes;
  if (buffer_.size() >= kFlushBytes) Flush();
}

void ArrayWriter::Flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t n = write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) ThrowErrno("cannot write", path_);
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  buffer_.clear();
}

void ArrayWriter::Finish(std::span<const std::uint64_t> shape) {
  Flush();
  WriteAt(fd_, NpyHeader(type_, shape), 0, path_);
  if (fsync(fd_) != 0) ThrowErrno("cannot sync", path_);
}

Result<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::filesystem::path& path,
                                                           std::string_view type) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no file {}", path.string()),
                "Restore the file or start a new study");
  }
  if (fd < 0) ThrowErrno("cannot open", path);
  struct stat status {};
  const bool known = fstat(fd, &status) == 0;
  const auto size = static_cast<std::size_t>(known ? status.st_size : 0);
  if (size < kNpyHeaderBytes) {
    close(fd);
    return Damaged(path, "it is shorter than a header");
  }
  void* const data = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (data == MAP_FAILED) ThrowErrno("cannot map", path);
  std::shared_ptr<MappedFile> file(new MappedFile(static_cast<const char*>(data), size));
  if (!ParseHeader({file->data_, kNpyHeaderBytes}, type, file->shape_)) {
    return Damaged(path, "its header is not the expected one");
  }
  if (!Fits(file->shape_, ElementBytes(type), file->bytes().size())) {
    return Damaged(path, "its length does not fit its shape");
  }
  return file;
}

MappedFile::~MappedFile() { munmap(const_cast<char*>(data_), size_); }

std::string HashFile(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) ThrowErrno("cannot open", path);
  Sha256 hash;
  std::string buffer(kFlushBytes, '\0');
  while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())),
         stream.gcount() > 0) {
    hash.Update(std::string_view(buffer).substr(0, static_cast<std::size_t>(stream.gcount())));
  }
  return hash.Hex();
}

void WriteArrayBytes(const std::filesystem::path& path, std::string_view type,
                     std::span<const std::uint64_t> shape, std::string_view bytes) {
  std::string content = NpyHeader(type, shape);
  content += bytes;
  WriteFileAtomically(path, content);
}

}  // namespace inferon::trainer
