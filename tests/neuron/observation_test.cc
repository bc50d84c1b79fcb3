#include "common/neuron/observation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace inferon {
namespace {

using ::testing::ElementsAre;

ObservationBatch SmallBatch() {
  return {.points = 3,
          .trace = {1, 2, 3, 4, 5, 6, 1023, 0, 7},
          .spike_count = {2, 0, 1},
          .spike_time_us = {0.5f, 1.25f, 2.0f},
          .provenance = R"({"a":1,"substrate":"fake"})"};
}

bool Same(const ObservationBatch& a, const ObservationBatch& b) {
  return a.points == b.points && a.trace == b.trace && a.spike_count == b.spike_count &&
         a.spike_time_us == b.spike_time_us && a.provenance == b.provenance;
}

// A frame with a header of one's own.
std::string Frame(const std::string& header, const std::string& arrays) {
  std::string frame = "INFOBS1\n";
  const auto length = static_cast<std::uint32_t>(header.size());
  frame.append(reinterpret_cast<const char*>(&length), 4);
  return frame + header + arrays;
}

std::string Header(const std::string& n, const std::string& points, const std::string& spikes) {
  return R"({"arrays":[{"dtype":"u2","name":"trace","shape":[)" + n + "," + points +
         R"(]},{"dtype":"u4","name":"spike_count","shape":[)" + n +
         R"(]},{"dtype":"f4","name":"spike_time_us","shape":[)" + spikes +
         R"(]}],"provenance":{}})";
}

void ExpectDataLoss(const std::string& frame) {
  const Result<ObservationBatch> decoded = DecodeObservations(frame);
  ASSERT_FALSE(decoded) << frame.substr(0, 300);
  EXPECT_EQ(decoded.error().code, ErrorCode::kDataLoss);
}

TEST(ObservationFrameTest, ComesBackAsItWas) {
  const Result<ObservationBatch> decoded = DecodeObservations(EncodeObservations(SmallBatch()));
  ASSERT_TRUE(decoded) << decoded.error().Text();
  EXPECT_TRUE(Same(*decoded, SmallBatch()));
}

TEST(ObservationFrameTest, EmptyBatchComesBack) {
  for (const std::string provenance : {"", "{}"}) {
    const ObservationBatch empty{.points = 5, .provenance = provenance};
    const Result<ObservationBatch> decoded = DecodeObservations(EncodeObservations(empty));
    ASSERT_TRUE(decoded) << decoded.error().Text();
    EXPECT_TRUE(Same(*decoded, empty));
  }
}

TEST(ObservationFrameTest, EqualBatchesGiveEqualBytes) {
  ObservationBatch spaced = SmallBatch();
  spaced.provenance = R"({ "substrate": "fake", "a": 1 })";
  EXPECT_EQ(EncodeObservations(SmallBatch()), EncodeObservations(spaced));
}

TEST(ObservationFrameTest, RefusesEveryTruncationAndAnyExcess) {
  const std::string frame = EncodeObservations(SmallBatch());
  for (std::size_t length = 0; length < frame.size(); ++length) {
    ExpectDataLoss(frame.substr(0, length));
  }
  ExpectDataLoss(frame + '\0');
}

TEST(ObservationFrameTest, SurvivesEveryFlippedByte) {
  const std::string frame = EncodeObservations(SmallBatch());
  for (std::size_t i = 0; i < frame.size(); ++i) {
    for (const int bit : {1, 0x80}) {
      std::string damaged = frame;
      damaged[i] = static_cast<char>(damaged[i] ^ bit);
      const Result<ObservationBatch> decoded = DecodeObservations(damaged);
      if (!decoded) continue;
      // Not detectable without a checksum; but what comes out is a valid batch.
      EXPECT_EQ(decoded->trace.size(), decoded->size() * decoded->points);
      EXPECT_TRUE(DecodeObservations(EncodeObservations(*decoded)));
    }
  }
}

TEST(ObservationFrameTest, RefusesHeadersThatLie) {
  const std::string two_bytes(2, '\0'), four_bytes(4, '\0');
  EXPECT_TRUE(DecodeObservations(Frame(Header("1", "1", "0"), two_bytes + four_bytes)));
  ExpectDataLoss(Frame(Header("18446744073709551615", "2", "0"), ""));
  ExpectDataLoss(Frame(Header("9223372036854775808", "2", "0"), ""));
  ExpectDataLoss(Frame(Header("0", "18446744073709551615", "0"), ""));
  ExpectDataLoss(Frame(Header("0", "1", "4611686018427387904"), ""));
  ExpectDataLoss(Frame(Header("1000000000000", "0", "0"), ""));
  ExpectDataLoss(Frame(Header("-1", "1", "0"), two_bytes + four_bytes));
  ExpectDataLoss(Frame(Header("1.0", "1", "0"), two_bytes + four_bytes));
  ExpectDataLoss(Frame("[]", ""));
  ExpectDataLoss(Frame("{}", ""));
  ExpectDataLoss(Frame("{\"arrays\":", ""));
  ExpectDataLoss(Frame(R"({"arrays":[],"provenance":{}})", ""));
  ExpectDataLoss(Frame(R"({"arrays":[1,2,3],"provenance":{}})", ""));
  ExpectDataLoss(Frame(std::string(100'000, '['), ""));
  ExpectDataLoss(Frame(
      R"({"arrays":[],"provenance":)" + std::string(1000, '[') + std::string(1000, ']') + "}", ""));
}

TEST(ObservationFrameTest, RefusesASecondKeyOrAWrongTypeInTheHeader) {
  const std::string body(6, '\0');
  const std::string good = Header("1", "1", "0");
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string header = good;
    header.replace(header.find(from), from.size(), to);
    return Frame(header, body);
  };
  ExpectDataLoss(replaced("\"provenance\"", "\"more\":1,\"provenance\""));
  ExpectDataLoss(replaced("\"provenance\":{}", "\"provenance\":[]"));
  ExpectDataLoss(replaced("\"provenance\":{}", "\"provenance\":\"x\""));
  ExpectDataLoss(replaced("\"u2\"", "\"u4\""));
  ExpectDataLoss(replaced("\"trace\"", "\"Trace\""));
  ExpectDataLoss(replaced("\"dtype\":\"u2\"", "\"dtype\":\"u2\",\"x\":1"));
}

TEST(ObservationFrameTest, RefusesImpossibleValues) {
  ObservationBatch too_high = SmallBatch();
  too_high.trace[4] = 1024;
  ExpectDataLoss(EncodeObservations(too_high));
  for (const float time : {0.5f, 0.4f, -1.0f, std::nanf(""), INFINITY}) {
    ObservationBatch unordered = SmallBatch();
    unordered.spike_time_us[1] = time;
    ExpectDataLoss(EncodeObservations(unordered));
  }
  ObservationBatch too_many = SmallBatch();
  too_many.spike_count[1] = 1;
  ExpectDataLoss(EncodeObservations(too_many));
}

TEST(ObservationBatchTest, SlicesJoinToTheWhole) {
  const ObservationBatch whole = SmallBatch();
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    ObservationBatch joined = Slice(whole, 0, cut);
    Append(joined, Slice(whole, cut, whole.size() - cut));
    EXPECT_TRUE(Same(joined, whole)) << cut;
  }
}

TEST(ObservationBatchTest, ExtractsOneObservation) {
  const Observation last = Extract(SmallBatch(), 2);
  EXPECT_THAT(last.trace, ElementsAre(1023, 0, 7));
  EXPECT_THAT(last.spike_time_us, ElementsAre(2.0f));
  EXPECT_TRUE(Extract(SmallBatch(), 1).spike_time_us.empty());
}

}  // namespace
}  // namespace inferon
