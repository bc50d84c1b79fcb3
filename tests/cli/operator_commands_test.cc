// Operators' commands against a real scheduler on the loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"
#include "client/cli/time_options.h"
#include "common/rpc/server.h"
#include "inferon/v1/workers.grpc.pb.h"
#include "server/scheduler/scheduler_server.h"
#include "tests/cli/command_runner.h"

namespace inferon::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr char kCodes[] = "g_l,v_t,delta_t,v_r,a,b,g_tau_w\n1,2,3,4,5,6,7\n8,9,10,11,12,13,14\n";

class OperatorCommandsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = scheduler::StartScheduler({.folder = folder_.path()});
    ASSERT_TRUE(server) << server.error().Text();
    server_ = std::move(*server);
    stub_ = v1::WorkerService::NewStub(rpc::OpenChannel(server_->address()));
  }
  CommandResult Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--scheduler", server_->address()});
    return runner_.Run(arguments);
  }
  // The command's JSON; it must succeed.
  Json Ask(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const CommandResult result = Run(arguments);
    EXPECT_EQ(result.exit_code, kOk) << result.err;
    return Json::parse(result.out, nullptr, false);
  }
  Json Submit(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"job", "submit", runner_.Write("codes.csv", kCodes)};
    words.insert(words.end(), more.begin(), more.end());
    return Ask(words);
  }
  // A worker's call; the number of shards that it holds afterwards.
  int Call(const std::string& worker, std::uint32_t wanted) {
    v1::SynchronizeRequest request;
    request.set_worker(worker);
    request.set_session(std::string(16, 'a'));
    request.mutable_capabilities()->set_substrate("emulator");
    request.set_wanted(wanted);
    v1::SynchronizeResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->Synchronize(&context, request, &response).ok());
    return response.leases_size();
  }

  TemporaryFolder folder_;
  CommandRunner runner_;
  std::unique_ptr<scheduler::SchedulerServer> server_;
  std::unique_ptr<v1::WorkerService::Stub> stub_;
};

TEST_F(OperatorCommandsTest, ProjectsAreCreatedChangedAndShown) {
  EXPECT_THAT(Run({"project", "list"}).out, HasSubstr("No projects"));
  const Json made = Ask({"project", "create", "lab", "--weight", "2", "--max-queued", "10"});
  EXPECT_EQ(made.at("weight"), 2);
  EXPECT_EQ(Run({"project", "create", "lab", "--weight", "3"}).exit_code, kRefused);
  const Json set = Ask({"project", "set", "lab", "--max-seconds-per-day", "60"});
  EXPECT_EQ(set.at("weight"), 2) << "what is not given stays";
  EXPECT_EQ(set.at("max_queued_experiments"), 10);
  EXPECT_EQ(set.at("max_substrate_seconds_per_day"), 60);
  Submit({"--project", "lab"});
  EXPECT_EQ(Ask({"project", "show", "lab"}).at("queued_experiments"), 2);
  EXPECT_THAT(Run({"project", "list"}).out, HasSubstr("2 of 10"));
  EXPECT_EQ(Run({"project", "set", "nobody", "--weight", "2"}).exit_code, kRefused);
  EXPECT_EQ(Run({"project", "create", "x", "--weight", "0"}).exit_code, kUsage);
}

TEST_F(OperatorCommandsTest, ExplainSaysWhyAJobWaits) {
  const std::string name = Submit().at("name");
  EXPECT_EQ(Ask({"job", "explain", name}).at("reasons")[0].at("code"), "NO_WORKER");
  Call("w1", 0);
  EXPECT_THAT(Run({"job", "explain", name}).out, HasSubstr("not ready"));
  EXPECT_EQ(Ask({"worker", "list"}).at("workers")[0].at("health"), "bad");
  Ask({"job", "pause", name});
  EXPECT_EQ(Call("w1", 1), 0);
  EXPECT_THAT(Run({"job", "explain", name}).out, HasSubstr("inferon job resume"));
  EXPECT_FALSE(Ask({"job", "resume", name}).at("paused").get<bool>());
  const CommandResult shown = Run({"job", "explain", name});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("NEXT"), HasSubstr("Expected start")));
  EXPECT_EQ(Call("w1", 1), 1);
  EXPECT_EQ(Ask({"job", "explain", name}).at("reasons")[0].at("code"), "RUNNING");
  EXPECT_EQ(Run({"job", "explain", "99"}).exit_code, kRefused);
}

TEST_F(OperatorCommandsTest, PinsAndLimitsTravelWithTheJob) {
  const Json job = Submit({"--worker", "w2", "--calibration", std::string(64, 'c'),
                           "--max-run-seconds", "30", "--reuse"});
  EXPECT_EQ(job.at("worker"), "w2");
  EXPECT_EQ(job.at("calibration_id"), std::string(64, 'c'));
  EXPECT_EQ(job.at("max_run_seconds"), 30);
  Call("w1", 1);
  EXPECT_EQ(Ask({"job", "explain", job.at("name")}).at("reasons")[0].at("code"), "WRONG_WORKER");
  EXPECT_EQ(Run({"job", "submit", runner_.Write("c.csv", kCodes), "--calibration", "x"}).exit_code,
            kRefused);
}

TEST_F(OperatorCommandsTest, WorkersAreDrainedReservedAndShown) {
  EXPECT_EQ(Run({"worker", "drain", "w1"}).exit_code, kRefused) << "not known yet";
  Call("w1", 0);
  EXPECT_TRUE(Ask({"worker", "drain", "w1", "--reason", "dust"}).at("drained").get<bool>());
  Submit();
  EXPECT_EQ(Call("w1", 1), 0);
  EXPECT_THAT(Run({"worker", "show", "w1"}).out, HasSubstr("dust"));
  Ask({"worker", "resume", "w1"});
  const Json kept = Ask({"worker", "maintenance", "w1", "--to", "2100-01-01T00:00Z"});
  EXPECT_EQ(kept.at("project"), "");
  EXPECT_THAT(Run({"worker", "reservations"}).out, HasSubstr("maintenance"));
  EXPECT_EQ(
      Run({"worker", "reserve", "w1", "--project", "p", "--to", "2099-01-01T00:00Z"}).exit_code,
      kRefused)
      << "it overlaps";
  EXPECT_EQ(Run({"worker", "reserve", "w1", "--project", "p", "--to", "soon"}).exit_code, kUsage);
  EXPECT_EQ(Ask({"worker", "show", "w1"}).at("reservations").size(), 1u);
  Ask({"worker", "release", std::to_string(kept.at("id").get<int>())});
  EXPECT_EQ(Run({"worker", "release", "7"}).exit_code, kRefused);
  EXPECT_EQ(Call("w1", 1), 1);
  EXPECT_EQ(Ask({"worker", "show", "w1"}).at("shards").size(), 1u);
  EXPECT_EQ(Ask({"worker", "list"}).at("workers")[0].at("health"), "unknown");
}

TEST_F(OperatorCommandsTest, CanaryIsSetListedAndCleared) {
  Call("w1", 0);
  const std::string file = runner_.Write("canary.csv", kCodes);
  const Json set = Ask({"worker", "canary", "set", file, "--trials", "2", "--every", "30m"});
  EXPECT_EQ(set.at("interval_seconds"), 1800);
  EXPECT_EQ(set.at("sets"), 2);
  EXPECT_THAT(Run({"worker", "canary", "list"}).out, HasSubstr("emulator"));
  EXPECT_EQ(Call("w1", 1), 1) << "its check";
  EXPECT_EQ(Ask({"worker", "show", "w1"}).at("shards")[0].at("job"),
            "projects/inferon-health/jobs/1");
  Ask({"worker", "canary", "clear", "emulator"});
  EXPECT_THAT(Run({"worker", "canary", "list"}).out, HasSubstr("No canaries"));
  EXPECT_EQ(Run({"worker", "canary", "set", file, "--every", "often"}).exit_code, kUsage);
}

TEST_F(OperatorCommandsTest, EventsNameWhoDidItAndResume) {
  const std::string name = Submit().at("name");
  Ask({"job", "cancel", name});
  const CommandResult all = Run({"events", "--json"});
  EXPECT_EQ(all.exit_code, kOk) << all.err;
  std::vector<Json> events;
  std::istringstream lines(all.out);
  for (std::string line; std::getline(lines, line);) events.push_back(Json::parse(line));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].at("kind"), "project.created");
  EXPECT_EQ(events[2].at("kind"), "job.cancelled");
  EXPECT_THAT(events[2].at("actor").get<std::string>(), HasSubstr("127.0.0.1"));
  const CommandResult rest =
      Run({"events", "--after", std::to_string(events[1].at("sequence").get<int>())});
  EXPECT_THAT(rest.out, AllOf(HasSubstr("job.cancelled"), Not(HasSubstr("job.created"))));
  EXPECT_EQ(Run({"events", "--project", "elsewhere"}).out, "");
}

TEST_F(OperatorCommandsTest, TopShowsQueueAndWorkers) {
  Submit();
  Call("w1", 1);
  const Json top = Ask({"top", "--once"});
  EXPECT_EQ(top.at("open_jobs"), 1);
  EXPECT_EQ(top.at("queued_experiments"), 2);
  EXPECT_EQ(top.at("workers")[0].at("state"), "busy");
  EXPECT_EQ(top.at("projects")[0].at("shards_leased"), 1);
  EXPECT_THAT(Run({"top", "--once"}).out, AllOf(HasSubstr("EXPERIMENTS/S"), HasSubstr("busy")));
}

TEST_F(OperatorCommandsTest, GarbageIsNamedBeforeItGoes) {
  const std::string name = Submit().at("name");
  Ask({"job", "cancel", name});
  const Json would = Ask({"gc", "--older-than", "0s", "--dry-run"});
  EXPECT_EQ(would.at("jobs"), Json::array({name}));
  EXPECT_EQ(Ask({"job", "show", name}).at("results_removed_time"), nullptr);
  EXPECT_EQ(Ask({"gc", "--older-than", "0s"}).at("jobs"), Json::array({name}));
  EXPECT_NE(Ask({"job", "show", name}).at("results_removed_time"), nullptr);
  EXPECT_EQ(Run({"gc", "--older-than", "x"}).exit_code, kUsage);
  EXPECT_EQ(Run({"gc"}).exit_code, kUsage);
}

TEST(TimeOptionsTest, SpansHaveUnits) {
  EXPECT_EQ(ParseSpan("90s"), 90);
  EXPECT_EQ(ParseSpan("15m"), 900);
  EXPECT_EQ(ParseSpan("2h"), 7200);
  EXPECT_EQ(ParseSpan("1.5d"), 129'600);
  EXPECT_EQ(ParseSpan("7"), 7);
  for (const char* bad : {"", "h", "-1s", "2x", "2hh", "nan", "1e300d", "2 h"}) {
    EXPECT_FALSE(ParseSpan(bad)) << bad;
  }
}

TEST(TimeOptionsTest, TimesAreUtcWithZAndMayBeRelative) {
  const WallTime now{std::chrono::seconds(1'700'000'000)};
  EXPECT_EQ(ParseTime("now", now), now);
  EXPECT_EQ(ParseTime("+2h", now), now + std::chrono::hours(2));
  EXPECT_EQ(ParseTime("2023-11-14T22:13:20Z", now), now);
  EXPECT_EQ(ParseTime("2023-11-14T22:13Z", now), now - std::chrono::seconds(20));
  for (const char* bad :
       {"", "soon", "2023-11-14", "2023-13-14T22:13Z", "+x", "2023-11-14T22:13ZZ"}) {
    EXPECT_FALSE(ParseTime(bad, now)) << bad;
  }
}

}  // namespace
}  // namespace inferon::cli
