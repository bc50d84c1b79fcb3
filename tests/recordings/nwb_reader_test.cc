#include "common/recordings/nwb/nwb_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cmath>

#include "common/base/files.h"
#include "common/recordings/stimulus.h"
#include "tests/recordings/nwb_files.h"

namespace inferon::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NwbReaderTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<RecordingFile>> Open(const FileSpec& spec, ReadOptions options = {}) {
    const std::filesystem::path path =
        folder_.path() / ("cell" + std::to_string(files_++) + ".nwb");
    WriteHdf5(path, spec);
    return OpenRecording(path, options);
  }
  Result<Recording> ReadFirst(const FileSpec& spec, ReadOptions options = {}) {
    const auto file = Open(spec, options);
    if (!file) return tl::unexpected(file.error());
    return (*file)->Read(0);
  }

  TemporaryFolder folder_;
  int files_ = 0;
};

void ExpectTheStep(const Recording& recording) {
  ASSERT_EQ(recording.time_ms.size(), 6000u);
  EXPECT_DOUBLE_EQ(recording.time_ms[1], 0.1);
  EXPECT_NEAR(recording.voltage_mv[0], -70, 1e-9);
  const Stimulus stimulus = FindStimulus(recording).value();
  EXPECT_NEAR(stimulus.step.window.start_ms, 100, 1e-9);
  EXPECT_NEAR(stimulus.step.window.stop_ms, 400, 1e-9);
  EXPECT_NEAR(stimulus.step.amplitude_pa, 200, 1e-9);
  EXPECT_EQ(SpikeTimes(recording, -20).size(), 6u);
}

TEST_F(NwbReaderTest, ReadsVersion2) {
  const auto file = Open(Nwb2()).value();
  EXPECT_EQ(file->format(), "NWB 2");
  ASSERT_EQ(file->sweeps().size(), 1u);
  EXPECT_EQ(file->sweeps()[0].number, 4);
  EXPECT_EQ(file->sweeps()[0].samples, 6000u);
  EXPECT_EQ(file->sweeps()[0].rate_khz, 10);
  EXPECT_TRUE(file->sweeps()[0].has_current);
  ExpectTheStep(file->Read(0).value());
}

TEST_F(NwbReaderTest, ReadsVersion1) {
  const auto file = Open(Nwb1()).value();
  EXPECT_EQ(file->format(), "NWB 1");
  EXPECT_EQ(file->sweeps()[0].number, 4);
  EXPECT_EQ(file->sweeps()[0].name, "Sweep_4");
  ExpectTheStep(file->Read(0).value());
}

TEST_F(NwbReaderTest, ConversionScalesStoredIntegers) {
  FileSpec spec = Nwb2();
  for (double& v : spec.series[0].data) v *= 1e5;  // Hundredths of millivolts.
  spec.series[0].as_int16 = true;
  spec.series[0].conversion = 1e-5;
  const Recording recording = ReadFirst(spec).value();
  EXPECT_NEAR(recording.voltage_mv[0], -70, 1e-9);
}

TEST_F(NwbReaderTest, OffsetIsAddedInTheSeriesUnit) {
  FileSpec spec = Nwb2();
  for (double& v : spec.series[0].data) v = (v + 0.05) * 1e5;
  spec.series[0].as_int16 = true;
  spec.series[0].conversion = 1e-5, spec.series[0].offset = -0.05;
  for (double& i : spec.series[1].data) i -= 20e-12;
  spec.series[1].offset = 20e-12;
  const Recording recording = ReadFirst(spec).value();
  EXPECT_NEAR(recording.voltage_mv[0], -70, 1e-9);
  EXPECT_NEAR(recording.current_pa[0], 0, 1e-9);
  spec.series[0].offset = NAN;
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("offset nan"));
}

TEST_F(NwbReaderTest, OldPipelinesConversionIsLeftAsideAndSaid) {
  FileSpec spec = Nwb1();
  spec.series[0].conversion = 1e-3;
  EXPECT_NEAR(ReadFirst(spec).value().voltage_mv[0], -0.07, 1e-9);
  spec.pipeline_version = "1.1";
  EXPECT_NEAR(ReadFirst(spec).value().voltage_mv[0], -0.07, 1e-9);
  spec.pipeline_version = "1.0";
  const Recording old = ReadFirst(spec).value();
  EXPECT_NEAR(old.voltage_mv[0], -70, 1e-9);
  EXPECT_THAT(old.notes, ElementsAre(HasSubstr("conversion factors were left aside")));
}

TEST_F(NwbReaderTest, PaddingAfterTheExperimentIsLeftOutAndSaid) {
  FileSpec spec = Nwb1();
  for (std::size_t k = 5000; k < 6000; ++k) spec.series[0].data[k] = 0;
  spec.epochs = {{4, 500, 4500}};
  const Recording recording = ReadFirst(spec).value();
  EXPECT_EQ(recording.voltage_mv.size(), 5000u);
  EXPECT_NEAR(recording.voltage_mv[0], -70, 1e-9) << "what lies before the experiment stays";
  EXPECT_THAT(recording.notes, ElementsAre(HasSubstr("1000 samples after the end")));
}

TEST_F(NwbReaderTest, SweepsAreInOrderOfTheirNumbers) {
  FileSpec spec;
  for (const int number : {10, 2, 9}) {
    FileSpec one = Nwb1();
    for (SeriesSpec& series : one.series) {
      series.path.replace(series.path.size() - 1, 1, std::to_string(number));
      spec.series.push_back(series);
    }
  }
  const auto file = Open(spec).value();
  std::vector<std::int64_t> numbers;
  for (const SweepInfo& sweep : file->sweeps()) numbers.push_back(sweep.number.value());
  EXPECT_THAT(numbers, ElementsAre(2, 9, 10));
  EXPECT_EQ(FindSweep(*file, "9").value(), 1u);
  EXPECT_EQ(FindSweep(*file, "Sweep_10").value(), 2u);
  EXPECT_THAT(FindSweep(*file, "3").error().advice, HasSubstr("2, 9, 10"));
}

TEST_F(NwbReaderTest, SweepNumbersThatAreNoneGiveWayToTheName) {
  for (const double none : {4294967295.0, -1.0, static_cast<double>(NAN)}) {
    FileSpec spec = Nwb2();
    for (SeriesSpec& series : spec.series) series.sweep_number = none;
    const auto file = Open(spec).value();
    EXPECT_EQ(file->sweeps()[0].number, 4);
    EXPECT_TRUE(file->sweeps()[0].has_current);
  }
}

TEST_F(NwbReaderTest, AcquisitionSystemsNamesAreRead) {
  FileSpec spec = Nwb1();
  spec.series[0].path = "/acquisition/timeseries/data_00012_AD0";
  spec.series[1].path = "/stimulus/presentation/data_00012_DA0";
  const auto file = Open(spec).value();
  EXPECT_EQ(file->sweeps()[0].number, 12);
  ExpectTheStep(file->Read(0).value());
}

TEST_F(NwbReaderTest, SeveralElectrodesOfASweepKeepTheirOwnStimuli) {
  FileSpec spec;
  for (const char* electrode : {"left", "right"}) {
    for (SeriesSpec series : Nwb2().series) {
      series.path += std::string("_") + electrode;
      series.electrode = electrode;
      if (series.unit == "amperes" && series.electrode == "right") {
        for (double& current : series.data) current *= 2;
      }
      spec.series.push_back(series);
    }
  }
  const auto file = Open(spec).value();
  ASSERT_EQ(file->sweeps().size(), 2u);
  EXPECT_THAT(FindSweep(*file, "4").error().advice, HasSubstr("CurrentClampSeries_04_left"));
  const auto amplitude = [&](const std::string& name) {
    const std::size_t index = FindSweep(*file, "CurrentClampSeries_04_" + name).value();
    return FindStimulus(file->Read(index).value()).value().step.amplitude_pa;
  };
  EXPECT_NEAR(amplitude("left"), 200, 1e-9);
  EXPECT_NEAR(amplitude("right"), 400, 1e-9);
}

TEST_F(NwbReaderTest, VoltageClampIsListedWithTheReasonAndNotRead) {
  FileSpec spec = Nwb2();
  spec.series[0].type = "VoltageClampSeries";
  spec.series[0].unit = "amperes";
  const auto file = Open(spec).value();
  EXPECT_THAT(file->sweeps()[0].problem, HasSubstr("VoltageClampSeries"));
  EXPECT_THAT(file->Read(0).error().message, HasSubstr("no current-clamp series"));
  FileSpec old = Nwb1();
  old.series[0].unit = "Amps";
  EXPECT_THAT(Open(old).value()->sweeps()[0].problem, HasSubstr("not a voltage"));
}

TEST_F(NwbReaderTest, UnitsAreNeverGuessed) {
  FileSpec spec = Nwb2();
  spec.series[0].unit = "";
  const Result<Recording> refused = ReadFirst(spec);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no unit"));
  EXPECT_THAT(refused.error().advice, HasSubstr("--units V,A"));
  EXPECT_NEAR(ReadFirst(spec, {.units = "V,A"}).value().voltage_mv[0], -70, 1e-9);
  spec = Nwb2();
  spec.series[1].unit = "volts";
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("no unit of a current"));
}

TEST_F(NwbReaderTest, SweepWithoutStimulusHasNoCurrent) {
  FileSpec spec = Nwb2();
  spec.series.pop_back();
  const Recording recording = ReadFirst(spec).value();
  EXPECT_THAT(recording.current_pa, IsEmpty());
  EXPECT_THAT(recording.notes, ElementsAre(HasSubstr("no stimulus")));
}

TEST_F(NwbReaderTest, ShorterStimulusIsUnknownAtTheEnd) {
  FileSpec spec = Nwb2();
  spec.series[1].data.resize(5000);
  const Recording recording = ReadFirst(spec).value();
  EXPECT_TRUE(std::isnan(recording.current_pa.back()));
  EXPECT_DOUBLE_EQ(FindStep(recording).value().start_ms, 100);
}

TEST_F(NwbReaderTest, StimulusOfAnotherRateIsTakenAtTheSameTimes) {
  FileSpec spec = Nwb2();
  std::vector<double> coarse;
  for (std::size_t k = 0; k < spec.series[1].data.size(); k += 5) {
    coarse.push_back(spec.series[1].data[k]);
  }
  spec.series[1].data = coarse;
  spec.series[1].rate_hz = 2000;
  EXPECT_NEAR(FindStep(ReadFirst(spec).value()).value().start_ms, 100, 0.5);
}

// Timestamps of a series, and no rate.
void Stamp(SeriesSpec& series, double start_s, double step_s) {
  series.rate_hz = 0;
  series.timestamps.clear();
  for (std::size_t k = 0; k < series.data.size(); ++k) {
    series.timestamps.push_back(start_s + step_s * static_cast<double>(k));
  }
}

void Thin(SeriesSpec& series, std::size_t factor) {
  std::vector<double> coarse;
  for (std::size_t k = 0; k < series.data.size(); k += factor) coarse.push_back(series.data[k]);
  series.data = std::move(coarse);
}

TEST_F(NwbReaderTest, CurrentIsTakenAtTheVoltagesTimesWhateverTellsThem) {
  FileSpec stamped = Nwb2();  // Voltage by timestamps, current by a start and half the rate.
  Stamp(stamped.series[0], 12.5, 1e-4);
  Thin(stamped.series[1], 2);
  stamped.series[1].rate_hz = 5000, stamped.series[1].start_s = 12.5;
  FileSpec other = Nwb2();  // The other way round.
  other.series[0].start_s = 12.5;
  Thin(other.series[1], 2);
  Stamp(other.series[1], 12.5, 2e-4);
  const StepWindow absolute = FindStep(ReadFirst(stamped).value()).value();
  EXPECT_NEAR(absolute.start_ms, 12'600, 0.2);
  EXPECT_NEAR(absolute.stop_ms, 12'900, 0.2);
  EXPECT_NEAR(FindStep(ReadFirst(other).value()).value().start_ms, 100, 0.2);
  std::swap(other.series[1].timestamps[3], other.series[1].timestamps[4]);
  EXPECT_THAT(ReadFirst(other).error().message, HasSubstr("do not rise"));
}

TEST_F(NwbReaderTest, CurrentThatBeginsLaterIsUnknownBefore) {
  FileSpec spec = Nwb2();
  spec.series[0].start_s = 3;
  spec.series[1].start_s = 3.05;
  spec.series[1].data.erase(spec.series[1].data.begin(), spec.series[1].data.begin() + 500);
  const Recording recording = ReadFirst(spec).value();
  EXPECT_TRUE(std::isnan(recording.current_pa[499]));
  EXPECT_EQ(recording.current_pa[500], 0);
  EXPECT_NEAR(FindStep(recording).value().start_ms, 100, 0.1);
  EXPECT_THAT(recording.notes, ElementsAre(HasSubstr("5500 of the response's 6000")));
  spec.series[1].start_s = 300;
  EXPECT_THAT(ReadFirst(spec).value().notes, ElementsAre(HasSubstr("0 of the response's 6000")));
}

TEST_F(NwbReaderTest, WithoutNumbersANameOrBeingAloneTellsTheStimulus) {
  FileSpec spec = Nwb2();
  for (SeriesSpec& series : spec.series) series.sweep_number.reset();
  spec.series[0].path = "/acquisition/response";
  spec.series[1].path = "/stimulus/presentation/stimulus";
  ExpectTheStep(ReadFirst(spec).value());
  SeriesSpec second = spec.series[0];
  second.path = "/acquisition/second";
  spec.series.push_back(second);
  const Recording two = ReadFirst(spec).value();
  EXPECT_TRUE(two.current_pa.empty());
  EXPECT_THAT(two.notes, ElementsAre(HasSubstr("cannot be told")));
  spec.series[1].path = "/stimulus/presentation/response";
  ExpectTheStep(ReadFirst(spec).value());
  spec = Nwb2();  // Numbers that disagree are no pair, even alone.
  spec.series[1].sweep_number = 5;
  EXPECT_TRUE(ReadFirst(spec).value().current_pa.empty());
}

TEST_F(NwbReaderTest, ATableOfPairsTellsTheStimulusBeforeNumbersDo) {
  FileSpec spec;
  for (const char* sweep : {"a", "b"}) {
    for (SeriesSpec series : Nwb2().series) {
      series.path = series.path.substr(0, series.path.rfind('/') + 1) + sweep + "-ch-0";
      series.sweep_number.reset();
      if (series.unit == "amperes" && *sweep == 'b') {
        for (double& amperes : series.data) amperes *= 2;
      }
      spec.series.push_back(series);
    }
  }
  spec.series[1].path = "/stimulus/presentation/x-ch-0";
  spec.series[3].path = "/stimulus/presentation/y-ch-0";
  EXPECT_THAT(ReadFirst(spec).value().notes, ElementsAre(HasSubstr("cannot be told")));
  spec.pairs = {{spec.series[2].path, spec.series[3].path},
                {spec.series[0].path, spec.series[1].path}};
  const auto file = Open(spec).value();
  EXPECT_NEAR(FindStimulus(file->Read(0).value()).value().step.amplitude_pa, 200, 1e-9);
  EXPECT_NEAR(FindStimulus(file->Read(1).value()).value().step.amplitude_pa, 400, 1e-9);
  spec.pairs = {{spec.series[0].path, ""}};
  EXPECT_THAT(ReadFirst(spec).value().notes, ElementsAre(HasSubstr("cannot be told")));
}

TEST_F(NwbReaderTest, NanAtTheEndOfAStoppedSweepIsLeftOutAndSaid) {
  FileSpec spec = Nwb2();
  for (std::size_t k = 5500; k < 6000; ++k) spec.series[0].data[k] = NAN;
  const Recording recording = ReadFirst(spec).value();
  EXPECT_EQ(recording.time_ms.size(), 5500u);
  EXPECT_THAT(recording.notes, ElementsAre(HasSubstr("last 500 samples are NaN")));
  for (double& v : spec.series[0].data) v = NAN;
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("fewer than 2"));
}

// A filter that does nothing, under a number that no library has.
constexpr H5Z_filter_t kForeignFilter = 300;
std::size_t PassThrough(unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*,
                        void**) {
  return bytes;
}

TEST_F(NwbReaderTest, CompressionThatIsNotKnownIsNamed) {
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, kForeignFilter, 1,       1,
                            "foreign",        nullptr,        nullptr, PassThrough};
  ASSERT_GE(H5Zregister(&filter), 0);
  FileSpec spec = Nwb2();
  spec.series[0].filter = kForeignFilter;
  const auto file = Open(spec).value();
  ASSERT_GE(H5Zunregister(kForeignFilter), 0);
  const auto refused = file->Read(0);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("filter 300 (foreign)"));
  EXPECT_THAT(refused.error().advice, HasSubstr("h5repack"));
}

TEST_F(NwbReaderTest, TimestampsMustRiseAndMayBeResampled) {
  FileSpec spec = Nwb2();
  spec.series[0].rate_hz = 0;
  spec.series[1].rate_hz = 0;
  for (std::size_t s = 0; s < 2; ++s) {
    for (int k = 0; k < 6000; ++k) spec.series[s].timestamps.push_back(1e-4 * k);
  }
  ExpectTheStep(ReadFirst(spec).value());
  for (int k = 5000; k < 6000; ++k) spec.series[0].timestamps[static_cast<std::size_t>(k)] += 0.05;
  EXPECT_THAT(ReadFirst(spec).error().advice, HasSubstr("--resample"));
  EXPECT_EQ(ReadFirst(spec, {.resample = true}).value().time_ms.size(), 6500u);
  spec.series[0].timestamps[7] = 0;
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("sample 7"));
  spec.series[0].timestamps.clear();
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("neither a sampling rate"));
}

TEST_F(NwbReaderTest, RefusesWrongTypesAndNumbers) {
  FileSpec spec = Nwb2();
  spec.series[0].as_text = true;
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("does not hold numbers"));
  spec = Nwb2();
  spec.series[0].rate_hz = -1;
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("sampling rate -1"));
  spec = Nwb2();
  spec.series[0].conversion = NAN;
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("conversion"));
  spec = Nwb2();
  spec.series[0].data[17] = NAN;
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("sample 17"));
  spec = Nwb2();
  spec.series[0].data.resize(1);
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("fewer than 2"));
}

TEST_F(NwbReaderTest, ClaimsOfGigabytesAreRefusedBeforeTheyAreBelieved) {
  FileSpec spec = Nwb2();
  spec.series[0].claimed = std::size_t{1} << 40;
  EXPECT_THAT(ReadFirst(spec).error().message, HasSubstr("more than 20000000"));
  spec.series[0].claimed = 1001;
  EXPECT_FALSE(ReadFirst(spec, {.max_samples = 1000}));
  EXPECT_TRUE(ReadFirst(Nwb2(), {.max_samples = 6000}));
  EXPECT_FALSE(ReadFirst(Nwb2(), {.max_samples = 5999}));
}

TEST_F(NwbReaderTest, TruncatedFilesAreRefusedAtEveryLength) {
  WriteHdf5(folder_.path() / "whole.nwb", Nwb2());
  const std::string whole = ReadFile(folder_.path() / "whole.nwb").value();
  for (std::size_t size = 0; size < whole.size(); size += whole.size() / 40 + 1) {
    WriteFileAtomically(folder_.path() / "cut.nwb", whole.substr(0, size));
    const auto file = OpenRecording(folder_.path() / "cut.nwb");
    ASSERT_FALSE(file && (*file)->Read(0)) << size;
    if (!file) {
      EXPECT_FALSE(file.error().advice.empty());
    }
  }
}

TEST_F(NwbReaderTest, OtherHdf5FilesAreNamedAsSuch) {
  FileSpec other{.series = {{.path = "/entry/data", .data = {1, 2, 3}}}};
  EXPECT_THAT(Open(other).error().message, HasSubstr("no NWB file"));
  EXPECT_THAT(Open({}).error().message, HasSubstr("no NWB file"));
}

}  // namespace
}  // namespace inferon::testing
