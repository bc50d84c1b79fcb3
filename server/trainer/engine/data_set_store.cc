#include "server/trainer/engine/data_set_store.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "common/inference/names.h"
#include "server/trainer/engine/import_check.h"

namespace inferon::trainer {
namespace {

constexpr const char* kThetaFile = "theta.npy";
constexpr const char* kXFile = "x.npy";
constexpr const char* kInfoFile = "dataset.json";
constexpr const char* kStaging = ".staging-";

// A folder that goes away unless it is kept.
class Staging {
 public:
  explicit Staging(const std::filesystem::path& folder) {
    static std::atomic<std::uint64_t> count{0};
    path_ = folder / (kStaging + std::to_string(count++));
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Staging() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void MoveTo(const std::filesystem::path& target) {
    std::filesystem::rename(path_, target);
    path_.clear();
  }

 private:
  std::filesystem::path path_;
};

Status CheckSpec(const DataSetSpec& spec) {
  if (Status ok = CheckId("data set", spec.id); !ok) return ok;
  if (spec.columns == 0 || spec.columns > 1'000'000) {
    return InvalidArgument(fmt::format("x has {} columns", spec.columns), "Give 1 to 1000000");
  }
  if (!spec.x_names.empty() && spec.x_names.size() != spec.columns) {
    return InvalidArgument(
        fmt::format("x has {} columns and {} names", spec.columns, spec.x_names.size()),
        "Name every column or none");
  }
  if (spec.traces && spec.invalid == InvalidRows::kMissing) {
    return InvalidArgument("a trace cannot have missing points",
                           "Interpolate them, or drop such rows with --invalid drop");
  }
  return {};
}

// Writes the rows that pass the check to the folder.
Status WriteRows(const std::filesystem::path& folder, const InferenceEngine::NextRows& next,
                 ImportCheck& check, const DataSetSpec& spec, std::stop_token stop) {
  ArrayWriter theta(folder / kThetaFile, NpyType<double>());
  ArrayWriter x(folder / kXFile, NpyType<float>());
  for (;;) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the import was cancelled");
    auto rows = next();
    if (!rows) return tl::unexpected(rows.error());
    if (rows->theta.empty() && rows->x.empty()) break;
    if (Status ok = check.Take(*rows); !ok) return ok;
    theta.Append<double>(rows->theta);
    x.Append<float>(rows->x);
  }
  if (Status ok = check.Finish(); !ok) return ok;
  const std::array<std::uint64_t, 2> theta_shape{check.kept(), spec.prior.dimension()};
  const std::array<std::uint64_t, 2> x_shape{check.kept(), spec.columns};
  theta.Finish(theta_shape);
  x.Finish(x_shape);
  return {};
}

std::string HashOf(const std::filesystem::path& folder, const DataSetSpec& spec) {
  return Sha256Hex(PriorJson(spec.prior) + HashFile(folder / kThetaFile) +
                   HashFile(folder / kXFile) + (spec.traces ? "traces" : ""));
}

}  // namespace

estimators::RowSource StoredDataSet::XSource() const {
  return {x.rows(), x.columns(), [this](std::span<const std::uint32_t> indices, float* out) {
            for (const std::uint32_t row : indices) out = std::ranges::copy(x.Row(row), out).out;
          }};
}

DataSetStore::DataSetStore(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
  std::vector<std::filesystem::path> unfinished;  // Left by a process that was killed.
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().filename().string().starts_with(kStaging)) unfinished.push_back(entry.path());
  }
  for (const auto& path : unfinished) std::filesystem::remove_all(path);
}

Result<DataSetInfo> DataSetStore::Import(const DataSetSpec& spec,
                                         const InferenceEngine::NextRows& next, const Clock& clock,
                                         std::stop_token stop) {
  if (Status ok = CheckSpec(spec); !ok) return tl::unexpected(ok.error());
  Staging staging(folder_);
  ImportCheck check(spec);
  if (Status ok = WriteRows(staging.path(), next, check, spec, stop); !ok) {
    return tl::unexpected(ok.error());
  }
  DataSetInfo info{spec,
                   check.kept(),
                   check.dropped(),
                   HashOf(staging.path(), spec),
                   clock.WallNow(),
                   check.Warnings()};
  const std::lock_guard lock(publish_);
  const std::filesystem::path target = folder_ / spec.id;
  if (std::filesystem::exists(target / kInfoFile)) {
    auto there = Get(spec.id);
    const bool own = there && there->spec.project == spec.project;
    if (own && there->sha256 == info.sha256) return there;
    return Fail(
        ErrorCode::kAlreadyExists,
        fmt::format("there is a data set {} with other content or of another project", spec.id),
        "Choose another id");
  }
  WriteFileAtomically(staging.path() / kInfoFile, DataSetJson(info));
  std::filesystem::remove_all(target);  // What is there without dataset.json is no data set.
  staging.MoveTo(target);
  SyncPath(folder_);
  return info;
}

std::vector<DataSetInfo> DataSetStore::List() const {
  std::vector<DataSetInfo> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string id = entry.path().filename().string();
    if (id.starts_with('.')) continue;
    auto info = Get(id);
    if (info) {
      all.push_back(std::move(*info));
    } else {
      spdlog::error("data set {}: {}", id, info.error().Text());
    }
  }
  std::sort(all.begin(), all.end(), [](const DataSetInfo& a, const DataSetInfo& b) {
    return a.create_time != b.create_time ? a.create_time > b.create_time : a.spec.id < b.spec.id;
  });
  return all;
}

Result<DataSetInfo> DataSetStore::Get(const std::string& id) const {
  if (Status ok = CheckId("data set", id); !ok) return tl::unexpected(ok.error());
  const auto text = ReadFile(folder_ / id / kInfoFile);
  if (!text) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no data set {}", id),
                "List the data sets with 'dataset list'");
  }
  return DataSetFromJson(*text);
}

Result<std::shared_ptr<const StoredDataSet>> DataSetStore::Open(const std::string& id) const {
  auto info = Get(id);
  if (!info) return tl::unexpected(info.error());
  auto theta = MappedArray<double>::Open(folder_ / id / kThetaFile);
  if (!theta) return tl::unexpected(theta.error());
  auto x = MappedArray<float>::Open(folder_ / id / kXFile);
  if (!x) return tl::unexpected(x.error());
  if (theta->rows() != info->rows || x->rows() != info->rows ||
      theta->columns() != info->spec.prior.dimension() || x->columns() != info->spec.columns ||
      HashOf(folder_ / id, info->spec) != info->sha256) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the files of data set {} are not those that dataset.json names", id),
                "Restore its folder or import it again under another id");
  }
  return std::make_shared<const StoredDataSet>(
      StoredDataSet{std::move(*info), std::move(*theta), std::move(*x)});
}

}  // namespace inferon::trainer
