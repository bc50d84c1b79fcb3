#include "common/tables/archive.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/tables/hdf5/hdf5_archive.h"
#include "common/tables/npy_writer.h"
#include "common/tables/npz.h"

namespace inferon {
namespace {

// A folder beside the file that goes away with the object.
class Beside {
 public:
  explicit Beside(const std::filesystem::path& path) : path_(path) {
    path_ += ".part";
    std::filesystem::remove_all(path_);
    std::filesystem::create_directory(path_);
  }
  ~Beside() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  std::filesystem::path File(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Texts as NumPy's fixed-width unicode; characters beyond ASCII become '?'.
void WriteTexts(const std::filesystem::path& path, const std::vector<std::string>& texts) {
  std::size_t width = 1;
  for (const std::string& text : texts) width = std::max(width, text.size());
  NpyWriter writer(path, fmt::format("<U{}", width), {});
  for (const std::string& text : texts) {
    std::vector<std::uint32_t> characters(width, 0);
    std::transform(text.begin(), text.end(), characters.begin(),
                   [](char c) { return c < 0 ? std::uint32_t{'?'} : static_cast<unsigned>(c); });
    writer.Append<std::uint32_t>(characters, 1);
  }
  writer.Close();
}

// NPY files in a folder beside the target; Close packs or moves them.
class NpyArchive : public ArrayArchive {
 public:
  NpyArchive(std::filesystem::path path, std::vector<ArraySpec> arrays)
      : path_(std::move(path)), specs_(std::move(arrays)), beside_(path_) {
    for (const ArraySpec& spec : specs_) {
      writers_.push_back(
          std::make_unique<NpyWriter>(beside_.File(spec.name + ".npy"), spec.type, spec.row_shape));
    }
  }
  Status Append(std::size_t array, std::string_view bytes, std::uint64_t rows) override {
    writers_[array]->Append<char>(bytes, rows);
    return {};
  }
  Status Close() override {
    for (const auto& writer : writers_) writer->Close();
    return path_.extension() == ".npz" ? Pack() : Move();
  }
  std::vector<std::filesystem::path> Files() const override { return files_; }

 private:
  Status Pack() {
    std::vector<std::pair<std::string, std::filesystem::path>> parts;
    for (const ArraySpec& spec : specs_) {
      parts.emplace_back(spec.name + ".npy", beside_.File(spec.name + ".npy"));
      for (const auto& [key, texts] : spec.texts) {
        const std::string name = spec.name + "_" + key + ".npy";
        WriteTexts(beside_.File(name), texts);
        parts.emplace_back(name, beside_.File(name));
      }
    }
    if (Status ok = WriteNpz(beside_.File("all.npz"), parts); !ok) return ok;
    std::filesystem::rename(beside_.File("all.npz"), path_);
    files_ = {path_};
    return {};
  }
  Status Move() {
    for (const ArraySpec& spec : specs_) {
      std::filesystem::path target = path_;
      target.replace_extension("." + spec.name + ".npy");
      std::filesystem::rename(beside_.File(spec.name + ".npy"), target);
      files_.push_back(target);
    }
    return {};
  }

  const std::filesystem::path path_;
  const std::vector<ArraySpec> specs_;
  const Beside beside_;
  std::vector<std::unique_ptr<NpyWriter>> writers_;
  std::vector<std::filesystem::path> files_;
};

}  // namespace

Result<std::unique_ptr<ArrayArchive>> CreateArchive(
    const std::filesystem::path& path, std::vector<ArraySpec> arrays,
    const std::map<std::string, std::string>& attributes) {
  const std::string ending = path.extension().string();
  if (ending == ".h5" || ending == ".hdf5") return CreateHdf5Archive(path, arrays, attributes);
  if (ending == ".npz" || ending == ".npy") {
    return std::make_unique<NpyArchive>(path, std::move(arrays));
  }
  return InvalidArgument(
      fmt::format("'{}' ends neither in .npz nor in .npy nor in .h5", path.string()),
      "Choose one of these formats by the file's ending");
}

}  // namespace inferon
