// Studies, models and reports on the wire.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "inferon/v1/inference.pb.h"
#include "server/trainer/registry/model_record.h"
#include "server/trainer/studies/report.h"
#include "server/trainer/studies/study_record.h"
#include "server/trainer/studies/study_spec.h"

namespace inferon::trainer {

// A number left 0 stays 0: FillDefaults comes later.
Result<StudySpec> FromProto(const v1::StudySpec& message);
v1::StudySpec ToProto(const StudySpec& spec);
v1::Study ToProto(const StudyRecord& record);
v1::Model ToProto(const ModelRecord& record);
v1::ReportNumber ToProto(const ReportNumber& number);
v1::Array ToProto(const ReportArray& array);

// One page of records that have an id, in their order. The token is the last id of the page before.
// kInvalidArgument for a token that names no record.
template <typename Record>
struct Page {
  std::vector<Record> records;
  std::string next_token;
};
template <typename Record>
Result<Page<Record>> TakePage(const std::vector<Record>& all, std::uint32_t size,
                              const std::string& token) {
  constexpr std::uint32_t kDefaultSize = 50;
  constexpr std::uint32_t kMostSize = 1000;
  const std::size_t wanted = size == 0 ? kDefaultSize : std::min(size, kMostSize);
  auto first = all.begin();
  if (!token.empty()) {
    first = std::find_if(all.begin(), all.end(), [&](const Record& r) { return r.id == token; });
    if (first == all.end()) {
      return InvalidArgument("the page token is unknown", "Start again with the first page");
    }
    ++first;
  }
  const auto last = first + static_cast<std::ptrdiff_t>(std::min<std::size_t>(
                                wanted, static_cast<std::size_t>(all.end() - first)));
  Page<Record> page{{first, last}, {}};
  if (last != all.end()) page.next_token = page.records.back().id;
  return page;
}

}  // namespace inferon::trainer
