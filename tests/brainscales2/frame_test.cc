#include "worker/brainscales2/frame.h"

#include <gtest/gtest.h>

#include <cstring>

#include "common/base/philox.h"
#include "tests/fuzz/mutate.h"

namespace inferon::worker {
namespace {

// Without the length word, as DecodeWire wants it.
Result<WireFrame> Decode(std::string_view frame) {
  auto bytes = std::make_unique<char[]>(frame.size());
  std::memcpy(bytes.get(), frame.data(), frame.size());
  return DecodeWire(std::move(bytes), frame.size());
}

std::string Body(const std::string& frame) { return frame.substr(sizeof(std::uint32_t)); }

std::string RandomText(PhiloxSequence& random, std::uint32_t most) {
  std::string text;
  for (std::uint32_t i = random.Below(most); i > 0; --i) {
    text += static_cast<char>(' ' + random.Below(95));
  }
  return text;
}

TEST(FrameTest, WhatGoesInComesOut) {
  PhiloxSequence random(StreamKey(1, "frames"));
  for (int round = 0; round < 500; ++round) {
    nlohmann::json header = {{"type", RandomText(random, 20)},
                             {"text", RandomText(random, 200)},
                             {"number", random.Below(1'000'000)},
                             {"list", {1, 2.5, nullptr, true}}};
    std::vector<std::vector<std::uint16_t>> values(random.Below(5));
    std::vector<WireArray> arrays;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint64_t rows = random.Below(6), columns = random.Below(6);
      values[i].resize(rows * columns);
      for (auto& value : values[i]) value = static_cast<std::uint16_t>(random.Below(65'536));
      arrays.push_back(
          MakeWireArray<std::uint16_t>("array" + std::to_string(i), values[i], {rows, columns}));
    }
    const std::string frame = EncodeWire(header, arrays);
    std::uint32_t length = 0;
    std::memcpy(&length, frame.data(), sizeof length);
    ASSERT_EQ(length, frame.size() - sizeof length);
    const auto decoded = Decode(Body(frame));
    ASSERT_TRUE(decoded) << decoded.error().Text();
    EXPECT_EQ(decoded->header, header);
    ASSERT_EQ(decoded->arrays.size(), arrays.size());
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      EXPECT_EQ(decoded->arrays[i].name, arrays[i].name);
      EXPECT_EQ(decoded->arrays[i].dtype, "u2");
      EXPECT_EQ(decoded->arrays[i].shape, arrays[i].shape);
      EXPECT_EQ(decoded->arrays[i].data, arrays[i].data);
    }
  }
}

TEST(FrameTest, ListsComeOutWithTheirTypeOnly) {
  const std::vector<std::int32_t> times{-5, 0, 7};
  const std::array arrays{MakeWireArray<std::int32_t>("time", times, {3})};
  const auto frame = Decode(Body(EncodeWire({{"type", "t"}}, arrays)));
  ASSERT_TRUE(frame);
  EXPECT_EQ(TakeWireArray<std::int32_t>(*frame, "time").value(), times);
  EXPECT_EQ(TakeWireArray<float>(*frame, "time").error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(TakeWireArray<std::int32_t>(*frame, "other").error().code, ErrorCode::kDataLoss);
}

TEST(FrameTest, MutatedFramesAreRefusedOrConsistent) {
  const std::vector<std::uint16_t> values{1, 2, 3, 4};
  const std::array arrays{MakeWireArray<std::uint16_t>("a", values, {2, 2}),
                          MakeWireArray<std::uint16_t>("b", values, {4})};
  const std::string body = Body(EncodeWire({{"type", "batch"}, {"n", 3}}, arrays));
  ASSERT_TRUE(Decode(body));
  int refused = 0;
  fuzz::ForEachMutation(body, 20'000, [&](const std::string& bytes) {
    const auto frame = Decode(bytes);
    if (!frame) {
      ++refused;
      EXPECT_EQ(frame.error().code, ErrorCode::kDataLoss);
      return;
    }
    std::size_t total = 0;
    for (const WireArray& array : frame->arrays) total += array.data.size();
    ASSERT_LT(total, bytes.size());
    EXPECT_FALSE(frame->Type().empty() && frame->arrays.size() > 16);
  });
  EXPECT_GT(refused, 5'000);
}

TEST(FrameTest, DeepAndHugeHeadersAreRefused) {
  const auto with_header = [](const std::string& header) {
    const auto length = static_cast<std::uint32_t>(header.size());
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header;
  };
  EXPECT_TRUE(Decode(with_header(R"({"type":"t"})")));
  std::string deep = R"({"type":"t","x":)";
  deep += std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_FALSE(Decode(with_header(deep)));
  EXPECT_FALSE(Decode(with_header(R"({"type":1})")));
  EXPECT_FALSE(Decode(with_header(R"([1])")));
  EXPECT_FALSE(Decode(with_header(std::string(kMaxWireHeader + 1, ' '))));
  EXPECT_FALSE(Decode(with_header(
      R"({"type":"t","arrays":[{"name":"a","dtype":"u8","shape":[4294967296,4294967296]}]})")));
  EXPECT_FALSE(Decode("abc"));
}

}  // namespace
}  // namespace inferon::worker
