#include "client/library/cluster_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/base/files.h"

namespace inferon::client {
namespace {

constexpr int kVersion = 1;
constexpr std::size_t kMaxBytes = 1 << 20;

Error Malformed(const std::filesystem::path& path, const std::string& why) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("{} is malformed: {}", path.string(), why),
          "Move it away and run 'inferon up' again",
          {}};
}

}  // namespace

std::filesystem::path ClusterFilePath(const std::filesystem::path& data) {
  return data / "cluster.json";
}

Result<ClusterFile> ReadClusterFile(const std::filesystem::path& data) {
  const std::filesystem::path path = ClusterFilePath(data);
  const Result<std::string> text = ReadFile(path, kMaxBytes);
  if (!text) return tl::unexpected(text.error());
  try {
    const nlohmann::json json = nlohmann::json::parse(*text);
    if (const int version = json.at("version").get<int>(); version != kVersion) {
      return tl::unexpected(
          Malformed(path, fmt::format("version {} instead of {}", version, kVersion)));
    }
    ClusterFile cluster;
    cluster.scheduler = json.at("scheduler").get<std::string>();
    cluster.trainer = json.at("trainer").get<std::string>();
    cluster.workers = json.at("workers").get<int>();
    cluster.device_config = json.value("device_config", std::string());
    return cluster;
  } catch (const nlohmann::json::exception& error) {
    return tl::unexpected(Malformed(path, error.what()));
  }
}

void WriteClusterFile(const std::filesystem::path& data, const ClusterFile& cluster) {
  const nlohmann::json json{{"version", kVersion},
                            {"scheduler", cluster.scheduler},
                            {"trainer", cluster.trainer},
                            {"workers", cluster.workers},
                            {"device_config", cluster.device_config}};
  WriteFileAtomically(ClusterFilePath(data), json.dump(2) + "\n");
}

}  // namespace inferon::client
