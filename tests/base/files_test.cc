#include "common/base/files.h"

#include <gtest/gtest.h>

#include <fstream>
#include <system_error>

namespace inferon {
namespace {

TEST(FilesTest, AtomicWriteReplacesTheWholeContent) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "state.json";
  WriteFileAtomically(path, "a long first content");
  WriteFileAtomically(path, "short");
  EXPECT_EQ(ReadFile(path).value(), "short");
}

TEST(FilesTest, AtomicWriteLeavesNothingElseBehind) {
  const TemporaryFolder folder;
  WriteFileAtomically(folder.path() / "a", "content");
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    ++files;
  }
  EXPECT_EQ(files, 1);
}

TEST(FilesTest, AtomicWriteIntoAMissingFolderThrows) {
  const TemporaryFolder folder;
  EXPECT_THROW(WriteFileAtomically(folder.path() / "none" / "a", "x"), std::system_error);
}

TEST(FilesTest, ReadingSaysWhatIsWrong) {
  const TemporaryFolder folder;
  EXPECT_EQ(ReadFile(folder.path() / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadFile(folder.path()).error().code, ErrorCode::kInvalidArgument);
  WriteFileAtomically(folder.path() / "a", "1234");
  EXPECT_EQ(ReadFile(folder.path() / "a", 4).value(), "1234");
  const auto too_large = ReadFile(folder.path() / "a", 3);
  ASSERT_FALSE(too_large);
  EXPECT_NE(too_large.error().message.find("limit of 3"), std::string::npos);
}

TEST(FileLockTest, ASecondHolderIsRefusedUntilTheFirstIsGone) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "lock";
  {
    const auto first = FileLock::Acquire(path);
    ASSERT_TRUE(first);
    const auto second = FileLock::Acquire(path);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
  }
  EXPECT_TRUE(FileLock::Acquire(path));
}

}  // namespace
}  // namespace inferon
