// A store whose commits fail or take long when told to: the seam for faults of the disk.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/scheduler/store.h"

namespace inferon::scheduler {

class FaultyStore : public Store {
 public:
  // Calls `before_commit`, which may throw: then the commit fails. The store may be shared with the
  // scheduler that starts next.
  FaultyStore(std::shared_ptr<Store> store, std::function<void()> before_commit)
      : store_(std::move(store)), before_commit_(std::move(before_commit)) {}

  void Begin() override { store_->Begin(); }
  void Commit() override {
    before_commit_();
    store_->Commit();
  }
  void Rollback() override { store_->Rollback(); }
  void BeginPart() override { store_->BeginPart(); }
  void EndPart() override { store_->EndPart(); }
  void UndoPart() override { store_->UndoPart(); }
  StoreReader& View() override { return store_->View(); }
  std::unique_ptr<StoreReader> OpenReader() override { return store_->OpenReader(); }
  std::uint64_t NextEpoch() override { return store_->NextEpoch(); }
  std::uint64_t RefenceAll(Fence fence) override { return store_->RefenceAll(fence); }
  JobId AddJob(const Job& job, const JobSpec& spec, const std::vector<std::string>& keys) override {
    return store_->AddJob(job, spec, keys);
  }
  void StartJob(JobId job, WallTime now) override { store_->StartJob(job, now); }
  void EndJob(JobId job, JobState state, WallTime now) override { store_->EndJob(job, state, now); }
  void LeaseShard(ShardId shard, Fence fence, const std::string& worker) override {
    store_->LeaseShard(shard, fence, worker);
  }
  bool FinishShard(ShardId shard, Fence fence, const ShardResult& result) override {
    return store_->FinishShard(shard, fence, result);
  }
  bool ReturnShard(ShardId shard, Fence fence, const ShardReturn& how) override {
    return store_->ReturnShard(shard, fence, how);
  }
  bool SplitShard(ShardId shard, Fence fence, const ShardReturn& how,
                  const ShardCounts& rest) override {
    return store_->SplitShard(shard, fence, how, rest);
  }
  bool KillShard(ShardId shard, Fence fence, const ShardReturn& how) override {
    return store_->KillShard(shard, fence, how);
  }
  void AddEvent(const Event& event) override { store_->AddEvent(event); }
  void PutWorker(const WorkerRecord& worker) override { store_->PutWorker(worker); }
  void SetPaused(JobId job, bool paused) override { store_->SetPaused(job, paused); }
  void SetJobError(JobId job, const std::string& error) override {
    store_->SetJobError(job, error);
  }
  void AddRunSeconds(JobId job, double seconds) override { store_->AddRunSeconds(job, seconds); }
  void PurgeJob(JobId job, WallTime now) override { store_->PurgeJob(job, now); }
  std::uint64_t MarkSuspect(const std::string& worker, Fence above) override {
    return store_->MarkSuspect(worker, above);
  }
  void PutProject(const ProjectRecord& project) override { store_->PutProject(project); }
  void PutCanary(const Canary& canary) override { store_->PutCanary(canary); }
  std::uint64_t AddReservation(const Reservation& reservation) override {
    return store_->AddReservation(reservation);
  }
  void AddUsage(const UsageRow& row) override { store_->AddUsage(row); }
  void AddCheck(const HealthCheck& check) override { store_->AddCheck(check); }
  bool DeleteCanary(const std::string& substrate) override {
    return store_->DeleteCanary(substrate);
  }
  bool DeleteReservation(std::uint64_t id) override { return store_->DeleteReservation(id); }
  void Trim(std::int64_t before_hour, std::uint32_t checks) override {
    store_->Trim(before_hour, checks);
  }
  std::uint32_t Forget(WallTime before, std::uint32_t limit) override {
    return store_->Forget(before, limit);
  }

 private:
  const std::shared_ptr<Store> store_;
  const std::function<void()> before_commit_;
};

}  // namespace inferon::scheduler
