#include "client/cli/study_view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "client/cli/format.h"
#include "common/rpc/convert.h"

namespace inferon::cli {
namespace {

nlohmann::json TimeJson(bool set, const google::protobuf::Timestamp& time) {
  return set ? nlohmann::json(FormatTimeUtc(rpc::FromProto(time))) : nlohmann::json(nullptr);
}

double Seconds(const google::protobuf::Timestamp& from, const google::protobuf::Timestamp& to) {
  return std::chrono::duration<double>(rpc::FromProto(to) - rpc::FromProto(from)).count();
}

nlohmann::json StepJson(const v1::StudyStep& step) {
  return {{"id", step.id()},
          {"title", step.title()},
          {"done", step.done()},
          {"total", step.total()},
          {"unit", step.unit()},
          {"note", step.note()},
          {"start_time", TimeJson(step.has_start_time(), step.start_time())},
          {"end_time", TimeJson(step.has_end_time(), step.end_time())}};
}

std::string StepState(const v1::StudyStep& step) {
  if (step.has_end_time()) return "done";
  return step.has_start_time() ? "running" : "waiting";
}

}  // namespace

std::string StudyName(const std::string& given) {
  return given.find('/') == std::string::npos ? "studies/" + given : given;
}

std::string DeviceMark(const v1::Study& study) {
  std::vector<std::string> marks;
  for (const std::string& mode : study.modes()) {
    if (mode == "fake") marks.emplace_back("fake device");
    if (mode == "zeromock") marks.emplace_back("mock device");
    if (mode == "simulation") marks.emplace_back("simulated device");
  }
  return fmt::format("{}", fmt::join(marks, ", "));
}

std::string StudyStateName(v1::StudyState state) {
  switch (state) {
    case v1::STUDY_STATE_RUNNING:
      return "running";
    case v1::STUDY_STATE_SUCCEEDED:
      return "succeeded";
    case v1::STUDY_STATE_FAILED:
      return "failed";
    case v1::STUDY_STATE_CANCELLED:
      return "cancelled";
    default:
      return "unknown";
  }
}

nlohmann::json StudyJson(const v1::Study& study) {
  nlohmann::json steps = nlohmann::json::array();
  for (const v1::StudyStep& step : study.steps()) steps.push_back(StepJson(step));
  return {{"name", study.name()},
          {"state", StudyStateName(study.state())},
          {"seed", study.spec().seed()},
          {"uniform_count", study.spec().uniform_count()},
          {"constrained_count", study.spec().constrained_count()},
          {"steps", steps},
          {"models", std::vector<std::string>(study.models().begin(), study.models().end())},
          {"create_time", TimeJson(study.has_create_time(), study.create_time())},
          {"end_time", TimeJson(study.has_end_time(), study.end_time())},
          {"modes", std::vector<std::string>(study.modes().begin(), study.modes().end())},
          {"error", study.error()},
          {"revision", study.revision()}};
}

void PrintStudy(Console& console, const v1::Study& study) {
  console.Print(fmt::format("{} {}", study.name(), StudyStateName(study.state())));
  if (!study.error().empty()) console.Print("error: " + study.error());
  if (!study.modes().empty()) {
    console.Print(fmt::format("devices: {}", fmt::join(study.modes(), ", ")));
  }
  if (!study.models().empty()) {
    console.Print(fmt::format("models: {}", fmt::join(study.models(), ", ")));
  }
  Table table{
      {{"STEP"}, {"STATE"}, {"DONE", true}, {"TOTAL", true}, {"UNIT"}, {"TIME", true}, {"NOTE"}},
      {}};
  for (const v1::StudyStep& step : study.steps()) {
    const bool timed = step.has_start_time() && step.has_end_time();
    table.rows.push_back({step.title(), StepState(step), FormatCount(step.done()),
                          step.total() > 0 ? FormatCount(step.total()) : "-", step.unit(),
                          timed ? FormatDuration(Seconds(step.start_time(), step.end_time())) : "-",
                          step.note()});
  }
  console.Print(table);
  console.PrintJson(StudyJson(study));
}

void StudyProgress::Show(const v1::Study& study) {
  if (console_.settings().json) return;
  const v1::StudyStep* running = nullptr;
  for (const v1::StudyStep& step : study.steps()) {
    if (step.has_end_time() && !ended_.contains(step.id())) ShowEnded(step);
    if (step.has_start_time() && !step.has_end_time() && running == nullptr) running = &step;
  }
  if (running == nullptr || study.state() != v1::STUDY_STATE_RUNNING) return;
  if (!bar_ || current_ != running->id()) {
    Pause();
    bar_ = std::make_unique<Progress>(console_, clock_, running->title(), running->unit());
    current_ = running->id();
  }
  bar_->Update(running->done(), running->total(), running->note());
}

void StudyProgress::Pause() { bar_.reset(); }

void StudyProgress::ShowEnded(const v1::StudyStep& step) {
  ended_.insert(step.id());
  if (bar_ && current_ == step.id()) {
    bar_->Update(step.done(), step.total(), step.note());
    bar_->Finish();
    bar_.reset();
    return;
  }
  Pause();
  console_.Note(RenderLine(
      {.title = step.title(),
       .unit = step.unit(),
       .done = step.done(),
       .total = step.total(),
       .elapsed_seconds = step.has_start_time() ? Seconds(step.start_time(), step.end_time()) : 0,
       .note = step.note()}));
}

Result<v1::Study> WatchStudyToEnd(CommandContext& context, client::TrainerClient& trainer,
                                  const std::string& name) {
  StudyProgress progress(context.console, context.clock);
  v1::Study last;
  for (;;) {
    const Status watched = trainer.WatchStudy(name, last.revision(), context.stop,
                                              [&](const v1::Study& study) -> Status {
                                                last = study;
                                                progress.Show(study);
                                                return {};
                                              });
    if (!watched) return tl::unexpected(watched.error());
    if (last.state() != v1::STUDY_STATE_RUNNING) return last;
    // A trainer that shuts down ends its streams; the next one goes on with the study.
    if (!context.clock.SleepFor(std::chrono::seconds(1), context.stop)) {
      return Fail(ErrorCode::kCancelled, "interrupted");
    }
  }
}

}  // namespace inferon::cli
