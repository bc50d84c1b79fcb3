// Files of arrays meet malformed input: safetensors (models, checkpoints) and NPY as the trainer
// maps it. NPY as users bring it: tests/tables.
#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "common/base/files.h"
#include "common/tables/table_reader.h"
#include "server/trainer/estimators/safetensors.h"
#include "server/trainer/studies/array_file.h"
#include "tests/fuzz/mutate.h"

namespace inferon {
namespace {

using estimators::DecodeTensors;
using estimators::EncodeTensors;
using estimators::TensorFile;

std::string SmallTensors() {
  TensorFile file;
  file.metadata = {{"format", "inferon-density-1"}};
  const std::array<float, 6> matrix{1, 2, 3, 4, 5, 6};
  const std::array<double, 2> line{0.5, -2};
  file.Put("a.weight", {2, 3}, matrix);
  file.Put("line", line);
  file.Put("none", {0, 4}, std::span<const float>());
  return EncodeTensors(file);
}

std::size_t Elements(const std::vector<std::int64_t>& shape) {
  std::size_t n = 1;
  for (const std::int64_t extent : shape) n *= static_cast<std::size_t>(extent);
  return n;
}

TEST(ArraysFuzzTest, MutatedTensorsAreRefusedOrFillTheirShape) {
  const std::string valid = SmallTensors();
  ASSERT_TRUE(DecodeTensors(valid));
  int refused = 0, accepted = 0;
  fuzz::ForEachMutation(valid, 50'000, [&](const std::string& bytes) {
    const auto file = DecodeTensors(bytes);
    if (!file) {
      ++refused;
      ASSERT_EQ(file.error().code, ErrorCode::kDataLoss);
      ASSERT_FALSE(file.error().advice.empty());
      return;
    }
    ++accepted;
    for (const auto& [name, tensor] : file->tensors) {
      if (tensor.dtype == "F32") {
        ASSERT_EQ(tensor.bytes.size(), 4 * Elements(tensor.shape));
      }
    }
    ASSERT_TRUE(DecodeTensors(EncodeTensors(*file)));
  });
  EXPECT_GT(refused, 10'000);
  EXPECT_GT(accepted, 100);  // A flipped bit of a number is still a number.
}

class NpyFuzzTest : public testing::Test {
 protected:
  void Put(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "array.npy";
};

constexpr std::array<double, 12> kNumbers{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

TEST_F(NpyFuzzTest, MutatedMappedArraysAreRefusedOrStayInTheFile) {
  trainer::WriteArray<double>(path_, kNumbers, {3, 4});
  const std::string valid = *ReadFile(path_);
  int refused = 0;
  double sum = 0;
  fuzz::ForEachMutation(valid, 2'000, [&](const std::string& bytes) {
    Put(bytes);
    const auto array = trainer::MappedArray<double>::Open(path_);
    if (!array) {
      ++refused;
      ASSERT_EQ(array.error().code, ErrorCode::kDataLoss);
      return;
    }
    ASSERT_LE(array->rows() * array->columns(), array->values().size());
    for (std::uint64_t i = 0; i < array->rows(); ++i) {
      for (const double value : array->Row(i)) sum += value != 0;
    }
  });
  EXPECT_GT(refused, 500);
  EXPECT_GT(sum, 0);
}

// A product of extents that wraps around would pass as the file's length.
TEST_F(NpyFuzzTest, ShapesWhoseSizeOverflowsAreRefused) {
  trainer::WriteArray<double>(path_, kNumbers, {3, 4});
  std::string bytes = *ReadFile(path_);
  const std::string shape = "(3, 4), }";
  const std::string wide = "(6917529027641081859, 4), }";  // (2^61 * 3 + 3) * 4 * 8 wraps to 96.
  bytes.replace(bytes.find(shape), wide.size(), wide);
  Put(bytes);
  const auto array = trainer::MappedArray<double>::Open(path_);
  ASSERT_FALSE(array);
  EXPECT_EQ(array.error().code, ErrorCode::kDataLoss);
  EXPECT_FALSE(ReadTable(path_, 1000));
}

}  // namespace
}  // namespace inferon
