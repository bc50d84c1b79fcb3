#include "worker/agent/ledger.h"

#include <gtest/gtest.h>

namespace inferon::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr LeaseRef kFirst{1, 10};
constexpr LeaseRef kSecond{2, 11};

SteadyTime At(int ms) { return SteadyTime(milliseconds(ms)); }

Orders Grant(std::vector<LeaseRef> refs, seconds left = seconds(10)) {
  Orders orders;
  for (const LeaseRef& ref : refs) orders.leases.push_back({ref, left});
  return orders;
}

TEST(LedgerTest, WantsTheRunningShardAndTheOnesAhead) {
  EXPECT_EQ(Ledger(0).Report(true, false).wanted, 1);
  EXPECT_EQ(Ledger(1).Report(true, false).wanted, 2);
  EXPECT_EQ(Ledger(1).Report(false, false).wanted, 0);
  EXPECT_EQ(Ledger(1).Report(true, true).wanted, 0);
}

TEST(LedgerTest, ComputedShardsMakeRoomForFurtherOnes) {
  Ledger ledger(1);
  ledger.Apply(Grant({kFirst, kSecond}), At(0));
  EXPECT_EQ(ledger.Report(true, false).wanted, 0);
  ledger.Find(kFirst)->phase = Phase::kOutcome;
  EXPECT_EQ(ledger.Report(true, false).wanted, 1);
  EXPECT_EQ(ledger.Report(true, false).leases, (std::vector<LeaseRef>{kFirst, kSecond}));
}

TEST(LedgerTest, UndeliveredResultsStopFurtherWork) {
  Ledger ledger(0);
  ledger.Apply(Grant({kFirst, kSecond}), At(0));
  ledger.Find(kFirst)->phase = Phase::kOutcome;
  ledger.Find(kSecond)->phase = Phase::kOutcome;
  EXPECT_EQ(ledger.Report(true, false).wanted, 0);
}

TEST(LedgerTest, LeaseThatTheSchedulerNamesNoMoreIsLostAndItsWorkStops) {
  Ledger ledger(1);
  ledger.Apply(Grant({kFirst, kSecond}), At(0));
  const std::stop_token work = ledger.Find(kFirst)->stop.get_token();
  EXPECT_EQ(ledger.Apply(Grant({kSecond}), At(100)), std::vector<LeaseRef>{kFirst});
  EXPECT_TRUE(work.stop_requested());
  EXPECT_EQ(ledger.Find(kFirst), nullptr);
  EXPECT_NE(ledger.Find(kSecond), nullptr);
}

TEST(LedgerTest, LeaseThatRanOutWithItsOutcomeOnTheWayIsNotBegunAgain) {
  for (const Phase phase : {Phase::kOutcome, Phase::kSending}) {
    Ledger ledger(1);
    ledger.Apply(Grant({kFirst, kSecond}), At(0));
    ledger.Find(kFirst)->phase = phase;
    EXPECT_EQ(ledger.Expire(At(20'000)), (std::vector<LeaseRef>{kFirst, kSecond}));
    ledger.Apply(Grant({kFirst, kSecond}), At(20'000));
    EXPECT_EQ(ledger.Find(kFirst), nullptr) << "its outcome may still arrive";
    EXPECT_NE(ledger.Find(kSecond), nullptr) << "nothing came of it yet";
  }
}

TEST(LedgerTest, AnotherFenceIsAnotherLease) {
  Ledger ledger(1);
  ledger.Apply(Grant({kFirst}), At(0));
  const LeaseRef again{kFirst.shard, kFirst.fence + 1};
  EXPECT_EQ(ledger.Apply(Grant({again}), At(100)), std::vector<LeaseRef>{kFirst});
  EXPECT_EQ(ledger.Find(again)->phase, Phase::kLeased);
}

TEST(LedgerTest, FinishedLeaseInALateAnswerIsNotTakenUpAgain) {
  Ledger ledger(1);
  ledger.Apply(Grant({kFirst}), At(0));
  ledger.Finish(kFirst);
  EXPECT_TRUE(ledger.Apply(Grant({kFirst}), At(100)).empty());
  EXPECT_TRUE(ledger.empty());
}

TEST(LedgerTest, DeliveryDecidesForItselfWhetherItsLeaseWasLost) {
  Ledger ledger(1);
  ledger.Apply(Grant({kFirst}), At(0));
  ledger.Find(kFirst)->phase = Phase::kSending;
  EXPECT_TRUE(ledger.Apply(Grant({}), At(100)).empty());
  EXPECT_FALSE(ledger.Find(kFirst)->stop.stop_requested());
}

TEST(LedgerTest, WorkEndsBeforeTheLeaseDoesCountedFromTheReport) {
  Ledger ledger(1);
  ledger.Apply(Grant({kFirst}, seconds(10)), At(1000));
  EXPECT_EQ(ledger.NextExpiry(), At(10'000));  // 11 s less a tenth of the lease.
  EXPECT_TRUE(ledger.Expire(At(9'999)).empty());
  const std::stop_token work = ledger.Find(kFirst)->stop.get_token();
  EXPECT_EQ(ledger.Expire(At(10'000)), std::vector<LeaseRef>{kFirst});
  EXPECT_TRUE(work.stop_requested());
  EXPECT_EQ(ledger.NextExpiry(), std::nullopt);
}

TEST(LedgerTest, KeptLeaseLivesLonger) {
  Ledger ledger(1);
  ledger.Apply(Grant({kFirst}, seconds(10)), At(0));
  ledger.Apply(Grant({kFirst}, seconds(10)), At(5'000));
  EXPECT_TRUE(ledger.Expire(At(10'000)).empty());
}

TEST(LedgerTest, ReturningKeepsWhatRunsOrIsComputed) {
  Ledger ledger(3);
  const LeaseRef third{3, 12};
  ledger.Apply(Grant({kFirst, kSecond, third}), At(0));
  ledger.Find(kFirst)->phase = Phase::kOutcome;
  ledger.Find(kSecond)->phase = Phase::kRunning;
  ledger.Return(/*running_too=*/false);
  EXPECT_EQ(ledger.Report(true, true).leases, (std::vector<LeaseRef>{kFirst, kSecond}));
  ledger.Return(/*running_too=*/true);
  EXPECT_TRUE(ledger.empty());
}

}  // namespace
}  // namespace inferon::worker
