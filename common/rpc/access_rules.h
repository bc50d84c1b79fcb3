// Who may call what: one rule for each method of the API.
#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "common/access/token.h"

namespace inferon::rpc {

// What a call is about, and so whose it must be.
enum class Subject {
  kNode,          // The whole node: the role decides alone. Lists are cut to what the caller holds.
  kProject,       // Field: projects/{project}[/...]; empty: projects/default.
  kProjectOrAll,  // The same, but empty means all projects.
  kStored,        // Field: studies/, models/ or datasets/ and an id; its project is looked up.
  kWorker,        // Field: a worker's id.
  kFirstMessage,  // Of a stream: as kProject, checked when the first message has come.
};

struct AccessRule {
  const char* method;  // "ExperimentService.CreateJob"
  Role role;           // Least role; kWorker: workers only.
  Subject subject = Subject::kNode;
  const char* field = "";         // Path in the request, "spec.project".
  const char* second_field = "";  // Also kStored; empty there: nothing to check.
  std::size_t max_bytes = 64 << 10;
};

std::span<const AccessRule> AccessRules();

// The rule of the method that takes this message; nullptr where there is none.
const AccessRule* RuleOf(const google::protobuf::Message& request);

// Text in a field of the request, by its path; empty where it is not set.
std::string TextAt(const google::protobuf::Message& request, const std::string& path);

}  // namespace inferon::rpc
