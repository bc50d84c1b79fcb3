// Reading of HDF5 files, with limits: what a damaged or hostile file claims is checked before
// memory is taken. The only place that knows the HDF5 library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace inferon::nwb {

// Most children of a group, and longest text, that are looked at.
inline constexpr std::size_t kMaxChildren = 100'000;
inline constexpr std::size_t kMaxTextBytes = 4096;
// Largest chunk of a dataset: reading one element unpacks its whole chunk.
inline constexpr std::size_t kMaxChunkBytes = std::size_t{256} << 20;

// True where the file begins as HDF5 files do (also behind a user block).
bool LooksLikeHdf5(const std::filesystem::path& path);

// An open file. Paths inside it start with '/'. Not thread-safe.
class Hdf5File {
 public:
  // kNotFound, or kDataLoss where it is no HDF5 file or a damaged one.
  static Result<Hdf5File> Open(const std::filesystem::path& path);
  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) = delete;
  ~Hdf5File();

  bool Exists(const std::string& path) const;
  // Names in a group, sorted; empty where there is no such group.
  std::vector<std::string> Children(const std::string& group) const;
  // Attributes and scalar (or one-element) datasets; none where missing or of another type.
  std::optional<std::string> TextAttribute(const std::string& object,
                                           const std::string& name) const;
  std::optional<double> NumberAttribute(const std::string& object, const std::string& name) const;
  std::optional<double> Number(const std::string& dataset) const;
  // All strings of a dataset of strings; empty where it is none.
  std::vector<std::string> Texts(const std::string& dataset) const;
  // Number that tells objects of this file apart, the same for all links to one object.
  std::optional<std::uint64_t> ObjectId(const std::string& path) const;

  // ObjectIds that member `timeseries` of a dataset of compounds (NWB 2's references to series)
  // refers to, none where a row refers to nothing; empty where it is no such dataset.
  std::vector<std::optional<std::uint64_t>> SeriesReferences(const std::string& dataset) const;

  // Length of a one-dimensional dataset of numbers (or one of shape [n, 1]); kInvalidArgument for
  // another shape or type, kDataLoss where it cannot be opened.
  Result<std::size_t> Length(const std::string& dataset) const;
  // Its first `count` numbers, at most its length (a bug otherwise). kDataLoss where the file is
  // damaged.
  Result<std::vector<double>> Numbers(const std::string& dataset, std::size_t count) const;

 private:
  struct Handle;
  explicit Hdf5File(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

}  // namespace inferon::nwb
