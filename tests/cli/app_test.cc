#include "client/cli/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"
#include "client/library/cluster_file.h"
#include "common/rpc/server.h"
#include "tests/cli/command_runner.h"

namespace inferon::cli {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(AppTest, HelpAndVersionSucceedOnStdout) {
  CommandRunner runner;
  const CommandResult help = runner.Run({"--help"});
  EXPECT_EQ(help.exit_code, kOk);
  EXPECT_THAT(help.out, AllOf(HasSubstr("up "), HasSubstr("Exit codes"), HasSubstr("--json")));
  EXPECT_THAT(help.err, IsEmpty());
  EXPECT_THAT(runner.Run({"--version"}).out, StartsWith("inferon "));
  EXPECT_THAT(runner.Run({"job", "submit", "--help"}).out, HasSubstr("--trials"));
}

TEST(AppTest, HiddenCommandIsNotInTheHelp) {
  CommandRunner runner;
  EXPECT_EQ(runner.Run({"--help"}).out.find("supervise"), std::string::npos);
}

struct BadLine {
  std::vector<std::string> arguments;
  const char* message;
};

class BadLineTest : public ::testing::TestWithParam<BadLine> {};

TEST_P(BadLineTest, IsExplainedAndExitsWithUsage) {
  CommandRunner runner;
  const CommandResult result = runner.Run(GetParam().arguments);
  EXPECT_EQ(result.exit_code, kUsage);
  EXPECT_THAT(result.err, AllOf(StartsWith("inferon: "), HasSubstr(GetParam().message),
                                HasSubstr("--help'"), EndsWith(".\n")));
  EXPECT_THAT(result.out, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    All, BadLineTest,
    ::testing::Values(BadLine{{}, "'inferon' needs a command"},
                      BadLine{{"job"}, "'inferon job' needs a command"},
                      BadLine{{"jbo"}, "unknown command 'jbo' of 'inferon'. Did you mean 'job'?"},
                      BadLine{{"frobnicate"}, "unknown command 'frobnicate' of 'inferon'. See"},
                      BadLine{{"job", "submti"},
                              "unknown command 'submti' of 'inferon job'. Did you mean 'submit'?"},
                      BadLine{
                          {"job", "list", "--limt", "3"},
                          "unknown option '--limt' of 'inferon job list'. Did you mean '--limit'?"},
                      BadLine{{"status", "--jsn"}, "Did you mean '--json'?"},
                      BadLine{{"--frobnicate", "status"}, "unknown option '--frobnicate'"},
                      BadLine{{"status", "now"}, "unknown argument 'now' of 'inferon status'"},
                      BadLine{{"job", "submit"}, "file is required"},
                      BadLine{{"job", "list", "--limit"}, "--limit"},
                      BadLine{{"job", "list", "--limit", "many"}, "many"},
                      BadLine{{"job", "submit", "f.csv", "--trials", "0"}, "--trials"},
                      BadLine{{"job", "submit", "f.csv", "--neuron", "512"}, "--neuron"},
                      BadLine{{"job", "fetch", "1", "--format", "xls"}, "--format"},
                      BadLine{{"up", "--workers", "0"}, "--workers"}));

TEST(AppTest, GlobalOptionsWorkOnBothSidesOfTheCommand) {
  CommandRunner runner;
  for (const std::vector<std::string>& line :
       std::vector<std::vector<std::string>>{{"--json", "status"}, {"status", "--json"}}) {
    const CommandResult result = runner.Run(line);
    EXPECT_EQ(result.exit_code, kUnreachable);
    EXPECT_FALSE(nlohmann::json::parse(result.out).at("up").get<bool>());
  }
}

TEST(AppTest, ErrorsAreJsonTooWhenAskedFor) {
  CommandRunner runner;
  const CommandResult result = runner.Run({"job", "list", "--json"});
  EXPECT_EQ(result.exit_code, kUnreachable);
  const nlohmann::json error = nlohmann::json::parse(result.out).at("error");
  EXPECT_EQ(error.at("exit_code"), 3);
  EXPECT_THAT(error.at("message").get<std::string>(), HasSubstr("no scheduler is known"));
  EXPECT_THAT(error.at("advice").get<std::string>(), HasSubstr("inferon up"));
  EXPECT_THAT(result.err, HasSubstr("no scheduler is known"));
}

TEST(AppTest, EveryServerCommandSaysWhenNoServerRuns) {
  CommandRunner runner;
  for (const std::vector<std::string>& line :
       std::vector<std::vector<std::string>>{{"job", "list"},
                                             {"job", "show", "1"},
                                             {"job", "watch", "1"},
                                             {"job", "cancel", "1"},
                                             {"job", "fetch", "1"},
                                             {"worker", "list"},
                                             {"status"}}) {
    const CommandResult result = runner.Run(line);
    EXPECT_EQ(result.exit_code, kUnreachable) << line[0];
    EXPECT_THAT(result.err, HasSubstr("inferon up")) << line[0];
  }
}

TEST(AppTest, ServerThatDoesNotAnswerIsNamedWithItsAddress) {
  CommandRunner runner;
  rpc::Server server = std::move(*rpc::StartServer({}, {}));
  server.server->Shutdown();
  const CommandResult result = runner.Run({"job", "list", "--scheduler", server.address});
  EXPECT_EQ(result.exit_code, kUnreachable);
  EXPECT_THAT(result.err, HasSubstr("the scheduler at " + server.address + " cannot be reached"));
}

TEST(AppTest, AddressComesFromTheDataFolder) {
  CommandRunner runner;
  rpc::Server server = std::move(*rpc::StartServer({}, {}));
  server.server->Shutdown();
  client::WriteClusterFile(runner.folder(), {.scheduler = server.address});
  const CommandResult result = runner.Run({"worker", "list", "--data", runner.folder().string()});
  EXPECT_EQ(result.exit_code, kUnreachable);
  EXPECT_THAT(result.err, HasSubstr(server.address));
}

TEST(AppTest, MalformedClusterFileIsNamed) {
  CommandRunner runner;
  runner.Write("cluster.json", "{");
  const CommandResult result = runner.Run({"job", "list", "--data", runner.folder().string()});
  EXPECT_THAT(result.err, AllOf(HasSubstr("cluster.json is malformed"), HasSubstr("inferon up")));
  EXPECT_NE(result.exit_code, kOk);
}

TEST(AppTest, DownWithoutAnythingRunningSucceedsAndMakesNothing) {
  CommandRunner runner;
  const CommandResult result = runner.Run({"down"});
  EXPECT_EQ(result.exit_code, kOk);
  EXPECT_THAT(result.out, HasSubstr("Nothing runs"));
  EXPECT_FALSE(std::filesystem::exists(runner.folder() / "data"));
}

TEST(AppTest, UpWithoutItsProgramsSaysWhichIsMissing) {
  CommandRunner runner;
  const CommandResult result = runner.Run({"up"});
  EXPECT_EQ(result.exit_code, kInternal);
  EXPECT_THAT(result.err, HasSubstr("there is no program inferon-"));
}

TEST(AppTest, UpInAPlaceThatCannotBeWrittenIsRefused) {
  CommandRunner runner;
  const std::string file = runner.Write("file", "");
  const CommandResult result = runner.Run({"up", "--data", file});
  EXPECT_EQ(result.exit_code, kInternal);
  EXPECT_THAT(result.err, AllOf(HasSubstr("cannot make the folder"), HasSubstr("--data")));
}

TEST(AppTest, UpWithAKeptPortInUseNamesThePort) {
  CommandRunner runner;
  const rpc::Server other = std::move(*rpc::StartServer({}, {}));
  client::WriteClusterFile(runner.folder(), {.scheduler = other.address});
  const CommandResult result = runner.Run({"up", "--data", runner.folder().string()});
  EXPECT_EQ(result.exit_code, kInternal);
  EXPECT_THAT(result.err, AllOf(HasSubstr("the scheduler's port is in use"),
                                HasSubstr(other.address), HasSubstr("cluster.json")));
}

}  // namespace
}  // namespace inferon::cli
