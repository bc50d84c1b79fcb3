#include "common/tables/hdf5/hdf5_archive.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <utility>

namespace inferon {
namespace {

constexpr hsize_t kChunkBytes = 1 << 16;

// An HDF5 object that is closed with this one.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t id() const { return id_; }
  bool good() const { return id_ >= 0; }
  // False where closing (which writes what is left) fails.
  bool Close() { return id_ < 0 || close_(std::exchange(id_, -1)) >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

hid_t TypeOf(const std::string& type) {
  if (type == "<u2") return H5T_STD_U16LE;
  if (type == "<u4") return H5T_STD_U32LE;
  if (type == "<f4") return H5T_IEEE_F32LE;
  return H5T_IEEE_F64LE;
}

bool PutTexts(hid_t object, const std::string& name, const std::vector<std::string>& texts,
              bool scalar) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.id(), H5T_VARIABLE);
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  const hsize_t count = texts.size();
  const Handle space(scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr),
                     H5Sclose);
  const Handle attribute(
      H5Acreate2(object, name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  return attribute.good() && H5Awrite(attribute.id(), type.id(), pointers.data()) >= 0;
}

// One growing dataset.
struct Array {
  Handle dataset;
  hid_t type;
  std::vector<hsize_t> shape;  // Its rows so far, then a row's shape.
};

class Hdf5Archive : public ArrayArchive {
 public:
  Hdf5Archive(std::filesystem::path path, std::filesystem::path part, Handle file)
      : path_(std::move(path)), part_(std::move(part)), file_(std::move(file)) {}
  ~Hdf5Archive() override {
    arrays_.clear();
    file_.Close();
    std::error_code ignored;
    std::filesystem::remove(part_, ignored);
  }

  Status Add(const ArraySpec& spec) {
    std::vector<hsize_t> shape{0}, most{H5S_UNLIMITED}, chunk{1};
    hsize_t bytes = static_cast<hsize_t>(spec.type.back() - '0');
    for (const std::uint64_t extent : spec.row_shape) {
      shape.push_back(extent);
      most.push_back(extent);
      chunk.push_back(extent);
      bytes *= extent;
    }
    chunk[0] = std::clamp<hsize_t>(kChunkBytes / std::max<hsize_t>(bytes, 1), 1, 65'536);
    const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), most.data()),
                       H5Sclose);
    const Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_chunk(list.id(), static_cast<int>(chunk.size()), chunk.data());
    const hid_t type = TypeOf(spec.type);
    Handle dataset(H5Dcreate2(file_.id(), spec.name.c_str(), type, space.id(), H5P_DEFAULT,
                              list.id(), H5P_DEFAULT),
                   H5Dclose);
    bool good = dataset.good();
    for (const auto& [key, texts] : spec.texts) {
      good = good && PutTexts(dataset.id(), key, texts, false);
    }
    if (!good) return Refused();
    arrays_.push_back({std::move(dataset), type, std::move(shape)});
    return {};
  }

  Status Describe(const std::map<std::string, std::string>& attributes) {
    for (const auto& [name, text] : attributes) {
      if (!PutTexts(file_.id(), name, {text}, true)) return Refused();
    }
    return {};
  }

  Status Append(std::size_t index, std::string_view bytes, std::uint64_t rows) override {
    if (rows == 0) return {};
    Array& array = arrays_[index];
    std::vector<hsize_t> start(array.shape.size(), 0), count = array.shape;
    start[0] = array.shape[0];
    count[0] = rows;
    array.shape[0] += rows;
    if (H5Dset_extent(array.dataset.id(), array.shape.data()) < 0) return Refused();
    const Handle space(H5Dget_space(array.dataset.id()), H5Sclose);
    H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr),
                        H5Sclose);
    const herr_t written = H5Dwrite(array.dataset.id(), array.type, memory.id(), space.id(),
                                    H5P_DEFAULT, bytes.data());
    return written < 0 ? Refused() : Status();
  }

  Status Close() override {
    bool good = true;
    for (Array& array : arrays_) good = array.dataset.Close() && good;
    if (!file_.Close() || !good) return Refused();
    std::filesystem::rename(part_, path_);
    return {};
  }

  std::vector<std::filesystem::path> Files() const override { return {path_}; }

 private:
  Status Refused() const {
    return Fail(ErrorCode::kFailedPrecondition, fmt::format("{} cannot be written", path_.string()),
                "Check the free space and the folder's permissions");
  }

  const std::filesystem::path path_, part_;
  Handle file_;
  std::vector<Array> arrays_;
};

}  // namespace

Result<std::unique_ptr<ArrayArchive>> CreateHdf5Archive(
    const std::filesystem::path& path, const std::vector<ArraySpec>& arrays,
    const std::map<std::string, std::string>& attributes) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // Errors are ours to tell.
  std::filesystem::path part = path;
  part += ".part";
  Handle file(H5Fcreate(part.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  if (!file.good()) {
    return Fail(ErrorCode::kFailedPrecondition, fmt::format("{} cannot be written", path.string()),
                "Check the folder and its permissions");
  }
  auto archive = std::make_unique<Hdf5Archive>(path, part, std::move(file));
  Status status = archive->Describe(attributes);
  for (const ArraySpec& spec : arrays) {
    if (status) status = archive->Add(spec);
  }
  if (!status) return tl::unexpected(status.error());
  return archive;
}

}  // namespace inferon
