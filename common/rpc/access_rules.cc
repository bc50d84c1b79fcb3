#include "common/rpc/access_rules.h"

#include <google/protobuf/descriptor.h>

#include <array>
#include <unordered_map>

#include "common/base/check.h"
#include "common/rpc/server.h"

namespace inferon::rpc {
namespace {

using enum Subject;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::size_t kText = 1 << 20;             // A profile, a configuration, a chunk's error.
constexpr std::size_t kArrays = kMaxMessageBytes;  // Parameter sets, observations, rows.
constexpr std::size_t kChunk = (1 << 20) + (64 << 10);

constexpr std::array kRules{
    // Jobs.
    AccessRule{"ExperimentService.CreateJob", Role::kSubmitter, kProject, "parent", "", kArrays},
    AccessRule{"ExperimentService.GetJob", Role::kViewer, kProject, "name"},
    AccessRule{"ExperimentService.ListJobs", Role::kViewer, kProject, "parent"},
    AccessRule{"ExperimentService.CancelJob", Role::kSubmitter, kProject, "name"},
    AccessRule{"ExperimentService.PauseJob", Role::kSubmitter, kProject, "name"},
    AccessRule{"ExperimentService.ResumeJob", Role::kSubmitter, kProject, "name"},
    AccessRule{"ExperimentService.ExplainJob", Role::kViewer, kProject, "name"},
    AccessRule{"ExperimentService.WatchJob", Role::kViewer, kProject, "name"},
    AccessRule{"ExperimentService.StreamResults", Role::kViewer, kProject, "name"},
    // Workers as themselves. A shard is named by its lease, which only its worker knows.
    AccessRule{"WorkerService.Synchronize", Role::kWorker, kWorker, "worker"},
    AccessRule{"WorkerService.GetShard", Role::kWorker},
    AccessRule{"WorkerService.UploadShard", Role::kWorker, kNode, "", "", kChunk},
    AccessRule{"WorkerService.GetUpload", Role::kWorker},
    AccessRule{"WorkerService.CommitShard", Role::kWorker},
    AccessRule{"WorkerService.FailShard", Role::kWorker, kNode, "", "", kText},
    // Workers as people see them.
    AccessRule{"WorkerService.ListWorkers", Role::kViewer},
    AccessRule{"WorkerService.GetWorker", Role::kViewer},
    AccessRule{"WorkerService.DrainWorker", Role::kOperator},
    AccessRule{"WorkerService.ResumeWorker", Role::kOperator},
    AccessRule{"WorkerService.CreateReservation", Role::kOperator},
    AccessRule{"WorkerService.ListReservations", Role::kViewer},
    AccessRule{"WorkerService.DeleteReservation", Role::kOperator},
    AccessRule{"WorkerService.SetCanary", Role::kOperator, kNode, "", "", kText},
    AccessRule{"WorkerService.ListCanaries", Role::kViewer},
    // Projects and upkeep.
    AccessRule{"ProjectService.CreateProject", Role::kOperator},
    AccessRule{"ProjectService.GetProject", Role::kViewer, kProject, "name"},
    AccessRule{"ProjectService.ListProjects", Role::kViewer},
    AccessRule{"ProjectService.UpdateProject", Role::kOperator},
    AccessRule{"ProjectService.ListEvents", Role::kViewer, kProjectOrAll, "project"},
    AccessRule{"ProjectService.CollectGarbage", Role::kOperator},
    // Studies and their models.
    AccessRule{"StudyService.CreateStudy", Role::kSubmitter, kProject, "spec.project", "", kText},
    AccessRule{"StudyService.GetStudy", Role::kViewer, kStored, "name"},
    AccessRule{"StudyService.ListStudies", Role::kViewer},
    AccessRule{"StudyService.WatchStudy", Role::kViewer, kStored, "name"},
    AccessRule{"StudyService.CancelStudy", Role::kSubmitter, kStored, "name"},
    AccessRule{"StudyService.StreamStudyReport", Role::kViewer, kStored, "name"},
    AccessRule{"ModelService.ListModels", Role::kViewer},
    AccessRule{"ModelService.GetModel", Role::kViewer, kStored, "name"},
    AccessRule{"ModelService.LoadModel", Role::kSubmitter, kStored, "name"},
    AccessRule{"ModelService.DeleteModel", Role::kSubmitter, kStored, "name"},
    // An alias changes what everybody's queries mean.
    AccessRule{"ModelService.PromoteModel", Role::kOperator},
    AccessRule{"ModelService.RollBackModel", Role::kOperator},
    AccessRule{"ModelService.ListModelAliases", Role::kViewer},
    // Questions. A prediction runs experiments.
    AccessRule{"PosteriorService.SamplePosterior", Role::kViewer, kStored, "model", "", kArrays},
    AccessRule{"PosteriorService.EstimateMap", Role::kViewer, kStored, "model", "", kArrays},
    AccessRule{"PosteriorService.EvaluateLogProb", Role::kViewer, kStored, "model", "", kArrays},
    AccessRule{"PosteriorService.PredictPosterior", Role::kSubmitter, kStored, "model", "",
               kArrays},
    // Data sets of any simulator and their models.
    AccessRule{"SimulatorService.ImportDataset", Role::kSubmitter, kFirstMessage, "dataset.project",
               "", kArrays},
    AccessRule{"SimulatorService.ListDatasets", Role::kViewer},
    AccessRule{"SimulatorService.ExportDataset", Role::kViewer, kStored, "name"},
    AccessRule{"SimulatorService.ExportStudyRound", Role::kViewer, kStored, "study"},
    AccessRule{"SimulatorService.TrainModel", Role::kSubmitter, kStored, "dataset", "base_model",
               kText},
    AccessRule{"SimulatorService.ListSimulatorModels", Role::kViewer},
    AccessRule{"SimulatorService.GetSimulatorModel", Role::kViewer, kStored, "name"},
    AccessRule{"SimulatorService.SampleTheta", Role::kViewer, kStored, "model", "", kArrays},
    AccessRule{"SimulatorService.EvaluateThetaLogProb", Role::kViewer, kStored, "model", "",
               kArrays},
    AccessRule{"SimulatorService.EstimateThetaMap", Role::kViewer, kStored, "model", "", kArrays},
    AccessRule{"SimulatorService.ProposeTheta", Role::kViewer, kStored, "model", "", kArrays},
    AccessRule{"SimulatorService.CheckCalibration", Role::kViewer, kStored, "model", "dataset"},
};

// Requests are found by their type: each method has a type of its own. Services that this program
// does not link are left out.
std::unordered_map<const Descriptor*, const AccessRule*> ByRequest() {
  std::unordered_map<const Descriptor*, const AccessRule*> rules;
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  for (const AccessRule& rule : kRules) {
    const auto* method = pool->FindMethodByName(std::string("inferon.v1.") + rule.method);
    if (method == nullptr) continue;
    INFERON_CHECK(rules.emplace(method->input_type(), &rule).second);
  }
  return rules;
}

}  // namespace

std::span<const AccessRule> AccessRules() { return kRules; }

const AccessRule* RuleOf(const Message& request) {
  static const auto rules = ByRequest();
  const auto found = rules.find(request.GetDescriptor());
  return found == rules.end() ? nullptr : found->second;
}

std::string TextAt(const Message& request, const std::string& path) {
  const auto dot = path.find('.');
  const FieldDescriptor* field = request.GetDescriptor()->FindFieldByName(path.substr(0, dot));
  INFERON_CHECK(field != nullptr && !field->is_repeated());
  const auto* reflection = request.GetReflection();
  if (dot == std::string::npos) {
    INFERON_CHECK(field->cpp_type() == FieldDescriptor::CPPTYPE_STRING);
    return reflection->GetString(request, field);
  }
  return TextAt(reflection->GetMessage(request, field), path.substr(dot + 1));
}

}  // namespace inferon::rpc
