#include "common/base/disk.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "common/base/files.h"

namespace inferon {
namespace {

std::string SomeBytes(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>((i * 2654435761u + seed) >> 11);
  }
  return bytes;
}

// Sizes and places around those at which a file may choose another way to write.
void WriteOneAfterTheOther(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "segment";
  const auto file = SystemDisk().Create(path);
  std::string expected;
  unsigned seed = 0;
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{1} << 20, (std::size_t{1} << 20) - 1, std::size_t{4095},
        (std::size_t{1} << 20) + 1, std::size_t{3'000'001}, std::size_t{2} << 20}) {
    const std::string bytes = SomeBytes(size, ++seed);
    file->WriteAt(expected.size(), bytes);
    expected += bytes;
  }
  const std::string again = SomeBytes(1 << 20, ++seed);  // In the middle of what is there.
  file->WriteAt(5000, again);
  expected.replace(5000, again.size(), again);
  file->Sync();
  EXPECT_TRUE(ReadFile(path).value() == expected);
}

TEST(DiskTest, LargeWritesAtAnyPlaceAreWhatWasWritten) {
  const TemporaryFolder folder;
  WriteOneAfterTheOther(folder.path());
}

TEST(DiskTest, LargeWritesToAFileSystemInMemoryToo) {
  const std::filesystem::path memory = "/dev/shm";
  if (!std::filesystem::is_directory(memory)) GTEST_SKIP() << "there is no /dev/shm here";
  const std::filesystem::path folder = memory / ("inferon-disk-test-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  WriteOneAfterTheOther(folder);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace inferon
