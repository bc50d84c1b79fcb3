#include "common/base/trace.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/base/log.h"

namespace inferon {
namespace {

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceTest, AParentIsReadAndWritten) {
  const auto trace = ParseTraceParent(kParent);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(trace->span_id, "00f067aa0ba902b7");
  EXPECT_EQ(TraceParent(*trace), kParent);
  EXPECT_TRUE(ParseTraceParent("01" + std::string(kParent).substr(2) + "-more"));
}

TEST(TraceTest, MalformedParentsAreNone) {
  const std::string good = kParent;
  for (const std::string& text :
       {std::string(), good.substr(1), good + "x", good + "-x", "ff" + good.substr(2),
        std::string(good).replace(3, 32, std::string(32, '0')),
        std::string(good).replace(36, 16, std::string(16, '0')),
        std::string(good).replace(10, 1, "G"), std::string(good).replace(35, 1, "_")}) {
    EXPECT_FALSE(ParseTraceParent(text)) << text;
  }
}

TEST(TraceTest, AChildIsOfTheSameRequest) {
  const Trace trace = MakeTrace();
  EXPECT_TRUE(ParseTraceParent(TraceParent(trace)));
  const Trace child = ChildOf(trace);
  EXPECT_EQ(child.trace_id, trace.trace_id);
  EXPECT_NE(child.span_id, trace.span_id);
  EXPECT_NE(MakeTrace().trace_id, trace.trace_id);
}

TEST(TraceTest, AScopeIsOfItsThreadAndNests) {
  const Trace outer = MakeTrace();
  const TraceScope scope(outer);
  {
    const TraceScope inner(MakeTrace());
    EXPECT_NE(CurrentTrace().trace_id, outer.trace_id);
  }
  EXPECT_EQ(CurrentTrace().trace_id, outer.trace_id);
  std::jthread([] { EXPECT_TRUE(CurrentTrace().empty()); });
}

TEST(LogTest, AJsonLineIsOneObjectWhateverTheMessage) {
  EXPECT_EQ(
      JsonLogLine("t", "info", "worker a", "said \"no\"\n\\", "1f"),
      R"({"time":"t","level":"info","process":"worker a","message":"said \"no\"\u000a\\","trace_id":"1f"})");
  EXPECT_EQ(JsonLogLine("t", "warn", "p", "m", ""),
            R"({"time":"t","level":"warn","process":"p","message":"m"})");
}

}  // namespace
}  // namespace inferon
