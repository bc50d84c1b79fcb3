#include "server/scheduler/services/stream_pump.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace inferon::scheduler {
namespace {

// Counts its steps; leaves in the one that finds the pump stopping.
class CountedStream : public PumpedStream, public std::enable_shared_from_this<CountedStream> {
 public:
  explicit CountedStream(StreamPump& pump) : pump_(pump) {}
  void Step() override {
    if (++steps == 1) first.set_value();
    if (pump_.stopping()) pump_.Leave(shared_from_this());
  }
  std::atomic<int> steps{0};
  std::promise<void> first;

 private:
  StreamPump& pump_;
};

void End(StreamPump& pump) {
  pump.Stop();
  pump.AwaitEmpty();
}

TEST(StreamPumpTest, StreamThatHasNotEnteredOrWasRefusedGetsNoStep) {
  StreamPump pump(1, 1);
  const auto outside = std::make_shared<CountedStream>(pump);
  const auto inside = std::make_shared<CountedStream>(pump);
  pump.Schedule(outside);
  ASSERT_TRUE(pump.Enter(inside));
  EXPECT_EQ(pump.Enter(outside).error().code, ErrorCode::kResourceExhausted);
  pump.Schedule(outside);
  inside->first.get_future().wait();
  End(pump);
  EXPECT_EQ(outside->steps, 0) << "it may have been ended with the refusal meanwhile";
}

TEST(StreamPumpTest, EndWaitsForTheLastStepOfEveryStream) {
  StreamPump pump(2, 100);
  std::vector<std::shared_ptr<CountedStream>> streams;
  for (int i = 0; i < 100; ++i) {
    streams.push_back(std::make_shared<CountedStream>(pump));
    ASSERT_TRUE(pump.Enter(streams.back()));
  }
  End(pump);
  for (const auto& stream : streams) EXPECT_GE(stream->steps, 1);
  EXPECT_EQ(pump.Enter(streams[0]).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace inferon::scheduler
