// Archives of arrays as HDF5 files, laid out as h5py reads them: one dataset an array at the top.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/tables/archive.h"

namespace inferon {

// As CreateArchive.
Result<std::unique_ptr<ArrayArchive>> CreateHdf5Archive(
    const std::filesystem::path& path, const std::vector<ArraySpec>& arrays,
    const std::map<std::string, std::string>& attributes);

}  // namespace inferon
