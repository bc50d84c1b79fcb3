// Who is served next, and by whom: tables.
#include "server/scheduler/share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/scheduler/accounts.h"
#include "server/scheduler/placement.h"
#include "server/scheduler/queue_index.h"

namespace inferon::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;

TEST(ShareTest, SmallestChargeForItsWeightGoesFirst) {
  const std::vector<ShareEntry> entries{{.project = "a", .weight = 1, .charged = 10},
                                        {.project = "b", .weight = 4, .charged = 30},
                                        {.project = "c", .weight = 1, .charged = 8}};
  EXPECT_THAT(RankByShare(entries), ElementsAre("b", "c", "a"));
}

TEST(ShareTest, SwitchingCountsAgainstTheOneSwitchedTo) {
  const std::vector<ShareEntry> entries{{.project = "a", .charged = 1.0, .cost = 0.5},
                                        {.project = "b", .charged = 1.4, .cost = 0}};
  EXPECT_THAT(RankByShare(entries), ElementsAre("b", "a"));
}

TEST(ShareTest, EqualOnesTakeTurnsThenGoByName) {
  EXPECT_THAT(RankByShare(std::vector<ShareEntry>{{.project = "a", .last_turn = 5},
                                                  {.project = "b", .last_turn = 4},
                                                  {.project = "c", .last_turn = 4}}),
              ElementsAre("b", "c", "a"));
}

TEST(ShareTest, WhoHasUsedUpTheDayIsNotServed) {
  EXPECT_THAT(RankByShare(std::vector<ShareEntry>{{.project = "a", .over_quota = true},
                                                  {.project = "b", .charged = 100}}),
              ElementsAre("b"));
}

TEST(ShareTest, ChargeHalvesInAHalfLife) {
  EXPECT_DOUBLE_EQ(Decayed(8, hours(1), hours(1)), 4);
  EXPECT_DOUBLE_EQ(Decayed(8, hours(3), hours(1)), 1);
  EXPECT_DOUBLE_EQ(Decayed(8, -hours(3), hours(1)), 8) << "a clock that was set back";
}

// Two projects that always have work get seconds in proportion to their weights, up to a shard.
TEST(ShareTest, SecondsFollowTheWeights) {
  double a = 0;
  double b = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::vector<ShareEntry> entries{{.project = "a", .weight = 3, .charged = a},
                                          {.project = "b", .weight = 1, .charged = b}};
    (RankByShare(entries)[0] == "a" ? a : b) += RankByShare(entries)[0] == "a" ? 2.0 : 5.0;
    ASSERT_LE(std::abs(a / 3 - b), 5.0) << "after shard " << i;
  }
}

const Capabilities kWorker{"emulator", "emulator", "chip-a", "cal", "", {1, 2}, {"hash"}};
const Requirement kJob{"emulator", "chip-a", 1, "hash", {}};

TEST(PlacementTest, WorkerTakesOnlyWhatItIsBoundTo) {
  EXPECT_FALSE(Mismatch("w", kWorker, kJob));
  const struct {
    const char* what;
    Requirement wants;
  } cases[] = {{"runs emulator", {"brainscales2", "chip-a", 1, "hash", {}}},
               {"chip chip-a", {"emulator", "chip-b", 1, "hash", {}}},
               {"neurons", {"emulator", "chip-a", 3, "hash", {}}},
               {"profiles", {"emulator", "chip-a", 1, "other", {}}},
               {"pinned to workers/v", {"emulator", "chip-a", 1, "hash", {"v", ""}}},
               {"calibration", {"emulator", "chip-a", 1, "hash", {"", "newer"}}}};
  for (const auto& one : cases) {
    const auto why = Mismatch("w", kWorker, one.wants);
    ASSERT_TRUE(why) << one.what;
    EXPECT_THAT(*why, testing::HasSubstr(one.what));
  }
  EXPECT_FALSE(Mismatch("w", kWorker, {"emulator", "chip-a", 1, "hash", {"w", "cal"}}));
}

TEST(PlacementTest, UnboundWorkerTakesAnyOfItsKind) {
  const Capabilities any{"emulator", "emulator", "", "", ""};
  EXPECT_FALSE(Mismatch("w", any, kJob));
  EXPECT_TRUE(Mismatch("w", any, {"emulator", "chip-a", 1, "hash", {"", "cal"}}))
      << "it has no calibration";
}

constexpr WallTime kNow{hours(1000)};

TEST(ReservationTest, KeepsOthersOutFromBeginToEnd) {
  const std::vector<Reservation> reservations{
      {1, "w", "p", kNow + minutes(10), kNow + minutes(20), ""}};
  const auto blocked = [&](const char* worker, const char* project, WallTime now,
                           seconds expected) {
    return BlockedBy(reservations, worker, project, now, expected).has_value();
  };
  EXPECT_FALSE(blocked("w", "q", kNow, seconds(1)));
  EXPECT_TRUE(blocked("w", "q", kNow, seconds(600))) << "it would run into it";
  EXPECT_FALSE(blocked("w", "q", kNow, seconds(599)));
  EXPECT_TRUE(blocked("w", "q", kNow + minutes(10), seconds(1)));
  EXPECT_TRUE(blocked("w", "q", kNow + minutes(19), seconds(1)));
  EXPECT_FALSE(blocked("w", "q", kNow + minutes(20), seconds(1)));
  EXPECT_FALSE(blocked("w", "p", kNow + minutes(10), seconds(1))) << "it is theirs";
  EXPECT_FALSE(blocked("v", "q", kNow + minutes(10), seconds(1)));
}

TEST(ReservationTest, MaintenanceKeepsEverybodyOut) {
  const std::vector<Reservation> reservations{{1, "w", "", kNow, kNow + hours(1), ""}};
  EXPECT_TRUE(BlockedBy(reservations, "w", "", kNow, seconds(0)));
  EXPECT_TRUE(BlockedBy(reservations, "w", "p", kNow, seconds(0)));
}

TEST(ReservationTest, OverlapIsSharingAMoment) {
  const Reservation a{1, "w", "", kNow, kNow + hours(1), ""};
  EXPECT_TRUE(Overlap(a, {2, "w", "", kNow + minutes(59), kNow + hours(2), ""}));
  EXPECT_FALSE(Overlap(a, {2, "w", "", kNow + hours(1), kNow + hours(2), ""}));
  EXPECT_FALSE(Overlap(a, {2, "v", "", kNow, kNow + hours(1), ""}));
}

TEST(AccountsTest, ChargeDecaysAndCountsForItsDay) {
  Accounts accounts{hours(1)};
  const SteadyTime steady{};
  accounts.Put({"p", {.max_seconds_per_day = 10}, kNow});
  accounts.Charge("p", 8, {steady, kNow});
  EXPECT_DOUBLE_EQ(accounts.DecayedSeconds("p", steady + hours(1)), 4);
  EXPECT_FALSE(accounts.OverQuota("p", kNow));
  accounts.Charge("p", 2, {steady + hours(1), kNow + hours(1)});
  EXPECT_DOUBLE_EQ(accounts.DecayedSeconds("p", steady + hours(1)), 6);
  EXPECT_TRUE(accounts.OverQuota("p", kNow + hours(1)));
  EXPECT_TRUE(accounts.OverQuota("p", kNow + hours(23)));
  EXPECT_FALSE(accounts.OverQuota("p", kNow + hours(24))) << "the 8 s are a day old";
}

TEST(AccountsTest, WhatIsHeldCountsForTheQuota) {
  Accounts accounts{hours(1)};
  accounts.Put({"p", {.max_seconds_per_day = 10}, kNow});
  accounts.Hold("p", 10);
  EXPECT_TRUE(accounts.OverQuota("p", kNow));
  accounts.Release("p", 1);
  EXPECT_FALSE(accounts.OverQuota("p", kNow));
}

TEST(AccountsTest, LoadedUsageDecaysByItsAge) {
  Accounts accounts{hours(2)};
  const std::int64_t hour = HourOf(kNow);
  accounts.Load(std::vector<ProjectRecord>{{"p", {}, kNow}},
                std::vector<UsageRow>{{"p", hour - 2, 8}, {"p", hour - 30, 1}},
                {{}, kNow + minutes(30)});
  EXPECT_NEAR(accounts.DecayedSeconds("p", {}), 4 + std::exp2(-15), 1e-9);
  EXPECT_DOUBLE_EQ(accounts.DaySeconds("p", kNow), 8);
}

TEST(AccountsTest, SubmissionsFillUpByTheMinute) {
  Accounts accounts{hours(1)};
  accounts.Put({"p", {.max_submits_per_minute = 2}, kNow});
  SteadyTime now{};
  EXPECT_TRUE(accounts.TakeSubmission("p", now));
  EXPECT_TRUE(accounts.TakeSubmission("p", now));
  const Status refused = accounts.TakeSubmission("p", now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused.error().retry_after, seconds(30));
  now += seconds(30);
  EXPECT_TRUE(accounts.TakeSubmission("p", now));
  EXPECT_FALSE(accounts.TakeSubmission("p", now));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(accounts.TakeSubmission("free", now));
}

Job JobOf(JobId id, const std::string& project, std::int32_t priority = 0) {
  Job job;
  job.id = id;
  job.project = project;
  job.priority = priority;
  job.experiments = 10;
  job.substrate = "emulator";
  return job;
}

const auto kAny = [](const Requirement&) { return true; };

TEST(QueueIndexTest, HighestPriorityThenOldest) {
  QueueIndex index;
  index.Put(JobOf(1, "a"));
  index.Put(JobOf(2, "a", 1));
  index.Put(JobOf(3, "a", 1));
  index.Put(JobOf(4, "b", 100));
  EXPECT_EQ(index.First("a", kAny), 2u);
  EXPECT_EQ(index.First("b", kAny), 4u);
  EXPECT_FALSE(index.First("c", kAny));
  EXPECT_EQ(index.ExperimentsAhead(JobOf(1, "a")), 20u);
  EXPECT_EQ(index.ExperimentsAhead(JobOf(2, "a", 1)), 0u);
}

TEST(QueueIndexTest, OnlyWhatFitsIsGiven) {
  QueueIndex index;
  Job other = JobOf(1, "a", 5);
  other.substrate = "brainscales2";
  index.Put(other);
  index.Put(JobOf(2, "a"));
  EXPECT_EQ(index.First("a", [](const Requirement& r) { return r.substrate == "emulator"; }), 2u);
}

TEST(QueueIndexTest, ParkedJobsComeBackWithTheirTimeOrTheirShard) {
  QueueIndex index;
  index.Put(JobOf(1, "a"));
  index.Put(JobOf(2, "a"));
  index.Park(1, 100);
  index.Park(2, 0);
  EXPECT_FALSE(index.First("a", kAny));
  index.WakeDue(99);
  EXPECT_TRUE(index.ReadyProjects().empty());
  index.WakeDue(100);
  EXPECT_EQ(index.First("a", kAny), 1u);
  index.Park(1, 0);
  index.WakeDue(1'000'000);
  EXPECT_FALSE(index.First("a", kAny)) << "no time was named";
  index.Wake(2);
  EXPECT_EQ(index.First("a", kAny), 2u);
}

TEST(QueueIndexTest, PausedAndEndedJobsAreNotGiven) {
  QueueIndex index;
  Job job = JobOf(1, "a");
  job.paused = true;
  index.Put(job);
  EXPECT_FALSE(index.First("a", kAny));
  EXPECT_EQ(index.total().experiments, 10u) << "it is in the queue all the same";
  job.paused = false;
  job.experiments_done = 4;
  index.Put(job);
  EXPECT_EQ(index.First("a", kAny), 1u);
  EXPECT_EQ(index.OfProject("a").experiments, 6u);
  job.state = JobState::kCancelled;
  index.Put(job);
  EXPECT_FALSE(index.First("a", kAny));
  EXPECT_EQ(index.total().jobs, 0u);
  EXPECT_EQ(index.total().experiments, 0u);
}

}  // namespace
}  // namespace inferon::scheduler
