#include "common/rpc/access_rules.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/rpc/server.h"
#include "inferon/v1/experiments.pb.h"
#include "inferon/v1/inference.pb.h"
#include "inferon/v1/projects.pb.h"
#include "inferon/v1/simulators.pb.h"
#include "inferon/v1/workers.pb.h"
#include "tests/rpc/access_matrix.h"

namespace inferon::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FileDescriptor;

const std::vector<const FileDescriptor*> kFiles{
    v1::CreateJobRequest::descriptor()->file(), v1::SynchronizeRequest::descriptor()->file(),
    v1::CreateProjectRequest::descriptor()->file(), v1::CreateStudyRequest::descriptor()->file(),
    v1::ImportDatasetRequest::descriptor()->file()};

template <typename Body>
void ForEachMethod(Body&& body) {
  for (const FileDescriptor* file : kFiles) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) body(*file->service(s)->method(m));
    }
  }
}

std::string ShortName(const google::protobuf::MethodDescriptor& method) {
  return method.service()->name() + "." + method.name();
}

TEST(AccessRulesTest, EveryMethodHasOneRuleThatIsFoundByItsRequest) {
  std::set<std::string> methods;
  ForEachMethod([&](const auto& method) {
    methods.insert(ShortName(method));
    const auto* request =
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(method.input_type());
    const AccessRule* rule = RuleOf(*request);
    ASSERT_NE(rule, nullptr) << "add a rule for " << method.full_name();
    EXPECT_EQ(rule->method, ShortName(method));
  });
  EXPECT_EQ(methods.size(), AccessRules().size());
  EXPECT_FALSE(RuleOf(v1::Job()));
}

TEST(AccessRulesTest, EveryFieldOfARuleIsThere) {
  ForEachMethod([](const auto& method) {
    const auto& request =
        *google::protobuf::MessageFactory::generated_factory()->GetPrototype(method.input_type());
    const AccessRule& rule = *RuleOf(request);
    EXPECT_EQ(rule.subject == Subject::kNode, std::string(rule.field).empty()) << rule.method;
    for (const char* field : {rule.field, rule.second_field}) {
      if (*field != '\0') EXPECT_EQ(TextAt(request, field), "") << rule.method;
    }
  });
}

// A request that names a project, job, study, model or data set must have a rule about it.
TEST(AccessRulesTest, RequestsThatNameSomethingOwnedAreCheckedForIt) {
  const std::set<std::string> of_operators{"ProjectService.CreateProject",
                                           "ProjectService.UpdateProject"};
  ForEachMethod([&](const auto& method) {
    const AccessRule& rule = *RuleOf(
        *google::protobuf::MessageFactory::generated_factory()->GetPrototype(method.input_type()));
    if (of_operators.contains(rule.method)) return;
    for (const char* name : {"parent", "project", "model", "dataset"}) {
      const auto* field = method.input_type()->FindFieldByName(name);
      if (field == nullptr) continue;
      const std::string named(name);
      EXPECT_TRUE(std::string(rule.field).starts_with(named) || rule.second_field == named)
          << rule.method << " names a " << name;
    }
  });
}

TEST(AccessRulesTest, TheTestsTableOfAccessHasEveryMethod) {
  std::set<std::string> rows;
  for (const AccessRow& row : AccessRows()) rows.insert(row.method);
  ForEachMethod([&](const auto& method) {
    EXPECT_TRUE(rows.contains(ShortName(method))) << "add a row for " << method.full_name();
  });
  EXPECT_EQ(rows.size(), AccessRules().size());
}

TEST(AccessRulesTest, NoRuleTakesMoreThanTheServers) {
  for (const AccessRule& rule : AccessRules()) {
    EXPECT_LE(rule.max_bytes, static_cast<std::size_t>(kMaxMessageBytes)) << rule.method;
    EXPECT_GE(rule.max_bytes, std::size_t{64} << 10) << rule.method;
  }
}

}  // namespace
}  // namespace inferon::rpc
