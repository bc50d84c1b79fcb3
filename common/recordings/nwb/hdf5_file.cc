#include "common/recordings/nwb/hdf5_file.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

#include "common/base/check.h"

namespace inferon::nwb {
namespace {

// An identifier of the library, closed with its object.
template <herr_t (*Close)(hid_t)>
class Id {
 public:
  explicit Id(hid_t id) : id_(id) {}
  Id(Id&& other) noexcept : id_(other.id_) { other.id_ = -1; }
  Id& operator=(Id&&) = delete;
  ~Id() {
    if (id_ >= 0) Close(id_);
  }
  operator hid_t() const { return id_; }  // NOLINT: the library takes hid_t.
  bool ok() const { return id_ >= 0; }

 private:
  hid_t id_;
};

using FileId = Id<H5Fclose>;
using ObjectHandle = Id<H5Oclose>;
using DatasetId = Id<H5Dclose>;
using AttributeId = Id<H5Aclose>;
using TypeId = Id<H5Tclose>;
using SpaceId = Id<H5Sclose>;
using ListId = Id<H5Pclose>;

auto Damaged(const std::string& what) {
  return Fail(ErrorCode::kDataLoss, what,
              "The file is damaged or cut short: copy it again from where it came");
}

std::string FixedText(const char* bytes, std::size_t size) {
  std::string text(bytes, strnlen(bytes, size));
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

// Strings of an attribute or dataset through its reading function.
template <typename Read>
std::vector<std::string> ReadTexts(const TypeId& type, const SpaceId& space, Read read) {
  std::vector<std::string> texts;
  if (!type.ok() || !space.ok() || H5Tget_class(type) != H5T_STRING) return texts;
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (count < 1 || count > 1000) return texts;
  const auto n = static_cast<std::size_t>(count);
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> pointers(n, nullptr);
    const TypeId memory(H5Tcopy(H5T_C_S1));
    H5Tset_size(memory, H5T_VARIABLE);
    H5Tset_cset(memory, H5Tget_cset(type));
    if (read(static_cast<hid_t>(memory), pointers.data()) < 0) return texts;
    for (char* pointer : pointers) {
      if (pointer != nullptr)
        texts.emplace_back(pointer, strnlen(pointer, kMaxTextBytes));
      else
        texts.emplace_back();
    }
    H5Dvlen_reclaim(memory, space, H5P_DEFAULT, pointers.data());
    return texts;
  }
  const std::size_t size = H5Tget_size(type);
  if (size == 0 || size > kMaxTextBytes) return texts;
  std::string bytes(n * size, '\0');
  const TypeId memory(H5Tcopy(type));
  if (read(static_cast<hid_t>(memory), bytes.data()) < 0) return texts;
  for (std::size_t i = 0; i < n; ++i) texts.push_back(FixedText(bytes.data() + i * size, size));
  return texts;
}

bool IsNumber(const TypeId& type) {
  const H5T_class_t kind = H5Tget_class(type);
  return kind == H5T_INTEGER || kind == H5T_FLOAT;
}

// Why numbers cannot be read: a compression that this library cannot undo, else damage.
Status WhyUnreadable(const DatasetId& dataset, const std::string& name) {
  const ListId list(H5Dget_create_plist(dataset));
  for (int i = 0; i < H5Pget_nfilters(list); ++i) {
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    std::array<char, 64> filter{};
    const H5Z_filter_t id = H5Pget_filter2(list, static_cast<unsigned>(i), &flags, &values, nullptr,
                                           filter.size(), filter.data(), &config);
    if (id < 0 || H5Zfilter_avail(id) > 0) continue;
    return InvalidArgument(
        fmt::format("{} is compressed by the filter {} ({}), which the HDF5 library here lacks",
                    name, static_cast<int>(id), FixedText(filter.data(), filter.size())),
        "Repack the file with gzip where that filter is known: h5repack -f GZIP=4 IN OUT");
  }
  return Damaged(fmt::format("the numbers of {} cannot be read", name));
}

// Chunks and external files: what reading a few numbers could cost or open.
Status CheckStorage(const DatasetId& dataset, const std::string& name) {
  const ListId list(H5Dget_create_plist(dataset));
  if (!list.ok()) return Damaged(fmt::format("{} cannot be read", name));
  if (H5Pget_external_count(list) > 0 || H5Pget_layout(list) == H5D_VIRTUAL) {
    return InvalidArgument(fmt::format("{} keeps its numbers in another file", name),
                           "Repack the file with h5repack so that it holds its data itself");
  }
  if (H5Pget_layout(list) != H5D_CHUNKED) return {};
  std::array<hsize_t, H5S_MAX_RANK> chunk{};
  const int rank = H5Pget_chunk(list, H5S_MAX_RANK, chunk.data());
  const TypeId type(H5Dget_type(dataset));
  double bytes = static_cast<double>(H5Tget_size(type));
  for (int i = 0; i < rank; ++i) bytes *= static_cast<double>(chunk[static_cast<std::size_t>(i)]);
  if (rank < 1 || bytes > static_cast<double>(kMaxChunkBytes)) {
    return InvalidArgument(fmt::format("{} is stored in chunks of {:.4g} bytes, more than {}", name,
                                       bytes, kMaxChunkBytes),
                           "Repack the file with h5repack with smaller chunks");
  }
  return {};
}

}  // namespace

struct Hdf5File::Handle {
  FileId file;
};

bool LooksLikeHdf5(const std::filesystem::path& path) {
  static constexpr std::string_view kSignature{"\x89HDF\r\n\x1a\n", 8};
  std::ifstream file(path, std::ios::binary);
  for (std::streamoff at = 0; at <= 4096; at = at == 0 ? 512 : 2 * at) {
    std::array<char, 8> bytes{};
    file.seekg(at);
    if (!file.read(bytes.data(), bytes.size())) return false;
    if (std::string_view(bytes.data(), bytes.size()) == kSignature) return true;
  }
  return false;
}

Hdf5File::Hdf5File(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File::~Hdf5File() = default;

Result<Hdf5File> Hdf5File::Open(const std::filesystem::path& path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // Errors are told by return values only.
  if (!std::filesystem::exists(path)) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no file {}", path.string()),
                "Give the path of a recording");
  }
  FileId file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  if (!file.ok()) {
    return Damaged(fmt::format("{} is no readable HDF5 file", path.string()));
  }
  return Hdf5File(std::unique_ptr<Handle>(new Handle{std::move(file)}));
}

bool Hdf5File::Exists(const std::string& path) const {
  if (path == "/") return true;
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    if (H5Lexists(handle_->file, path.substr(0, at).c_str(), H5P_DEFAULT) <= 0) return false;
    if (at == std::string::npos) break;
  }
  return H5Oexists_by_name(handle_->file, path.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> Hdf5File::Children(const std::string& group) const {
  std::vector<std::string> names;
  if (!Exists(group)) return names;
  const ObjectHandle object(H5Oopen(handle_->file, group.c_str(), H5P_DEFAULT));
  if (!object.ok() || H5Iget_type(object) != H5I_GROUP) return names;
  H5Literate(
      object, H5_INDEX_NAME, H5_ITER_INC, nullptr,
      [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
        auto& list = *static_cast<std::vector<std::string>*>(out);
        list.emplace_back(name);
        return list.size() < kMaxChildren ? 0 : 1;
      },
      &names);
  return names;
}

std::optional<std::string> Hdf5File::TextAttribute(const std::string& object,
                                                   const std::string& name) const {
  if (!Exists(object) ||
      H5Aexists_by_name(handle_->file, object.c_str(), name.c_str(), H5P_DEFAULT) <= 0) {
    return std::nullopt;
  }
  const AttributeId attribute(
      H5Aopen_by_name(handle_->file, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT));
  if (!attribute.ok()) return std::nullopt;
  const std::vector<std::string> texts =
      ReadTexts(TypeId(H5Aget_type(attribute)), SpaceId(H5Aget_space(attribute)),
                [&](hid_t type, void* out) { return H5Aread(attribute, type, out); });
  if (texts.empty()) return std::nullopt;
  return texts.front();
}

std::optional<double> Hdf5File::NumberAttribute(const std::string& object,
                                                const std::string& name) const {
  if (!Exists(object) ||
      H5Aexists_by_name(handle_->file, object.c_str(), name.c_str(), H5P_DEFAULT) <= 0) {
    return std::nullopt;
  }
  const AttributeId attribute(
      H5Aopen_by_name(handle_->file, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT));
  if (!attribute.ok()) return std::nullopt;
  const TypeId type(H5Aget_type(attribute));
  const SpaceId space(H5Aget_space(attribute));
  double value = 0;
  if (!type.ok() || !space.ok() || !IsNumber(type) || H5Sget_simple_extent_npoints(space) != 1 ||
      H5Aread(attribute, H5T_NATIVE_DOUBLE, &value) < 0) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> Hdf5File::Number(const std::string& dataset) const {
  if (!Exists(dataset)) return std::nullopt;
  const DatasetId data(H5Dopen2(handle_->file, dataset.c_str(), H5P_DEFAULT));
  if (!data.ok()) return std::nullopt;
  const TypeId type(H5Dget_type(data));
  const SpaceId space(H5Dget_space(data));
  double value = 0;
  if (!type.ok() || !space.ok() || !IsNumber(type) || H5Sget_simple_extent_npoints(space) != 1 ||
      !CheckStorage(data, dataset) ||
      H5Dread(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value) < 0) {
    return std::nullopt;
  }
  return value;
}

std::vector<std::string> Hdf5File::Texts(const std::string& dataset) const {
  if (!Exists(dataset)) return {};
  const DatasetId data(H5Dopen2(handle_->file, dataset.c_str(), H5P_DEFAULT));
  if (!data.ok() || !CheckStorage(data, dataset)) return {};
  return ReadTexts(TypeId(H5Dget_type(data)), SpaceId(H5Dget_space(data)),
                   [&](hid_t type, void* out) {
                     return H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
                   });
}

std::optional<std::uint64_t> Hdf5File::ObjectId(const std::string& path) const {
  if (!Exists(path)) return std::nullopt;
  H5O_info_t info{};
  if (H5Oget_info_by_name2(handle_->file, path.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) {
    return std::nullopt;
  }
  return info.addr;
}

std::vector<std::optional<std::uint64_t>> Hdf5File::SeriesReferences(
    const std::string& dataset) const {
  static constexpr const char* kMember = "timeseries";
  if (!Exists(dataset)) return {};
  const DatasetId data(H5Dopen2(handle_->file, dataset.c_str(), H5P_DEFAULT));
  if (!data.ok() || !CheckStorage(data, dataset)) return {};
  const TypeId type(H5Dget_type(data));
  const SpaceId space(H5Dget_space(data));
  if (!type.ok() || !space.ok() || H5Tget_class(type) != H5T_COMPOUND) return {};
  const int member = H5Tget_member_index(type, kMember);
  if (member < 0 || H5Tget_member_class(type, static_cast<unsigned>(member)) != H5T_REFERENCE) {
    return {};
  }
  const hssize_t rows = H5Sget_simple_extent_npoints(space);
  if (rows < 1 || rows > static_cast<hssize_t>(kMaxChildren)) return {};
  std::vector<hobj_ref_t> references(static_cast<std::size_t>(rows));
  const TypeId memory(H5Tcreate(H5T_COMPOUND, sizeof(hobj_ref_t)));
  if (H5Tinsert(memory, kMember, 0, H5T_STD_REF_OBJ) < 0 ||
      H5Dread(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, references.data()) < 0) {
    return {};
  }
  std::vector<std::optional<std::uint64_t>> ids;
  for (const hobj_ref_t& reference : references) {
    const ObjectHandle object(H5Rdereference2(data, H5P_DEFAULT, H5R_OBJECT, &reference));
    H5O_info_t info{};
    const bool there = object.ok() && H5Oget_info2(object, &info, H5O_INFO_BASIC) >= 0;
    ids.push_back(there ? std::optional<std::uint64_t>(info.addr) : std::nullopt);
  }
  return ids;
}

Result<std::size_t> Hdf5File::Length(const std::string& dataset) const {
  if (!Exists(dataset)) {
    return InvalidArgument(fmt::format("{} is missing", dataset), "Choose another sweep");
  }
  const DatasetId data(H5Dopen2(handle_->file, dataset.c_str(), H5P_DEFAULT));
  if (!data.ok()) return Damaged(fmt::format("{} cannot be opened", dataset));
  const TypeId type(H5Dget_type(data));
  const SpaceId space(H5Dget_space(data));
  if (!type.ok() || !space.ok()) return Damaged(fmt::format("{} cannot be read", dataset));
  if (!IsNumber(type)) {
    return InvalidArgument(fmt::format("{} does not hold numbers", dataset),
                           "Choose another sweep");
  }
  std::array<hsize_t, H5S_MAX_RANK> shape{};
  const int rank = H5Sget_simple_extent_dims(space, shape.data(), nullptr);
  if (rank == 1 || (rank == 2 && shape[1] == 1)) return static_cast<std::size_t>(shape[0]);
  return InvalidArgument(fmt::format("{} has {} dimensions instead of one", dataset, rank),
                         "Choose another sweep");
}

Result<std::vector<double>> Hdf5File::Numbers(const std::string& dataset, std::size_t count) const {
  const Result<std::size_t> length = Length(dataset);
  if (!length) return tl::unexpected(length.error());
  INFERON_CHECK(count <= *length);
  const DatasetId data(H5Dopen2(handle_->file, dataset.c_str(), H5P_DEFAULT));
  if (Status storage = CheckStorage(data, dataset); !storage) {
    return tl::unexpected(storage.error());
  }
  std::vector<double> numbers(count);
  if (count == 0) return numbers;
  const SpaceId file_space(H5Dget_space(data));
  const std::array<hsize_t, 2> start{0, 0}, block{count, 1};
  const hsize_t size = count;
  const SpaceId memory_space(H5Screate_simple(1, &size, nullptr));
  if (H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, block.data(),
                          nullptr) < 0 ||
      H5Dread(data, H5T_NATIVE_DOUBLE, memory_space, file_space, H5P_DEFAULT, numbers.data()) < 0) {
    return tl::unexpected(WhyUnreadable(data, dataset).error());
  }
  return numbers;
}

}  // namespace inferon::nwb
