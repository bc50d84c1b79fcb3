#include "server/trainer/estimators/training.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <system_error>

#include "server/trainer/estimators/checkpoint.h"
#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kHeldoutBatch = 256;

// Loop of one training; Run is the only entry.
class Training {
 public:
  Training(Trainee& trainee, const RowSplit& split, const TrainingOptions& options,
           const std::string& description, const Clock& clock)
      : trainee_(trainee),
        split_(split),
        options_(options),
        description_(description),
        clock_(clock),
        shuffle_key_(StreamKey(options.seed, "shuffle")),
        batch_(std::min<std::size_t>(options.batch_size, split.training.size())),
        batches_(split.training.size() / batch_) {}

  Status Run(TrainingResult* result) {
    Restore();
    while (!state_.finished) {
      if (auto status = Epoch(); !status) return status;
      if (auto status = Keep(); !status) return status;
    }
    ScatterValues(state_.best_weights, trainee_.Weights());
    if (result != nullptr) *result = state_.result;
    return {};
  }

 private:
  // Writes the checkpoint. What was there before stays where the disk refuses.
  Status Keep() {
    if (options_.checkpoint.empty()) return {};
    try {
      WriteCheckpoint(options_.checkpoint, description_, state_);
    } catch (const std::system_error& e) {
      return Fail(ErrorCode::kFailedPrecondition,
                  "the checkpoint after epoch " + std::to_string(state_.result.epochs) +
                      " cannot be written: " + e.what(),
                  "make room on the disk and start the same training again: it goes on from the "
                  "last checkpoint that was written");
    }
    return {};
  }

  void Restore() {
    const std::size_t count = CountWeights(trainee_.Weights());
    if (!options_.checkpoint.empty()) {
      if (auto found = ReadCheckpoint(options_.checkpoint, description_, count)) {
        state_ = std::move(*found);
        ScatterValues(state_.weights, trainee_.Weights());
        return;
      }
    }
    state_.weights = GatherValues(trainee_.Weights());
    state_.best_weights = state_.weights;
    if (options_.ema_decay > 0) state_.mean_weights = state_.weights;
    state_.adam.first.assign(count, 0);
    state_.adam.second.assign(count, 0);
    // Trained weights stay where no epoch improves on them.
    state_.result.best_heldout_loss =
        options_.start_weights.empty() ? std::numeric_limits<double>::infinity() : HeldoutLoss();
  }

  Status Epoch() {
    const SteadyTime start = clock_.Now();
    const std::uint32_t epoch = state_.result.epochs;
    const auto order = Permutation(shuffle_key_, epoch + std::uint64_t{1},
                                   static_cast<std::uint32_t>(split_.training.size()));
    std::vector<std::uint32_t> rows(batch_);
    double loss_sum = 0;
    for (std::size_t b = 0; b < batches_; ++b) {
      if (options_.stop.stop_requested()) {
        return Fail(ErrorCode::kCancelled,
                    "the training was stopped in epoch " + std::to_string(epoch + 1));
      }
      for (std::size_t i = 0; i < batch_; ++i) rows[i] = split_.training[order[b * batch_ + i]];
      const double loss = trainee_.Step(rows, epoch);
      if (auto status = Update(loss, epoch, b); !status) return status;
      loss_sum += loss;
    }
    state_.weights = GatherValues(trainee_.Weights());
    if (options_.ema_decay > 0) ScatterValues(state_.mean_weights, trainee_.Weights());
    const double heldout = HeldoutLoss();
    if (options_.ema_decay > 0) ScatterValues(state_.weights, trainee_.Weights());
    if (!std::isfinite(heldout)) return Diverged("held-out loss", epoch, batches_);
    const std::chrono::duration<double> spent = clock_.Now() - start;
    Finish(loss_sum / static_cast<double>(batches_), heldout, spent.count());
    return {};
  }

  Status Update(double loss, std::uint32_t epoch, std::size_t batch) {
    if (!std::isfinite(loss)) return Diverged("training loss", epoch, batch);
    const double norm = GradientNorm(trainee_.Weights());
    if (!std::isfinite(norm)) return Diverged("gradient", epoch, batch);
    const double scale = options_.gradient_clip > 0 && norm > options_.gradient_clip
                             ? options_.gradient_clip / norm
                             : 1.0;
    const double rate = LearningRate(
        options_.learning_rate, state_.adam.step + std::uint64_t{state_.skipped_epochs} * batches_,
        std::uint64_t{options_.max_epochs} * batches_);
    AdamStep(trainee_.Weights(), rate, options_.weight_decay, scale, &state_.adam);
    if (options_.ema_decay > 0) {
      // The start weights fade faster at first, so that a short training is not kept at its start.
      const auto step = static_cast<double>(state_.adam.step);
      AverageValues(trainee_.Weights(), std::min(options_.ema_decay, (1 + step) / (10 + step)),
                    &state_.mean_weights);
    }
    return {};
  }

  double HeldoutLoss() {
    double sum = 0;
    const std::span<const std::uint32_t> rows = split_.heldout;
    for (std::size_t at = 0; at < rows.size(); at += kHeldoutBatch) {
      sum += trainee_.HeldoutLoss(rows.subspan(at, std::min(kHeldoutBatch, rows.size() - at)));
    }
    return sum / static_cast<double>(rows.size());
  }

  // Books an epoch's end into the state and tells the caller.
  void Finish(double training_loss, double heldout_loss, double seconds) {
    TrainingResult& result = state_.result;
    result.epochs += 1;
    result.training_loss.push_back(training_loss);
    result.heldout_loss.push_back(heldout_loss);
    state_.epochs_since_best += 1;
    if (heldout_loss < result.best_heldout_loss) {
      result.best_heldout_loss = heldout_loss;
      state_.best_weights = options_.ema_decay > 0 ? state_.mean_weights : state_.weights;
      state_.epochs_since_best = 0;
    }
    state_.finished = state_.epochs_since_best >= options_.patience;
    if (AtPlateau()) SkipToCooldown();
    const std::uint32_t planned = options_.max_epochs - state_.skipped_epochs;
    state_.finished = state_.finished || result.epochs >= planned;
    if (options_.progress) {
      options_.progress({result.epochs, planned, training_loss, heldout_loss,
                         static_cast<double>(batches_ * batch_) / std::max(seconds, 1e-9)});
    }
  }

  // A schedule is cut once, and only where more of it is left than its cool-down.
  bool AtPlateau() const {
    return options_.plateau_epochs > 0 && !state_.finished && state_.skipped_epochs == 0 &&
           state_.epochs_since_best >= options_.plateau_epochs &&
           state_.result.epochs + std::uint64_t{options_.cooldown_epochs} < options_.max_epochs;
  }

  // On from the best weights. The optimiser's moments stay: gradients there are of the same size.
  void SkipToCooldown() {
    state_.skipped_epochs = options_.max_epochs - state_.result.epochs - options_.cooldown_epochs;
    state_.epochs_since_best = 0;
    state_.weights = state_.best_weights;
    if (options_.ema_decay > 0) state_.mean_weights = state_.best_weights;
    ScatterValues(state_.weights, trainee_.Weights());
  }

  static tl::unexpected<Error> Diverged(const std::string& what, std::uint32_t epoch,
                                        std::size_t batch) {
    return Fail(ErrorCode::kInternal,
                "the " + what + " is not a finite number in epoch " + std::to_string(epoch + 1) +
                    ", batch " + std::to_string(batch + 1),
                "look for extreme values in the inputs, or lower the learning rate or the "
                "gradient clip");
  }

  Trainee& trainee_;
  const RowSplit& split_;
  const TrainingOptions& options_;
  const std::string& description_;
  const Clock& clock_;
  const PhiloxKey shuffle_key_;
  const std::size_t batch_;
  const std::size_t batches_;  // Whole batches of an epoch; the rest has its turn in another epoch.
  TrainingState state_;
};

}  // namespace

RowSplit SplitRows(std::size_t rows, const TrainingOptions& options) {
  const auto order =
      Permutation(StreamKey(options.seed, "split"), 0, static_cast<std::uint32_t>(rows));
  auto heldout = static_cast<std::size_t>(options.heldout_share * static_cast<double>(rows) + 0.5);
  heldout = std::clamp<std::size_t>(heldout, 1, rows - 1);
  RowSplit split;
  split.training.assign(order.begin(), order.end() - static_cast<std::ptrdiff_t>(heldout));
  split.heldout.assign(order.end() - static_cast<std::ptrdiff_t>(heldout), order.end());
  return split;
}

Status CheckTrainingOptions(const TrainingOptions& options, std::size_t rows) {
  const auto refuse = [](const std::string& what, const std::string& advice) {
    return InvalidArgument("cannot train: " + what, advice);
  };
  if (rows < 2 || rows > 0xFFFFFFFFu) {
    return refuse("there are " + std::to_string(rows) + " rows",
                  "give between 2 and 4294967295 rows of data");
  }
  if (options.max_epochs == 0 || options.max_epochs > 100'000) {
    return refuse("max_epochs is " + std::to_string(options.max_epochs), "set it to 1..100000");
  }
  if (options.patience == 0) return refuse("patience is 0", "set it to at least 1 epoch");
  if (options.batch_size == 0 || options.batch_size > 65'536) {
    return refuse("batch_size is " + std::to_string(options.batch_size), "set it to 1..65536");
  }
  if (!(options.learning_rate > 0 && options.learning_rate <= 1)) {
    return refuse("learning_rate is not in (0, 1]", "the default is 1e-3");
  }
  if (!(options.weight_decay >= 0 && options.weight_decay <= 1)) {
    return refuse("weight_decay is not in [0, 1]", "the default is 1e-4");
  }
  if (!(options.gradient_clip >= 0))
    return refuse("gradient_clip is negative", "0 switches it off");
  if (!(options.heldout_share > 0 && options.heldout_share < 1)) {
    return refuse("heldout_share is not in (0, 1)", "the default is 0.1");
  }
  if (!(options.ema_decay >= 0 && options.ema_decay < 1)) {
    return refuse("ema_decay is not in [0, 1)", "0 switches it off");
  }
  if (options.threads < 1 || options.threads > 1024) {
    return refuse("threads is " + std::to_string(options.threads), "set it to 1..1024");
  }
  if (options.members_at_once < 1) {
    return refuse("members_at_once is " + std::to_string(options.members_at_once),
                  "set it to at least 1");
  }
  return {};
}

std::string DescribeTraining(const TrainingOptions& options, const std::string& architecture,
                             const std::string& data) {
  nlohmann::json json{{"architecture", architecture},
                      {"data", data},
                      {"max_epochs", options.max_epochs},
                      {"patience", options.patience},
                      {"batch_size", options.batch_size},
                      {"learning_rate", options.learning_rate},
                      {"weight_decay", options.weight_decay},
                      {"gradient_clip", options.gradient_clip},
                      {"heldout_share", options.heldout_share},
                      {"seed", options.seed},
                      {"threads", options.threads}};
  if (options.plateau_epochs > 0) {
    json["plateau_epochs"] = options.plateau_epochs;
    json["cooldown_epochs"] = options.cooldown_epochs;
  }
  if (options.ema_decay > 0) json["ema_decay"] = options.ema_decay;
  if (options.device != "cpu") json["device"] = options.device;
  return json.dump();
}

Status Train(Trainee& trainee, const RowSplit& split, const TrainingOptions& options,
             const std::string& description, const Clock& clock, TrainingResult* result) {
  return Training(trainee, split, options, description, clock).Run(result);
}

}  // namespace inferon::estimators
