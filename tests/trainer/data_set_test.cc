#include "server/trainer/studies/data_set.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "tests/trainer/toy_experiments.h"

namespace inferon::trainer {
namespace {

ExperimentJob ToyJob(std::size_t sets) {
  ExperimentJob job;
  job.sets.dimension = 2;
  for (std::size_t i = 0; i < sets; ++i) {
    job.sets.codes.push_back(static_cast<std::uint16_t>(850 + 20 * i % 170));
    job.sets.codes.push_back(static_cast<std::uint16_t>(i));
  }
  job.protocol = ToyProtocol();
  job.seed = 5;
  return job;
}

void WriteToySet(const std::filesystem::path& folder, std::uint64_t block) {
  const ExperimentJob job = ToyJob(30);
  DataSetWriter writer(folder, "toy", 2, job.protocol);
  for (std::uint64_t first = 0; first < 30; first += block) {
    ASSERT_TRUE(writer.Append(std::span(job.sets.codes).subspan(first * 2, block * 2),
                              ToyObservations(job, first, block)));
  }
  writer.Finish();
}

TEST(ArrayFileTest, HeaderIsNumpysAndAlwaysOneLength) {
  const std::vector<std::uint64_t> shape{3, 4};
  const std::string header = NpyHeader("<u2", shape);
  EXPECT_EQ(header.size(), kNpyHeaderBytes);
  EXPECT_EQ(header.substr(1, 5), "NUMPY");
  EXPECT_NE(header.find("{'descr': '<u2', 'fortran_order': False, 'shape': (3, 4), }"),
            std::string::npos);
  EXPECT_EQ(header.back(), '\n');
  const std::vector<std::uint64_t> one{7};
  EXPECT_NE(NpyHeader("<f8", one).find("'shape': (7,), "), std::string::npos);
}

TEST(ArrayFileTest, WhatWasWrittenIsMapped) {
  const TemporaryFolder folder;
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  WriteArray(folder.path() / "a.npy", std::span<const float>(values), {3, 2});
  const auto array = MappedArray<float>::Open(folder.path() / "a.npy");
  ASSERT_TRUE(array);
  EXPECT_EQ(array->rows(), 3u);
  EXPECT_EQ(array->columns(), 2u);
  EXPECT_EQ(array->Row(2)[1], 6);
}

TEST(ArrayFileTest, DamageIsRefused) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.npy";
  const std::vector<float> values{1, 2, 3, 4};
  EXPECT_EQ(MappedArray<float>::Open(path).error().code, ErrorCode::kNotFound);
  WriteArray(path, std::span<const float>(values), {4});
  EXPECT_EQ(MappedArray<double>::Open(path).error().code, ErrorCode::kDataLoss);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_EQ(MappedArray<float>::Open(path).error().code, ErrorCode::kDataLoss);
  std::filesystem::resize_file(path, 10);
  EXPECT_EQ(MappedArray<float>::Open(path).error().code, ErrorCode::kDataLoss);
  std::ofstream(path, std::ios::binary) << std::string(300, 'x');
  EXPECT_EQ(MappedArray<float>::Open(path).error().code, ErrorCode::kDataLoss);
}

TEST(DataSetTest, RowsComeBackAsTheyWentIn) {
  const TemporaryFolder folder;
  WriteToySet(folder.path(), 10);
  const auto data = DataSet::Open(folder.path(), "toy");
  ASSERT_TRUE(data) << data.error().Text();
  const ExperimentJob job = ToyJob(30);
  const ObservationBatch all = ToyObservations(job, 0, 30);
  ASSERT_EQ(data->size(), 30u);
  EXPECT_EQ(data->dimension(), 2u);
  EXPECT_EQ(data->points(), 40u);
  for (std::size_t i = 0; i < 30; ++i) {
    const Observation expected = Extract(all, i);
    const Observation found = data->At(i);
    EXPECT_EQ(found.trace, expected.trace);
    EXPECT_EQ(found.spike_time_us, expected.spike_time_us);
    EXPECT_EQ(data->StimulusSpikes(i), all.spike_count[i]);
    EXPECT_TRUE(std::ranges::equal(data->Codes(i), job.sets[i]));
    const Features features = ExtractFeatures(expected, job.protocol);
    for (std::size_t f = 0; f < kFeatureCount; ++f) {
      EXPECT_TRUE(features[f] == data->FeatureRow(i)[f] ||
                  (std::isnan(features[f]) && std::isnan(data->FeatureRow(i)[f])));
    }
  }
}

TEST(DataSetTest, BytesDoNotDependOnTheBlocks) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "a");
  std::filesystem::create_directories(folder.path() / "b");
  WriteToySet(folder.path() / "a", 10);
  WriteToySet(folder.path() / "b", 3);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "a")) {
    EXPECT_EQ(*ReadFile(entry.path()), *ReadFile(folder.path() / "b" / entry.path().filename()))
        << entry.path();
  }
  EXPECT_EQ(DataSet::Open(folder.path() / "a", "toy")->sha256(),
            Sha256Hex(*ReadFile(folder.path() / "b" / "toy.json")));
}

TEST(DataSetTest, SourcesGiveTheRowsAsked) {
  const TemporaryFolder folder;
  WriteToySet(folder.path(), 10);
  estimators::RowSource traces;
  estimators::RowSource features;
  {
    const auto data = DataSet::Open(folder.path(), "toy");
    traces = data->TraceSource();
    features = data->FeatureSource();
  }  // The sources keep the files mapped.
  const auto data = DataSet::Open(folder.path(), "toy");
  const std::vector<std::uint32_t> rows{29, 0, 7};
  std::vector<float> out(3 * 40);
  traces.fill(rows, out.data());
  EXPECT_EQ(out[0], data->Trace(29)[0]);
  EXPECT_EQ(out[40 + 39], data->Trace(0)[39]);
  std::vector<float> feature_rows(3 * kFeatureCount);
  features.fill(rows, feature_rows.data());
  EXPECT_EQ(feature_rows[2 * kFeatureCount], data->FeatureRow(7)[0]);
}

TEST(DataSetTest, FailedExperimentsHaveNoRowAndAreNamed) {
  const TemporaryFolder folder;
  const ExperimentJob job = ToyJob(3);
  DataSetWriter writer(folder.path(), "toy", 2, job.protocol);
  ASSERT_TRUE(writer.Append(job.sets[0], ToyObservations(job, 0, 1)));
  writer.AppendFailed(1, "the chip \"melted\"");
  ASSERT_TRUE(writer.Append(job.sets[2], ToyObservations(job, 2, 1)));
  writer.Finish();
  const auto data = DataSet::Open(folder.path(), "toy");
  ASSERT_TRUE(data);
  EXPECT_EQ(data->size(), 2u);
  EXPECT_EQ(data->failed(), 1u);
  EXPECT_EQ(data->Codes(1)[1], job.sets[2][1]);
}

TEST(DataSetTest, IncompleteOrDamagedSetsAreRefused) {
  const TemporaryFolder folder;
  const ExperimentJob job = ToyJob(2);
  {
    DataSetWriter writer(folder.path(), "toy", 2, job.protocol);
    ASSERT_TRUE(writer.Append(job.sets.codes, ToyObservations(job, 0, 2)));
  }  // Never finished.
  EXPECT_FALSE(DataSet::Exists(folder.path(), "toy"));
  EXPECT_EQ(DataSet::Open(folder.path(), "toy").error().code, ErrorCode::kNotFound);
  WriteToySet(folder.path(), 10);
  EXPECT_TRUE(DataSet::Exists(folder.path(), "toy"));
  const std::vector<std::uint32_t> few{1, 2};
  WriteArray(folder.path() / "toy.spike_count.npy", std::span<const std::uint32_t>(few), {2});
  EXPECT_EQ(DataSet::Open(folder.path(), "toy").error().code, ErrorCode::kDataLoss);
}

TEST(DataSetTest, WrongNumberOfPointsIsRefused) {
  const TemporaryFolder folder;
  ExperimentJob job = ToyJob(1);
  DataSetWriter writer(folder.path(), "toy", 2, job.protocol);
  job.protocol.duration_us = 41;
  const Status status = writer.Append(job.sets.codes, ToyObservations(job, 0, 1));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kDataLoss);
}

}  // namespace
}  // namespace inferon::trainer
