// inferon study run|list|show|watch|cancel|report
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/format.h"
#include "client/cli/study_device.h"
#include "client/cli/study_numbers.h"
#include "client/cli/study_options.h"
#include "client/cli/study_report.h"
#include "client/cli/study_view.h"
#include "common/rpc/convert.h"

namespace inferon::cli {
namespace {

struct StudyIdOptions {
  std::string id;
  std::string folder;  // report: where to write it.
};

// What a failed watch or fetch means: an interruption leaves the study running.
int FailedStudy(CommandContext& context, const Error& error, const std::string& name) {
  if (error.code != ErrorCode::kCancelled || !context.stop.stop_requested()) {
    return context.console.FailedCall(error);
  }
  const std::string id = name.substr(name.find('/') + 1);
  return context.console.Failed(
      {ErrorCode::kCancelled,
       "interrupted; the study goes on",
       fmt::format("Watch it again with 'inferon study watch {}', or end it with 'inferon study "
                   "cancel {}'",
                   id, id),
       {}},
      kInterrupted);
}

// Numbers as a table or as the command's JSON object, and the report where a folder is given.
int Conclude(CommandContext& context, client::TrainerClient& trainer, const std::string& name,
             const std::string& folder) {
  const Result<report::ReportData> data = FetchReport(trainer, name, context.stop);
  if (!data) return FailedStudy(context, data.error(), name);
  std::string page;
  if (!folder.empty()) {
    const Result<std::string> written = WriteReportTo(context.console, *data, folder);
    if (!written) return context.console.FailedInput(written.error());
    page = *written;
  }
  if (!data->device_mark.empty()) {
    context.console.Warn(data->device_mark + ": no chip made these data");
  }
  context.console.Print(NumbersTable(data->numbers));
  if (!page.empty()) context.console.Print("\nReport: " + page);
  nlohmann::json json = NumbersJson(data->study, data->numbers, page);
  json["device_mark"] = data->device_mark;
  context.console.PrintJson(json);
  return kOk;
}

// The study has ended: its numbers, or why it has none.
int ShowEnd(CommandContext& context, client::TrainerClient& trainer, const v1::Study& study,
            const std::string& folder) {
  if (study.state() == v1::STUDY_STATE_SUCCEEDED) {
    return Conclude(context, trainer, study.name(), folder);
  }
  const std::string why = study.error().empty() ? "" : ": " + study.error();
  return context.console.Failed({ErrorCode::kFailedPrecondition,
                                 study.name() + " " + StudyStateName(study.state()) + why,
                                 fmt::format("Look at its steps with 'inferon study show {}'",
                                             study.name().substr(study.name().find('/') + 1)),
                                 {}},
                                kEndedBadly);
}

int WatchAndShow(CommandContext& context, client::TrainerClient& trainer, const std::string& name,
                 const std::string& folder) {
  const Result<v1::Study> ended = WatchStudyToEnd(context, trainer, name);
  if (!ended) return FailedStudy(context, ended.error(), name);
  return ShowEnd(context, trainer, *ended, folder);
}

int Run(CommandContext& context, StudyOptions options) {
  if (Status ready = PrepareDemo(context, options); !ready) {
    return context.console.FailedCall(ready.error());
  }
  if (Status chosen = ChooseChip(context, options); !chosen) {
    return context.console.FailedCall(chosen.error());
  }
  const Result<v1::StudySpec> spec = MakeStudySpec(options);
  if (!spec) return context.console.FailedInput(spec.error());
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  const Result<v1::Study> study = (*trainer)->CreateStudy(options.id, *spec, context.stop);
  if (!study) return FailedStudy(context, study.error(), StudyName(options.id));
  if (Status understood = CheckUnderstood(*spec, study->spec()); !understood) {
    return context.console.FailedCall(understood.error());
  }
  if (options.detach) {
    context.console.Print(fmt::format("{} {}. Watch it with: inferon study watch {}", study->name(),
                                      StudyStateName(study->state()), options.id));
    context.console.PrintJson(StudyJson(*study));
    return kOk;
  }
  return WatchAndShow(context, **trainer, study->name(), options.report);
}

int List(CommandContext& context) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  const auto studies = (*trainer)->ListStudies(context.stop);
  if (!studies) return context.console.FailedCall(studies.error());
  Table table{{{"STUDY"},
               {"STATE"},
               {"STEP"},
               {"UNIFORM", true},
               {"CONSTRAINED", true},
               {"SEED", true},
               {"CREATED"}},
              {}};
  nlohmann::json list = nlohmann::json::array();
  for (const v1::Study& study : *studies) {
    std::string step = "-";
    for (const v1::StudyStep& s : study.steps()) {
      if (s.has_start_time() && !s.has_end_time()) step = s.title();
    }
    table.rows.push_back(
        {study.name(), StudyStateName(study.state()), step,
         FormatCount(study.spec().uniform_count()), FormatCount(study.spec().constrained_count()),
         std::to_string(study.spec().seed()), FormatTime(rpc::FromProto(study.create_time()))});
    list.push_back(StudyJson(study));
  }
  if (studies->empty()) {
    context.console.Print("No studies. Start one with 'inferon study run ID'.");
  } else {
    context.console.Print(table);
  }
  context.console.PrintJson({{"studies", list}});
  return kOk;
}

int Show(CommandContext& context, const StudyIdOptions& options) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  const auto study = (*trainer)->GetStudy(StudyName(options.id), context.stop);
  if (!study) return context.console.FailedCall(study.error());
  PrintStudy(context.console, *study);
  return kOk;
}

int Watch(CommandContext& context, const StudyIdOptions& options) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  return WatchAndShow(context, **trainer, StudyName(options.id), options.folder);
}

int Cancel(CommandContext& context, const StudyIdOptions& options) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  const auto study = (*trainer)->CancelStudy(StudyName(options.id), context.stop);
  if (!study) return context.console.FailedCall(study.error());
  context.console.Print(study->name() + " " + StudyStateName(study->state()) + ".");
  context.console.PrintJson(StudyJson(*study));
  return kOk;
}

int Report(CommandContext& context, const StudyIdOptions& options) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  return Conclude(context, **trainer, StudyName(options.id), options.folder);
}

CLI::App& AddNamed(CLI::App& studies, CommandContext& context, const std::string& verb,
                   const std::string& help, std::shared_ptr<StudyIdOptions> options,
                   int (*run)(CommandContext&, const StudyIdOptions&)) {
  CLI::App& command = *studies.add_subcommand(verb, help);
  command.add_option("study", options->id, "Study: its id, or its whole name")->required();
  OnSelected(command, context, [&context, options, run] { return run(context, *options); });
  return command;
}

}  // namespace

void AddStudyCommands(CLI::App& app, CommandContext& context) {
  CLI::App& studies = *app.add_subcommand("study", "Run the whole pipeline of the paper");
  studies.require_subcommand(1);
  const auto run = std::make_shared<StudyOptions>();
  CLI::App& command = *studies.add_subcommand("run", "Start a study, or go on with it");
  AddStudyOptions(command, *run);
  OnSelected(command, context, [&context, &command, run] {
    run->chip_given = command.count("--chip") > 0;
    run->scale_given = command.count("--scale") > 0;
    return Run(context, *run);
  });
  CLI::App& list = *studies.add_subcommand("list", "All studies, newest first");
  OnSelected(list, context, [&context] { return List(context); });
  const auto make = [] { return std::make_shared<StudyIdOptions>(); };
  AddNamed(studies, context, "show", "One study and its steps", make(), Show);
  const auto watched = make();
  AddNamed(studies, context, "watch", "Show a study's progress until it has ended", watched, Watch)
      .add_option("--report", watched->folder, "Write the report into this folder at the end")
      ->type_name("FOLDER");
  AddNamed(studies, context, "cancel", "Cancel a study; what is on disk stays", make(), Cancel);
  const auto reported = make();
  AddNamed(studies, context, "report", "Write the report of a study that has succeeded", reported,
           Report)
      .add_option("--out,-o", reported->folder, "Folder for the report")
      ->required()
      ->type_name("FOLDER");
}

}  // namespace inferon::cli
