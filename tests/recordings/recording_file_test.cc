#include "common/recordings/recording_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/base/files.h"
#include "tests/recordings/nwb_files.h"

namespace inferon {
namespace {

using ::testing::HasSubstr;

class RecordingFileTest : public ::testing::Test {
 protected:
  std::filesystem::path Write(const std::string& name, const std::string& content) {
    WriteFileAtomically(folder_.path() / name, content);
    return folder_.path() / name;
  }
  TemporaryFolder folder_;
};

TEST_F(RecordingFileTest, TableHasOneSweepNamedAsTheFile) {
  const auto file = OpenRecording(Write("a.csv", "time_ms,voltage_mV\n0,-70\n0.5,-70\n")).value();
  EXPECT_EQ(file->format(), "table");
  ASSERT_EQ(file->sweeps().size(), 1u);
  EXPECT_EQ(file->sweeps()[0].name, "a.csv");
  EXPECT_EQ(file->sweeps()[0].rate_khz, 2);
  EXPECT_TRUE(file->Read(0));
}

TEST_F(RecordingFileTest, FormatIsToldByContentNotByName) {
  testing::WriteHdf5(folder_.path() / "cell.csv", testing::Nwb2());
  EXPECT_EQ(OpenRecording(folder_.path() / "cell.csv").value()->format(), "NWB 2");
}

TEST_F(RecordingFileTest, KnownForeignFormatsAreNamed) {
  using namespace std::string_literals;
  EXPECT_THAT(OpenRecording(Write("a", "ABF2\0\0"s)).error().message, HasSubstr("ABF"));
  EXPECT_THAT(OpenRecording(Write("b", "\x05\0xx"s)).error().message, HasSubstr("Igor"));
  EXPECT_THAT(OpenRecording(Write("c", "\0\x02xx"s)).error().message, HasSubstr("Igor"));
  EXPECT_THAT(OpenRecording(Write("d", "PK\x03\x04zzzz"s)).error().message, HasSubstr("ZIP"));
  EXPECT_THAT(OpenRecording(Write("e", "x\0y"s)).error().message, HasSubstr("binary"));
  EXPECT_THAT(OpenRecording(Write("f", "x\0y"s)).error().advice, HasSubstr("NWB"));
}

TEST_F(RecordingFileTest, MissingFilesAndFoldersAreRefused) {
  EXPECT_EQ(OpenRecording("/nonexistent.nwb").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(OpenRecording(folder_.path()).error().message, HasSubstr("folder"));
}

TEST_F(RecordingFileTest, PipesAreRefusedBecauseTheirBeginningIsReadTwice) {
  const std::filesystem::path pipe = folder_.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(OpenRecording(pipe).error().message, HasSubstr("no regular file"));
}

TEST_F(RecordingFileTest, LoadNeedsASweepWhereThereAreSeveral) {
  testing::FileSpec two = testing::Nwb2();
  for (testing::SeriesSpec series : testing::Nwb2().series) {
    series.path.back() = '5';
    series.sweep_number = 5;
    two.series.push_back(series);
  }
  testing::WriteHdf5(folder_.path() / "two.nwb", two);
  const auto refused = LoadRecording(folder_.path() / "two.nwb");
  EXPECT_THAT(refused.error().advice, HasSubstr("--sweep: 4, 5"));
  EXPECT_TRUE(LoadRecording(folder_.path() / "two.nwb", {}, "5"));
}

}  // namespace
}  // namespace inferon
