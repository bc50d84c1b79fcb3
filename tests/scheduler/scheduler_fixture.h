// Jobs, results and a worker for tests of the scheduler.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/neuron/observation.h"
#include "server/scheduler/core.h"

namespace inferon::scheduler {

// A small valid job: 20 points a trace, 7 codes a set.
JobRequest MakeRequest(const std::string& request_id, std::size_t sets,
                       std::uint32_t shard_size = 4, std::uint32_t trials = 1);

// The result that every honest worker gets for experiments [first, first + count): a function of
// seed and index alone.
ObservationBatch ResultOf(std::uint64_t seed, std::uint64_t first, std::uint32_t count,
                          std::size_t points);

// A frame for the shard.
std::string FrameOf(const ShardWork& work);

Capabilities EmulatorCapabilities();

// A worker process, without a wire.
class FakeWorker {
 public:
  FakeWorker(std::string id, std::string session)
      : id_(std::move(id)), session_(std::move(session)) {}
  // Synchronize; what it holds afterwards is what the answer says.
  Result<SyncAnswer> Beat(Core& core, std::uint32_t wanted, bool draining = false);
  // Beat that must give exactly one lease.
  LeaseRef LeaseOne(Core& core);
  const std::vector<LeaseRef>& held() const { return held_; }
  void Drop(const LeaseRef& lease) { std::erase(held_, lease); }
  Capabilities capabilities = EmulatorCapabilities();

 private:
  const std::string id_;
  const std::string session_;
  std::vector<LeaseRef> held_;
};

// Uploads a frame in chunks.
Status Stage(Core& core, const LeaseRef& lease, const std::string& frame);
// Runs a leased shard to its commit.
Result<bool> RunShard(Core& core, const LeaseRef& lease);
// All results that are there, from an index on.
std::vector<ResultChunk> ReadAll(Core& core, const std::string& job, std::uint64_t index = 0);

// A core on a folder of its own and a clock that the test moves.
class CoreTest : public testing::Test {
 protected:
  void SetUp() override { Restart(); }
  // Ends the server, if it runs, and starts it on the same folder.
  void Restart();
  Job Submit(const JobRequest& request);
  Job Get(const Job& job);
  std::string NameOf(const Job& job) const { return JobName(job.project, job.id); }
  std::vector<std::string> EventKinds(const Job& job);

  TemporaryFolder folder_;
  FakeClock clock_;
  Limits limits_;
  std::unique_ptr<Core> core_;
  FakeWorker worker_{"w1", "aaaaaaaaaaaaaaaa"};
};

}  // namespace inferon::scheduler
