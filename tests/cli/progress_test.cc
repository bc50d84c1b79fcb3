#include "client/cli/progress.h"

#include <gtest/gtest.h>

#include <sstream>

#include "client/cli/table.h"

namespace inferon::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ProgressState kHalf{.title = "uniform",
                          .unit = "experiments",
                          .done = 25'000,
                          .total = 50'000,
                          .rate = 5'000,
                          .elapsed_seconds = 5,
                          .note = ""};

TEST(ProgressTest, BarShowsShareRateAndTimeLeft) {
  EXPECT_EQ(RenderBar(kHalf, 120),
            "uniform  [###############---------------]   50 %  25 000/50 000 experiments  5000/s  "
            "5.0 s left");
}

TEST(ProgressTest, BarNeverExceedsTheTerminal) {
  ProgressState state = kHalf;
  state.note = "held-out log density 9.31 für Δ_T";
  for (int width = 1; width < 150; ++width) {
    EXPECT_LE(DisplayWidth(RenderBar(state, width)), width);
  }
}

TEST(ProgressTest, UnknownTotalShowsNoBarAndNoTimeLeft) {
  ProgressState state = kHalf;
  state.total = 0;
  EXPECT_EQ(RenderBar(state, 120), "uniform  25 000 experiments  5000/s");
}

TEST(ProgressTest, EndShowsTheTimeThatItTook) {
  ProgressState state = kHalf;
  state.done = state.total;
  EXPECT_EQ(RenderLine(state), "uniform  100 %  50 000/50 000 experiments  5000/s  5.0 s");
}

class ProgressOutputTest : public ::testing::Test {
 protected:
  std::ostringstream out_;
  std::ostringstream err_;
  OutputSettings settings_;
  Console console_{out_, err_, settings_};
  FakeClock clock_;
};

TEST_F(ProgressOutputTest, PipeGetsALineEveryTenSecondsAndTheLastOne) {
  Progress progress(console_, clock_, "uniform", "experiments");
  for (std::uint64_t done = 0; done <= 250; ++done) {
    progress.Update(done, 250);
    clock_.Advance(milliseconds(100));
  }
  progress.Finish();
  EXPECT_EQ(err_.str(),
            "uniform    0 %  0/250 experiments\n"
            "uniform   40 %  100/250 experiments  10/s  15 s left\n"
            "uniform   80 %  200/250 experiments  10/s  5.0 s left\n"
            "uniform  100 %  250/250 experiments  10/s  25 s\n");
  EXPECT_EQ(out_.str(), "");
}

TEST_F(ProgressOutputTest, TerminalRedrawsOneLineAtMostTenTimesASecond) {
  settings_.terminal = true;
  {
    Progress progress(console_, clock_, "uniform", "experiments");
    for (std::uint64_t done = 0; done < 100; ++done) {
      progress.Update(done, 100);
      clock_.Advance(milliseconds(10));
    }
  }
  const std::string text = err_.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 10);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(ProgressOutputTest, JsonShowsNoProgress) {
  settings_.json = true;
  Progress progress(console_, clock_, "uniform", "experiments");
  progress.Update(1, 2);
  progress.Finish();
  EXPECT_EQ(err_.str() + out_.str(), "");
}

TEST_F(ProgressOutputTest, RateFollowsTheLastHalfMinute) {
  Progress progress(console_, clock_, "job", "experiments");
  progress.Update(0, 10'000);
  clock_.Advance(seconds(100));  // Nothing for a long time, then ten a second.
  for (std::uint64_t done = 0; done <= 500; done += 10) {
    progress.Update(done, 10'000);
    clock_.Advance(seconds(1));
  }
  progress.Finish();
  EXPECT_NE(err_.str().find("500/10 000 experiments  10/s"), std::string::npos) << err_.str();
}

}  // namespace
}  // namespace inferon::cli
