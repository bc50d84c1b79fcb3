#include "server/trainer/estimators/checkpoint.h"

#include <spdlog/spdlog.h>

#include <array>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "server/trainer/estimators/safetensors.h"

namespace inferon::estimators {
namespace {

constexpr const char* kFormat = "inferon-training-2";

Result<TrainingState> Decode(const TensorFile& file, std::size_t weights) {
  const auto n = static_cast<std::int64_t>(weights);
  TrainingState state;
  auto current = file.Floats("weights", {n});
  if (!current) return tl::unexpected(current.error());
  auto best = file.Floats("best_weights", {n});
  if (!best) return tl::unexpected(best.error());
  auto first = file.Floats("adam.first", {n});
  if (!first) return tl::unexpected(first.error());
  auto second = file.Floats("adam.second", {n});
  if (!second) return tl::unexpected(second.error());
  if (file.tensors.count("mean_weights") != 0) {
    auto mean = file.Floats("mean_weights", {n});
    if (!mean) return tl::unexpected(mean.error());
    state.mean_weights = std::move(*mean);
  }
  auto counters = file.Words("counters", 6);
  if (!counters) return tl::unexpected(counters.error());
  const std::uint32_t epochs = (*counters)[0];
  auto training = file.Doubles("training_loss", epochs);
  if (!training) return tl::unexpected(training.error());
  auto heldout = file.Doubles("heldout_loss", epochs);
  if (!heldout) return tl::unexpected(heldout.error());
  auto best_loss = file.Doubles("best_heldout_loss", 1);
  if (!best_loss) return tl::unexpected(best_loss.error());
  state.weights = std::move(*current);
  state.best_weights = std::move(*best);
  state.adam.first = std::move(*first);
  state.adam.second = std::move(*second);
  state.adam.step = std::uint64_t{(*counters)[2]} << 32 | (*counters)[1];
  state.epochs_since_best = (*counters)[3];
  state.skipped_epochs = (*counters)[4];
  state.finished = (*counters)[5] != 0;
  state.result = {epochs, (*best_loss)[0], std::move(*training), std::move(*heldout)};
  return state;
}

}  // namespace

void WriteCheckpoint(const std::filesystem::path& path, const std::string& description,
                     const TrainingState& state) {
  TensorFile file;
  const auto n = static_cast<std::int64_t>(state.weights.size());
  file.metadata = {{"format", kFormat}, {"description", Sha256Hex(description)}};
  file.Put("weights", {n}, std::span<const float>(state.weights));
  file.Put("best_weights", {n}, std::span<const float>(state.best_weights));
  if (!state.mean_weights.empty()) {
    file.Put("mean_weights", {n}, std::span<const float>(state.mean_weights));
  }
  file.Put("adam.first", {n}, std::span<const float>(state.adam.first));
  file.Put("adam.second", {n}, std::span<const float>(state.adam.second));
  file.Put("training_loss", std::span<const double>(state.result.training_loss));
  file.Put("heldout_loss", std::span<const double>(state.result.heldout_loss));
  const std::array<double, 1> best{state.result.best_heldout_loss};
  file.Put("best_heldout_loss", std::span<const double>(best));
  const std::array<std::uint32_t, 6> counters{state.result.epochs,
                                              static_cast<std::uint32_t>(state.adam.step),
                                              static_cast<std::uint32_t>(state.adam.step >> 32),
                                              state.epochs_since_best,
                                              state.skipped_epochs,
                                              state.finished ? 1u : 0u};
  file.Put("counters", std::span<const std::uint32_t>(counters));
  WriteFileAtomically(path, EncodeTensors(file));
}

std::optional<TrainingState> ReadCheckpoint(const std::filesystem::path& path,
                                            const std::string& description, std::size_t weights) {
  auto bytes = ReadFile(path);
  if (!bytes) return std::nullopt;
  auto file = DecodeTensors(*bytes);
  if (!file) {
    spdlog::warn("training starts anew: checkpoint {}: {}", path.string(), file.error().message);
    return std::nullopt;
  }
  if (file->metadata["format"] != kFormat ||
      file->metadata["description"] != Sha256Hex(description)) {
    spdlog::warn("training starts anew: checkpoint {} is of other settings or data", path.string());
    return std::nullopt;
  }
  auto state = Decode(*file, weights);
  if (!state) {
    spdlog::warn("training starts anew: checkpoint {}: {}", path.string(), state.error().message);
    return std::nullopt;
  }
  return std::move(*state);
}

}  // namespace inferon::estimators
