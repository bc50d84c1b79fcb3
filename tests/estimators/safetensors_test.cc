#include "server/trainer/estimators/safetensors.h"

#include <gmock/gmock.h>

#include <array>
#include <cstring>

#include "common/base/files.h"

namespace inferon::estimators {
namespace {

using testing::HasSubstr;

TensorFile Example() {
  TensorFile file;
  file.metadata = {{"format", "test"}};
  const std::array<float, 6> matrix{1, 2, 3, 4, 5, 6};
  const std::array<double, 2> line{0.5, -1e300};
  const std::array<std::uint32_t, 1> word{0xFFFFFFFFu};
  file.Put("matrix", {2, 3}, matrix);
  file.Put("line", line);
  file.Put("word", word);
  file.Put("empty", {0, 4}, std::span<const float>());
  return file;
}

// A file from a header text and data bytes.
std::string Raw(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

TEST(SafetensorsTest, DecodingGivesWhatWasEncoded) {
  const auto file = DecodeTensors(EncodeTensors(Example()));
  ASSERT_TRUE(file) << file.error().Text();
  EXPECT_EQ(file->metadata.at("format"), "test");
  EXPECT_EQ(*file->Floats("matrix", {2, 3}), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(*file->Doubles("line"), (std::vector<double>{0.5, -1e300}));
  EXPECT_EQ(*file->Words("word", 1), (std::vector<std::uint32_t>{0xFFFFFFFFu}));
  EXPECT_TRUE(file->Floats("empty", {0, 4})->empty());
}

TEST(SafetensorsTest, DataStartsAligned) {
  const std::string bytes = EncodeTensors(Example());
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ((8 + length) % 8, 0u);
}

TEST(SafetensorsTest, TensorOfOtherShapeOrTypeIsDataLoss) {
  const TensorFile file = Example();
  EXPECT_EQ(file.Floats("matrix", {3, 2}).error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(file.Floats("line", {2}).error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(file.Doubles("line", 3).error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(file.Floats("absent", {1}).error().message, HasSubstr("\"absent\" is missing"));
}

TEST(SafetensorsTest, EveryTruncationIsDataLoss) {
  const std::string bytes = EncodeTensors(Example());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const auto file = DecodeTensors(std::string_view(bytes).substr(0, n));
    ASSERT_FALSE(file) << n << " bytes";
    EXPECT_EQ(file.error().code, ErrorCode::kDataLoss);
  }
}

TEST(SafetensorsTest, EveryFlippedHeaderByteIsRefusedOrStaysInBounds) {
  const std::string bytes = EncodeTensors(Example());
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  for (std::size_t at = 0; at < 8 + length; ++at) {
    for (const char flip : {'\x01', '\x10', '\x80'}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      const auto file = DecodeTensors(damaged);  // Sanitizers watch for reads out of bounds.
      if (!file) {
        EXPECT_EQ(file.error().code, ErrorCode::kDataLoss);
      }
    }
  }
}

TEST(SafetensorsTest, InconsistentHeadersAreDataLoss) {
  const std::string f = R"("dtype":"F32","shape":)";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {Raw("[]", ""), "not a JSON object"},
      {Raw("{", ""), "not a JSON object"},
      {Raw("{\"a\":{" + f + "[1],\"data_offsets\":[0,8]}}", std::string(8, 'x')), "size of \"a\""},
      {Raw("{\"a\":{" + f + "[2],\"data_offsets\":[0,8]}}", std::string(4, 'x')), "leave the file"},
      {Raw("{\"a\":{" + f + "[1],\"data_offsets\":[4,0]}}", std::string(4, 'x')), "leave the file"},
      {Raw("{\"a\":{" + f + "[1],\"data_offsets\":[0]}}", std::string(4, 'x')), "leave the file"},
      {Raw("{\"a\":{" + f + "[-1],\"data_offsets\":[0,4]}}", std::string(4, 'x')),
       "shape of \"a\""},
      {Raw("{\"a\":{" + f + "[1.5],\"data_offsets\":[0,4]}}", std::string(4, 'x')), "shape of"},
      {Raw("{\"a\":{" + f + "[4294967296,4294967296],\"data_offsets\":[0,4]}}",
           std::string(4, 'x')),
       "size of \"a\""},
      {Raw("{\"a\":{\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,4]}}", std::string(4, 'x')),
       "F99"},
      {Raw("{\"a\":{" + f + "[1]}}", std::string(4, 'x')), "header entry"},
      {Raw("{\"a\":7}", ""), "header entry"},
      {Raw("{\"a\":{" + f + "[1],\"data_offsets\":[0,4]}}", std::string(8, 'x')),
       "follow the last"},
      {Raw("{\"a\":{" + f + "[1],\"data_offsets\":[0,4]},\"b\":{" + f +
               "[1],\"data_offsets\":[0,4]}}",
           std::string(4, 'x')),
       "overlap"},
      {Raw("{\"__metadata__\":[]}", ""), "metadata"},
      {Raw("{\"__metadata__\":{\"k\":1}}", ""), "metadata"},
  };
  for (const auto& [bytes, message] : cases) {
    const auto file = DecodeTensors(bytes);
    ASSERT_FALSE(file) << message;
    EXPECT_EQ(file.error().code, ErrorCode::kDataLoss);
    EXPECT_THAT(file.error().message, HasSubstr(message));
  }
}

TEST(SafetensorsTest, AbsentFileIsDataLossWithItsName) {
  const TemporaryFolder folder;
  const auto file = ReadTensors(folder.path() / "none.safetensors");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(file.error().message, HasSubstr("none.safetensors"));
}

}  // namespace
}  // namespace inferon::estimators
