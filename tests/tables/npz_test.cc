#include "common/tables/npz.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "common/tables/npy_writer.h"

namespace inferon {
namespace {

TEST(NpzTest, HoldsItsFilesAsTheyAre) {
  const TemporaryFolder folder;
  NpyWriter writer(folder.path() / "a.npy", "<f8", {2});
  writer.Append<double>(std::array<double, 4>{1, 2, 3, 4}, 2);
  writer.Close();
  WriteFileAtomically(folder.path() / "b.npy", "second");
  ASSERT_TRUE(WriteNpz(folder.path() / "c.npz", {{"theta.npy", folder.path() / "a.npy"},
                                                 {"x.npy", folder.path() / "b.npy"}}));
  const std::string archive = *ReadFile(folder.path() / "c.npz");
  const std::string first = *ReadFile(folder.path() / "a.npy");
  EXPECT_EQ(archive.substr(0, 4), "PK\x03\x04");
  EXPECT_EQ(archive.find(first), 30 + std::string("theta.npy").size());
  EXPECT_NE(archive.find("second"), std::string::npos);
  const std::uint32_t crc = Crc32(first);
  EXPECT_EQ(std::memcmp(archive.data() + 14, &crc, 4), 0);
  // Any unzip program agrees; NumPy's own reader where it is installed.
  const std::string command =
      "/usr/bin/python3 -c \"import zipfile; z = zipfile.ZipFile('" +
      (folder.path() / "c.npz").string() +
      "'); assert z.testzip() is None; assert z.read('x.npy') == b'second'\" 2>/dev/null";
  if (std::system("/usr/bin/python3 -c pass 2>/dev/null") != 0) GTEST_SKIP() << "no python3";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(Crc32Test, GoesOnWhereItStopped) {
  EXPECT_EQ(Crc32("789", Crc32("123456")), Crc32("123456789"));
  EXPECT_EQ(Crc32("123456789"), 0xCBF43926u);
}

}  // namespace
}  // namespace inferon
