// A node of several people as real processes: TLS on both sides, tokens, a worker, a trainer.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <memory>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "tests/integration/process.h"
#include "tests/paths.h"

namespace inferon::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kUnreachable = 3;
constexpr int kRefused = 4;

class SecureNodeTest : public ::testing::Test {
 protected:
  SecureNodeTest() {
    Certificates("ours", "ca");
    Certificates("ours", "server", "node");
    Certificates("ours", "client", "lab");
    Certificates("other", "ca");
    Token("op", {"--role", "operator"});
    Token("alice", {"--role", "submitter", "--project", "lab"});
    Token("bob", {"--role", "viewer", "--project", "other"});
    Token("late", {"--role", "submitter", "--project", "lab", "--expires", "0s"});
    Token("chip", {"--role", "worker", "--worker", "chip-1"});
    Token("trainer", {"--role", "submitter", "--all-projects"});
    WriteFileAtomically(path("codes.csv"), "g_l,v_th\n300,400\n500,600\n");
  }

  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  std::string at(const std::string& name) const { return path(name).string(); }

  void Certificates(const std::string& authority, const std::string& what,
                    const std::string& name = "") {
    const std::string command = fmt::format("'{}/deploy/certs/make-certs.sh' {} '{}' {}",
                                            INFERON_SOURCE_DIR, what, at(authority), name);
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  void Token(const std::string& name, std::vector<std::string> options) {
    std::vector<std::string> words{"token",  "create", "--tokens", at("tokens.json"),
                                   "--name", name,     "--out",    at(name + ".token")};
    words.insert(words.end(), options.begin(), options.end());
    const CommandResult made = Inferon(folder_.path(), words);
    ASSERT_EQ(made.exit_code, 0) << made.errors;
  }

  std::vector<std::string> ServerOptions(const std::string& listen = "127.0.0.1:0") const {
    return {"--listen",
            listen,
            "--tls-cert",
            at("ours/node.crt"),
            "--tls-key",
            at("ours/node.key"),
            "--client-ca",
            at("ours/ca.crt"),
            "--tokens",
            at("tokens.json"),
            "--tls-refresh-seconds",
            "1",
            "--log-level",
            "debug"};
  }
  std::vector<std::string> ClientOptions(const std::string& who) const {
    return {"--ca",  at("ours/ca.crt"),  "--cert",       at("ours/lab.crt"),
            "--key", at("ours/lab.key"), "--token-file", at(who + ".token")};
  }

  static std::vector<std::string> Join(std::vector<std::string> words,
                                       const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  // A command of someone against the servers.
  CommandResult As(const std::string& who, const std::vector<std::string>& words) const {
    return Inferon(
        folder_.path(),
        Join(Join(ClientOptions(who), {"--scheduler", scheduler_, "--trainer", trainer_}), words));
  }

  std::unique_ptr<Daemon> Start(const std::string& program, const std::vector<std::string>& words) {
    return std::make_unique<Daemon>(Join({Program(program).string()}, words), path(program));
  }

  void StartScheduler(const std::string& listen = "127.0.0.1:0") {
    std::filesystem::remove(path("scheduler.addr"));
    scheduler_process_ = Start(
        "inferon-scheduler", Join(ServerOptions(listen), {"--data", at("scheduler"),
                                                          "--address-file", at("scheduler.addr")}));
    scheduler_ = Await(path("scheduler.addr"));
    ASSERT_FALSE(scheduler_.empty()) << scheduler_process_->Log();
  }

  // Nothing that a server wrote holds the secret part of any token.
  void ExpectNoSecrets() const {
    std::vector<std::string> secrets;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.path().extension() != ".token") continue;
      const std::string text = ReadFile(entry.path()).value();
      secrets.push_back(text.substr(text.rfind('_') + 1, 64));
    }
    ASSERT_EQ(secrets.size(), 6u);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (!entry.is_regular_file() || entry.path().extension() == ".token") continue;
      const std::string content = ReadFile(entry.path()).value();
      for (const std::string& secret : secrets) {
        EXPECT_EQ(content.find(secret), std::string::npos) << entry.path();
      }
    }
  }

  TemporaryFolder folder_;
  std::string scheduler_ = "127.0.0.1:1";
  std::string trainer_ = "127.0.0.1:1";
  std::unique_ptr<Daemon> scheduler_process_;
};

TEST_F(SecureNodeTest, AJobRunsForWhoMayAndStrangersStayOut) {
  StartScheduler();
  const auto worker =
      Start("inferon-worker", Join(ClientOptions("chip"), {"--scheduler", scheduler_, "--name",
                                                           "chip-1", "--log-level", "debug"}));
  const std::vector<std::string> submit{"job",  "submit",    at("codes.csv"), "--profile",
                                        "lif2", "--project", "lab",           "--request-id",
                                        "one",  "--watch"};
  const CommandResult run = As("alice", submit);
  ASSERT_EQ(run.exit_code, 0) << run.errors << worker->Log();
  EXPECT_EQ(As("alice", {"job", "fetch", "1", "--project", "lab", "--out", at("out")}).exit_code,
            0);

  const CommandResult viewer = As("bob", submit);
  EXPECT_EQ(viewer.exit_code, kRefused);
  EXPECT_THAT(viewer.errors, HasSubstr("needs the role submitter"));
  const CommandResult stranger = As("bob", {"job", "list", "--project", "lab"});
  EXPECT_EQ(stranger.exit_code, kRefused);
  EXPECT_THAT(stranger.errors, HasSubstr("is not for projects/lab"));
  const CommandResult late = As("late", {"job", "list", "--project", "lab"});
  EXPECT_EQ(late.exit_code, kRefused);
  EXPECT_THAT(late.errors, HasSubstr("has expired"));
  EXPECT_EQ(As("alice", {"worker", "drain", "chip-1"}).exit_code, kRefused);

  const auto without = [&](std::vector<std::string> words) {
    return Inferon(folder_.path(),
                   Join(std::move(words), {"--scheduler", scheduler_, "job", "list"}));
  };
  EXPECT_EQ(without({}).exit_code, kUnreachable);
  EXPECT_EQ(without({"--ca", at("ours/ca.crt")}).exit_code, kUnreachable);  // No certificate.
  const CommandResult other = without(
      {"--ca", at("other/ca.crt"), "--cert", at("ours/lab.crt"), "--key", at("ours/lab.key")});
  EXPECT_EQ(other.exit_code, kUnreachable);
  EXPECT_THAT(other.errors, HasSubstr("--ca"));

  const auto thief = Start("inferon-worker", Join(ClientOptions("chip"),
                                                  {"--scheduler", scheduler_, "--name", "chip-2"}));
  EXPECT_EQ(thief->Wait(), kRefused);
  EXPECT_THAT(As("op", {"events"}).output, HasSubstr("by alice/"));
  ExpectNoSecrets();
}

// Its channel is looked after between the calls: by itself gRPC needs half a minute.
TEST_F(SecureNodeTest, AWorkerIsBackSoonAfterARestartOfTheScheduler) {
  StartScheduler();
  const auto worker =
      Start("inferon-worker",
            Join(ClientOptions("chip"), {"--scheduler", scheduler_, "--name", "chip-1"}));
  const auto says = [&](const char* text, int seconds) {
    for (int i = 0; i < 10 * seconds; ++i) {
      if (worker->Log().find(text) != std::string::npos) return true;
      SystemClock().SleepFor(std::chrono::milliseconds(100), {});
    }
    return false;
  };
  const auto is_idle = [&] {
    return As("op", {"worker", "list"}).output.find("idle") != std::string::npos;
  };
  for (int i = 0; i < 100 && !is_idle(); ++i) {
    SystemClock().SleepFor(std::chrono::milliseconds(100), {});
  }
  ASSERT_TRUE(is_idle()) << worker->Log();
  scheduler_process_.reset();
  ASSERT_TRUE(says("Trying again until it answers", 40)) << worker->Log();
  StartScheduler(scheduler_);
  EXPECT_TRUE(says("is back", 15)) << worker->Log();
}

TEST_F(SecureNodeTest, ARevokedTokenAndAnOldCertificateEndWithoutARestart) {
  StartScheduler();
  const auto eventually = [&](const auto& holds) {
    for (int i = 0; i < 300; ++i) {
      if (holds()) return true;
      SystemClock().SleepFor(std::chrono::milliseconds(100), {});
    }
    return false;
  };
  ASSERT_EQ(As("alice", {"job", "list", "--project", "lab"}).exit_code, 0);
  const CommandResult submitted =
      As("alice", {"job", "submit", at("codes.csv"), "--profile", "lif2", "--project", "lab"});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.errors;
  const auto watch =
      Start("inferon", Join(ClientOptions("alice"),
                            {"--scheduler", scheduler_, "job", "watch", "projects/lab/jobs/1"}));
  ASSERT_TRUE(eventually([&] { return !watch->Log().empty(); })) << "it shows the job";
  const std::string token = ReadFile(path("alice.token")).value();
  ASSERT_EQ(Inferon(folder_.path(),
                    {"token", "revoke", "--tokens", at("tokens.json"), token.substr(8, 12)})
                .exit_code,
            0);
  EXPECT_TRUE(eventually([&] {
    const CommandResult list = As("alice", {"job", "list", "--project", "lab"});
    return list.exit_code == kRefused && list.errors.find("was revoked") != std::string::npos;
  }));
  EXPECT_EQ(As("op", {"job", "list", "--project", "lab"}).exit_code, 0);
  ASSERT_EQ(As("op", {"job", "pause", "projects/lab/jobs/1"}).exit_code, 0);
  EXPECT_EQ(watch->Wait(), kRefused) << "it is told of nothing more";

  Certificates("other", "server", "node");
  for (const char* file : {"node.crt", "node.key"}) {
    std::filesystem::rename(path("other") / file, path("ours") / file);
  }
  EXPECT_TRUE(eventually([&] {
    return As("op", {"job", "list", "--project", "lab"}).exit_code == kUnreachable;
  }));
}

TEST_F(SecureNodeTest, TheTrainerAsksForTokensAndHasOneOfItsOwn) {
  StartScheduler();
  const auto trainer =
      Start("inferon-trainer", Join(Join(ServerOptions(), ClientOptions("trainer")),
                                    {"--data", at("trainer"), "--scheduler", scheduler_,
                                     "--address-file", at("trainer.addr")}));
  trainer_ = Await(path("trainer.addr"));
  ASSERT_FALSE(trainer_.empty()) << trainer->Log();
  const std::vector<std::string> study{"study", "run",       "s",   "--scale",
                                       "small", "--project", "lab", "--detach"};
  EXPECT_EQ(As("bob", study).exit_code, kRefused);
  const CommandResult run = As("alice", study);
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  // Its first job is the trainer's, in the project of the study.
  std::string jobs;
  for (int i = 0; i < 300 && jobs.find("projects/lab/jobs/1") == std::string::npos; ++i) {
    jobs = As("alice", {"job", "list", "--project", "lab", "--json"}).output;
    SystemClock().SleepFor(std::chrono::milliseconds(100), {});
  }
  EXPECT_THAT(jobs, HasSubstr("projects/lab/jobs/1")) << trainer->Log();
  EXPECT_THAT(As("op", {"events"}).output, HasSubstr("by trainer/"));
  EXPECT_THAT(As("bob", {"study", "list"}).output, Not(HasSubstr("studies/s")));
  EXPECT_EQ(As("bob", {"study", "cancel", "s"}).exit_code, kRefused);
  EXPECT_EQ(As("alice", {"study", "cancel", "s"}).exit_code, 0);
  ExpectNoSecrets();
}

TEST_F(SecureNodeTest, WithoutTlsOrTokensOtherMachinesAreNotServed) {
  for (const std::vector<std::string>& some :
       {std::vector<std::string>{},
        {"--tokens", at("tokens.json")},
        {"--tls-cert", at("ours/node.crt"), "--tls-key", at("ours/node.key")}}) {
    const CommandResult refused = inferon::testing::Run(Join(
        {Program("inferon-scheduler").string(), "--data", at("s"), "--listen", "0.0.0.0:0"}, some));
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_THAT(refused.errors, HasSubstr("need TLS and tokens"));
  }
}

}  // namespace
}  // namespace inferon::testing
