#include "client/library/npy.h"

#include <gtest/gtest.h>

#include "common/base/files.h"

namespace inferon::client {
namespace {

TEST(NpyTest, FileHoldsHeaderAndRows) {
  const TemporaryFolder folder;
  NpyWriter writer(folder.path() / "a.npy", "<u2", {3});
  const std::vector<std::uint16_t> first{1, 2, 3};
  const std::vector<std::uint16_t> more{4, 5, 6, 7, 8, 9};
  writer.Append(std::span<const std::uint16_t>(first), 1);
  writer.Append(std::span<const std::uint16_t>(more), 2);
  writer.Close();
  const std::string bytes = *ReadFile(folder.path() / "a.npy");
  ASSERT_EQ(bytes.size(), 256u + 18u);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(static_cast<unsigned char>(bytes[8]), 246);  // Header length 256 - 10, little-endian.
  EXPECT_EQ(bytes[9], 0);
  EXPECT_EQ(bytes.substr(10, 60), "{'descr': '<u2', 'fortran_order': False, 'shape': (3, 3,), }");
  EXPECT_EQ(bytes[255], '\n');
  EXPECT_EQ(bytes.substr(256, 4), std::string("\x01\x00\x02\x00", 4));
}

TEST(NpyTest, EmptyAndOneDimensionalArraysAreValid) {
  const TemporaryFolder folder;
  NpyWriter writer(folder.path() / "a.npy", "<f4", {});
  writer.Close();
  const std::string bytes = *ReadFile(folder.path() / "a.npy");
  EXPECT_NE(bytes.find("'shape': (0,), }"), std::string::npos);
  EXPECT_EQ(bytes.size(), 256u);
}

}  // namespace
}  // namespace inferon::client
