// A real scheduler on a small disk that fills up: it says so, loses nothing, and goes on when there
// is room.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "tests/scheduler/process.h"
#include "tests/scheduler/service_fixture.h"

namespace inferon::scheduler {
namespace {

using testing::HasSubstr;

constexpr std::size_t kSets = 1000;

class FullDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(disk_);
    if (mount("none", disk_.c_str(), "tmpfs", 0, "size=6m") != 0) {
      GTEST_SKIP() << "cannot mount a small disk: " << std::strerror(errno) << "; run it as root";
    }
    mounted_ = true;
  }
  void TearDown() override {
    server_.reset();
    if (mounted_) umount(disk_.c_str());
  }

  void Start() {
    server_.reset();
    std::filesystem::remove(address_file_);
    server_ = std::make_unique<SchedulerProcess>(
        std::vector<std::string>{"--data", (disk_ / "data").string(), "--listen", "127.0.0.1:0",
                                 "--address-file", address_file_.string()},
        log_);
    const std::string address = SchedulerProcess::WaitForAddress(address_file_);
    ASSERT_NE(address, "") << ReadFile(log_).value_or("");
    stubs_ = std::make_unique<Stubs>(address);
  }

  // Takes all the room there is.
  void Fill() {
    std::ofstream filler(disk_ / "filler", std::ios::binary);
    while (filler.write(std::string(4096, 'x').data(), 4096) && filler.flush()) {
    }
  }
  void MakeRoom() { std::filesystem::remove(disk_ / "filler"); }

  grpc::Status Submit(int index, std::string& name) {
    v1::CreateJobResponse response;
    const grpc::Status status = stubs_->experiments->CreateJob(
        MakeContext().get(), ToMessage(MakeRequest(fmt::format("job-{}", index), kSets, 500)),
        &response);
    name = response.job().name();
    return status;
  }
  std::string StateOf(const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    v1::GetJobResponse response;
    const grpc::Status status =
        stubs_->experiments->GetJob(MakeContext().get(), request, &response);
    return status.ok() ? v1::JobState_Name(response.job().state()) : status.error_message();
  }
  // Runs a shard of the queue; the status of what failed first.
  grpc::Status RunOne() {
    v1::SynchronizeResponse answer;
    const grpc::Status status = stubs_->workers->Synchronize(
        MakeContext().get(), MakeSync("w1", "aaaaaaaaaaaaaaaa", 1), &answer);
    if (!status.ok() || answer.leases().empty()) return status;
    v1::LeaseRef lease;
    lease.set_shard(answer.leases(0).shard());
    lease.set_fence(answer.leases(0).fence());
    return RunShardOnWire(*stubs_, lease);
  }

  TemporaryFolder folder_;
  std::filesystem::path disk_ = folder_.path() / "disk";
  std::filesystem::path log_ = folder_.path() / "log";
  std::filesystem::path address_file_ = folder_.path() / "address";
  bool mounted_ = false;
  std::unique_ptr<SchedulerProcess> server_;
  std::unique_ptr<Stubs> stubs_;
};

TEST_F(FullDiskTest, FullDiskIsSaidAndNothingAcknowledgedIsLost) {
  Start();
  std::vector<std::string> accepted;
  std::string name;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(Submit(i, name).ok());
    accepted.push_back(name);
  }
  ASSERT_TRUE(RunOne().ok());
  Fill();
  grpc::Status refused;
  for (int i = 4; i < 1000 && refused.ok(); ++i) {
    refused = Submit(i, name);
    if (refused.ok()) accepted.push_back(name);
  }
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE) << refused.error_message();
  EXPECT_THAT(refused.error_message(), HasSubstr("disk is full"));
  EXPECT_FALSE(RunOne().ok());
  for (const std::string& one : accepted) EXPECT_THAT(StateOf(one), HasSubstr("JOB_STATE")) << one;

  MakeRoom();
  ASSERT_TRUE(Submit(2000, name).ok()) << "there is room again";
  accepted.push_back(name);
  EXPECT_TRUE(RunOne().ok());
  server_->Kill();
  Start();
  for (const std::string& one : accepted) EXPECT_THAT(StateOf(one), HasSubstr("JOB_STATE")) << one;
  EXPECT_TRUE(RunOne().ok());
}

TEST_F(FullDiskTest, ReadOnlyFolderIsRefusedWithAdvice) {
  ASSERT_EQ(mount("none", disk_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=6m"), 0);
  SchedulerProcess server({"--data", (disk_ / "data").string(), "--listen", "127.0.0.1:0"}, log_);
  EXPECT_EQ(server.Wait(), 4);
  const std::string log = ReadFile(log_).value_or("");
  EXPECT_THAT(log, HasSubstr("cannot be written"));
  EXPECT_THAT(log, HasSubstr("the right to write there"));
}

TEST_F(FullDiskTest, StartOnAFullDiskSaysWhatToDo) {
  Fill();
  SchedulerProcess server({"--data", (disk_ / "data").string(), "--listen", "127.0.0.1:0"}, log_);
  EXPECT_EQ(server.Wait(), 4);
  const std::string log = ReadFile(log_).value_or("");
  EXPECT_THAT(log, HasSubstr("disk is full"));
  EXPECT_THAT(log, HasSubstr("Free space"));
  MakeRoom();
  Start();
}

}  // namespace
}  // namespace inferon::scheduler
