#include "server/trainer/estimators/member_training.h"

#include <gmock/gmock.h>

#include <atomic>
#include <barrier>
#include <mutex>
#include <thread>

namespace inferon::estimators {
namespace {

TrainingOptions Options(int members_at_once) {
  TrainingOptions options;
  options.max_epochs = 4;
  options.members_at_once = members_at_once;
  return options;
}

// Member m ends after m + 1 epochs with losses of its own.
Status Learn(std::uint32_t member, const TrainingOptions& training, TrainingResult* result) {
  for (std::uint32_t epoch = 1; epoch <= member + 1; ++epoch) {
    result->epochs = epoch;
    result->training_loss.push_back(10.0 * member + epoch);
    result->heldout_loss.push_back(10.0 * member - epoch);
    if (training.progress) training.progress({epoch, training.max_epochs, 1, 1, 100});
  }
  result->best_heldout_loss = 10.0 * member;
  return {};
}

TEST(MemberTrainingTest, CurvesStandInTheOrderOfTheMembersHoweverTheyRan) {
  for (const int at_once : {1, 2, 3, 8}) {
    TrainingResult result;
    ASSERT_TRUE(TrainMembers(3, Options(at_once), Learn, &result));
    EXPECT_EQ(result.members, 3u);
    EXPECT_EQ(result.epochs, 6u);
    EXPECT_DOUBLE_EQ(result.best_heldout_loss, 10);
    EXPECT_THAT(result.training_loss, testing::ElementsAre(1, 11, 12, 21, 22, 23));
    EXPECT_THAT(result.heldout_loss, testing::ElementsAre(-1, 9, 8, 19, 18, 17));
  }
}

// Each of the first three waits for the other two; a fourth would be counted.
TEST(MemberTrainingTest, AsManyTrainAtTheSameTimeAsAreAllowed) {
  std::atomic<int> now = 0, most = 0;
  std::barrier together(3);
  const auto train = [&](std::uint32_t member, const TrainingOptions&, TrainingResult*) -> Status {
    const int running = ++now;
    for (int seen = most; running > seen && !most.compare_exchange_weak(seen, running);) {
    }
    if (member < 3) together.arrive_and_wait();
    --now;
    return {};
  };
  TrainingResult result;
  ASSERT_TRUE(TrainMembers(6, Options(3), train, &result));
  EXPECT_EQ(most, 3);
}

TEST(MemberTrainingTest, OneAtATimeTrainsOnTheCallingThread) {
  std::vector<std::uint32_t> order;
  const auto train = [&, self = std::this_thread::get_id()](
                         std::uint32_t member, const TrainingOptions&, TrainingResult*) -> Status {
    EXPECT_EQ(std::this_thread::get_id(), self);
    order.push_back(member);
    return {};
  };
  TrainingResult result;
  ASSERT_TRUE(TrainMembers(3, Options(1), train, &result));
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 2));
}

TEST(MemberTrainingTest, ProgressCountsTheEpochsOfAllMembers) {
  for (const int at_once : {1, 3}) {
    TrainingOptions options = Options(at_once);
    std::vector<TrainingProgress> seen;
    std::atomic<int> inside = 0;
    options.progress = [&](const TrainingProgress& p) {
      EXPECT_EQ(++inside, 1);
      seen.push_back(p);
      --inside;
    };
    TrainingResult result;
    ASSERT_TRUE(TrainMembers(3, options, Learn, &result));
    ASSERT_EQ(seen.size(), 6u);
    for (std::size_t i = 0; i < seen.size(); ++i) {
      EXPECT_EQ(seen[i].epoch, i + 1);
      EXPECT_LE(seen[i].epoch, seen[i].max_epochs);
      EXPECT_LE(seen[i].max_epochs, 12u);
      EXPECT_LE(seen[i].rows_per_second, 100.0 * at_once);
    }
  }
}

// Until it is told to stop.
Status WaitForStop(const TrainingOptions& training) {
  while (!training.stop.stop_requested()) std::this_thread::yield();
  return Fail(ErrorCode::kCancelled, "the training was stopped");
}

TEST(MemberTrainingTest, FailureStopsTheOthersAndIsTheErrorOfAll) {
  std::atomic<int> started = 0;
  const auto train = [&](std::uint32_t member, const TrainingOptions& training,
                         TrainingResult*) -> Status {
    ++started;
    if (member == 1) return Fail(ErrorCode::kInternal, "the gradient is not a finite number");
    const Status stopped = WaitForStop(training);
    return member == 0 ? Status() : stopped;  // The first was about to end.
  };
  TrainingResult result;
  const Status status = TrainMembers(8, Options(3), train, &result);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInternal);
  EXPECT_LE(started, 3);
  EXPECT_EQ(result.members, 0u);
}

TEST(MemberTrainingTest, ExceptionStopsTheOthersAndReachesTheCaller) {
  for (const std::uint32_t thrower : {0u, 2u}) {
    const auto train = [&](std::uint32_t member, const TrainingOptions& training,
                           TrainingResult*) -> Status {
      if (member == thrower) throw std::runtime_error("disk full");
      return WaitForStop(training);
    };
    TrainingResult result;
    EXPECT_THROW((void)TrainMembers(3, Options(3), train, &result), std::runtime_error);
  }
}

TEST(MemberTrainingTest, StopReachesEveryMember) {
  std::stop_source stop;
  TrainingOptions options = Options(2);
  options.stop = stop.get_token();
  std::atomic<int> started = 0;
  const auto train = [&](std::uint32_t, const TrainingOptions& training,
                         TrainingResult*) -> Status {
    if (++started == 2) stop.request_stop();
    return WaitForStop(training);
  };
  TrainingResult result;
  const Status status = TrainMembers(5, options, train, &result);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(started, 2);
}

}  // namespace
}  // namespace inferon::estimators
