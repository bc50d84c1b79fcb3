// Data sets, models and calibration of any simulator: domain to wire and back.
#pragma once

#include "common/inference/engine.h"
#include "inferon/v1/simulators.pb.h"

namespace inferon::rpc {

v1::Dataset ToProto(const DataSetInfo& info);
v1::Dataset ToProto(const DataSetSpec& spec);
Result<DataSetInfo> FromProto(const v1::Dataset& message);

v1::SimulatorModel ToProto(const ModelInfo& info);
Result<ModelInfo> FromProto(const v1::SimulatorModel& message);

v1::CheckCalibrationResponse ToProto(const CalibrationReport& report);
Result<CalibrationReport> FromProto(const v1::CheckCalibrationResponse& message);

// Rows as two arrays; columns are those of theta and x.
struct RowArrays {
  v1::Array theta;
  v1::Array x;
};
RowArrays ToArrays(const DataSetRows& rows, std::size_t dimension, std::size_t columns);
// kInvalidArgument where an array is malformed or has not these columns.
Result<DataSetRows> RowsFromArrays(const v1::Array& theta, const v1::Array& x,
                                   std::size_t dimension, std::size_t columns);

// A block of a study's experiments; `first`: also what describes the round.
v1::ExportStudyRoundResponse ToProto(const StudyRoundInfo& info, const StudyRows& rows, bool first);
// From the first block.
StudyRoundInfo StudyRoundFromProto(const v1::ExportStudyRoundResponse& message,
                                   const std::string& study, const std::string& round);
// kInvalidArgument where arrays do not fit each other or the round.
Result<StudyRows> StudyRowsFromProto(const v1::ExportStudyRoundResponse& message,
                                     const StudyRoundInfo& info);

}  // namespace inferon::rpc
