#include "server/trainer/registry/compute_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace inferon::trainer {
namespace {

TEST(ComputeQueueTest, NoMoreThanItsPlacesComputeAtOnce) {
  ComputeQueue queue(2);
  std::atomic<int> inside{0}, most{0}, turns{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        for (int turn = 0; turn < 200; ++turn) {
          const ComputeTurn here(&queue);
          const int now = ++inside;
          int seen = most;
          while (now > seen && !most.compare_exchange_weak(seen, now)) {
          }
          ++turns;
          --inside;
        }
      });
    }
  }
  EXPECT_LE(most, 2);
  EXPECT_EQ(turns, 1200);
}

// Each thread asks when the one before it is known to wait or compute: the order is theirs.
TEST(ComputeQueueTest, FirstComeFirstServed) {
  ComputeQueue queue(1);
  std::vector<int> order;
  std::vector<std::jthread> threads;
  {
    const ComputeTurn busy(&queue);
    for (int i = 0; i < 5; ++i) {
      threads.emplace_back([&, i] {
        const ComputeTurn turn(&queue);
        order.push_back(i);  // Alone: there is one place.
      });
      while (queue.waiting() != static_cast<std::size_t>(i) + 1) std::this_thread::yield();
    }
  }
  threads.clear();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(ComputeQueueTest, TwoEnterTogetherWhereThereIsRoomForTwo) {
  ComputeQueue queue(2);
  std::latch both(2);
  const auto compute = [&] {
    const ComputeTurn turn(&queue);
    both.arrive_and_wait();  // Hangs unless the other is inside, too.
  };
  std::jthread first(compute), second(compute);
}

TEST(ComputeQueueTest, WithoutAQueueATurnIsFree) { const ComputeTurn turn(nullptr); }

}  // namespace
}  // namespace inferon::trainer
