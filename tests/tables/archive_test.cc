#include "common/tables/archive.h"

#include <gmock/gmock.h>
#include <hdf5.h>

#include <array>
#include <cstdlib>
#include <fstream>

#include "common/base/files.h"

namespace inferon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::array<double, 4> kTheta{1, 2, 3, 4};
constexpr std::array<std::uint16_t, 6> kX{10, 11, 12, 13, 14, 15};

// Two rows of both arrays, in two blocks.
void Write(const std::filesystem::path& path) {
  ArraySpec theta{"theta", "<f8", {2}, {{"names", {"rate", "\xC2\xB5"}}, {"units", {"1/s", ""}}}};
  auto archive =
      CreateArchive(path, {theta, {"x", "<u2", {3}}, {"count", "<u4", {}}}, {{"dataset", "toy"}});
  ASSERT_TRUE(archive) << archive.error().Text();
  for (std::size_t row = 0; row < 2; ++row) {
    ASSERT_TRUE((*archive)->Append(0, BytesOf(std::span(kTheta).subspan(2 * row, 2)), 1));
    ASSERT_TRUE((*archive)->Append(1, BytesOf(std::span(kX).subspan(3 * row, 3)), 1));
    EXPECT_FALSE(std::filesystem::exists(path)) << "nothing appears before it is whole";
  }
  const std::array<std::uint32_t, 1> count{7};
  ASSERT_TRUE((*archive)->Append(2, BytesOf(std::span<const std::uint32_t>(count)), 1));
  ASSERT_TRUE((*archive)->Close());
}

bool PythonHas(const std::string& module) {
  return std::system(("/usr/bin/python3 -c 'import " + module + "' 2>/dev/null").c_str()) == 0;
}

int Python(const std::string& code) {
  return std::system(("/usr/bin/python3 -c \"" + code + "\"").c_str());
}

std::size_t Entries(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(ArchiveTest, NumPyOpensAnNpzInOneLine) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.npz";
  Write(path);
  EXPECT_EQ(Entries(folder.path()), 1u);
  if (!PythonHas("numpy")) GTEST_SKIP() << "no NumPy";
  EXPECT_EQ(Python("import numpy; d = numpy.load('" + path.string() +
                   "'); "
                   "assert d['theta'].tolist() == [[1, 2], [3, 4]]; "
                   "assert d['x'].tolist() == [[10, 11, 12], [13, 14, 15]]; "
                   "assert d['count'].tolist() == [7]; "
                   "assert d['theta_units'].tolist() == ['1/s', '']; "
                   "assert d['theta_names'][0] == 'rate'"),
            0);
}

TEST(ArchiveTest, NpyIsOneFileAnArray) {
  const TemporaryFolder folder;
  Write(folder.path() / "a.npy");
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "a.theta.npy"));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "a.x.npy"));
  EXPECT_EQ(Entries(folder.path()), 3u);
}

TEST(ArchiveTest, Hdf5HoldsArraysWithTheirNamesAndUnits) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.h5";
  Write(path);
  EXPECT_EQ(Entries(folder.path()), 1u);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  const hid_t theta = H5Dopen2(file, "theta", H5P_DEFAULT);
  const hid_t space = H5Dget_space(theta);
  std::array<hsize_t, 2> shape{};
  ASSERT_EQ(H5Sget_simple_extent_dims(space, shape.data(), nullptr), 2);
  EXPECT_THAT(shape, ElementsAre(2, 2));
  std::array<double, 4> values{};
  H5Dread(theta, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  EXPECT_EQ(values, kTheta);
  const hid_t x = H5Dopen2(file, "x", H5P_DEFAULT);
  std::array<std::uint16_t, 6> x_values{};
  H5Dread(x, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, x_values.data());
  EXPECT_EQ(x_values, kX);
  const hid_t names = H5Aopen(theta, "names", H5P_DEFAULT);
  const hid_t type = H5Aget_type(names);
  std::array<char*, 2> texts{};
  ASSERT_GE(H5Aread(names, type, texts.data()), 0);
  EXPECT_STREQ(texts[0], "rate");
  EXPECT_STREQ(texts[1], "\xC2\xB5");
  for (char* text : texts) H5free_memory(text);
  EXPECT_GT(H5Aexists(file, "dataset"), 0);
  H5Tclose(type), H5Aclose(names), H5Dclose(x), H5Sclose(space), H5Dclose(theta), H5Fclose(file);
  if (PythonHas("h5py")) {
    EXPECT_EQ(Python("import h5py; f = h5py.File('" + path.string() +
                     "'); "
                     "assert f['theta'][:].tolist() == [[1, 2], [3, 4]]; "
                     "assert f['theta'].attrs['names'][0] == 'rate'; "
                     "assert f.attrs['dataset'] == 'toy'"),
              0);
  }
}

TEST(ArchiveTest, WhatIsGivenUpLeavesNothingAndWhatWasThereStays) {
  const TemporaryFolder folder;
  for (const char* name : {"a.npz", "a.h5"}) {
    const auto path = folder.path() / name;
    std::ofstream(path) << "before";
    {
      auto archive = CreateArchive(path, {{"x", "<u2", {3}}}, {});
      ASSERT_TRUE(archive);
      ASSERT_TRUE((*archive)->Append(0, BytesOf(std::span<const std::uint16_t>(kX)), 2));
    }
    EXPECT_EQ(*ReadFile(path), "before");
  }
  EXPECT_EQ(Entries(folder.path()), 2u);
}

TEST(ArchiveTest, RefusalsSayWhatToDo) {
  const auto ending = CreateArchive("a.mat", {}, {});
  ASSERT_FALSE(ending);
  EXPECT_THAT(ending.error().message, HasSubstr("neither in .npz"));
  const auto place = CreateArchive("/nowhere/at/all/a.h5", {}, {});
  ASSERT_FALSE(place);
  EXPECT_THAT(place.error().Text(), HasSubstr("cannot be written"));
}

}  // namespace
}  // namespace inferon
