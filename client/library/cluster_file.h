// cluster.json in a data folder: where the servers of a local cluster listen.
#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"

namespace inferon::client {

// Kept over restarts, so that clients find the servers where they were.
struct ClusterFile {
  std::string scheduler;  // "127.0.0.1:40001"; empty before the first start.
  std::string trainer;
  int workers = 2;
  std::string device_config;  // Of a worker for a chip; empty: none.
};

std::filesystem::path ClusterFilePath(const std::filesystem::path& data);

// kNotFound where there is none; kInvalidArgument where it is malformed or of another version.
Result<ClusterFile> ReadClusterFile(const std::filesystem::path& data);

// Throws std::system_error when the disk refuses.
void WriteClusterFile(const std::filesystem::path& data, const ClusterFile& cluster);

}  // namespace inferon::client
