#include "server/scheduler/core.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/base/check.h"
#include "server/scheduler/state.h"

namespace inferon::scheduler {
namespace {

constexpr std::int64_t kUsageHours = 8 * 24;  // Charges that are kept.
// Run time that a killed server may forget.
constexpr std::chrono::seconds kUpkeepPeriod{10};

}  // namespace

Core::Core(std::unique_ptr<Store> store, const std::filesystem::path& folder, const Limits& limits,
           Clock& clock, std::optional<FileLock> lock, Disk& disk)
    : lock_(std::move(lock)),
      limits_(limits),
      clock_(clock),
      disk_(disk),
      started_(clock.Now()),
      segment_folder_(folder / "segments"),
      store_(std::move(store)),
      readers_(*store_, limits.max_readers),
      staging_(folder / "staging", limits),
      accounts_(limits.share_half_life),
      writer_(*store_,
              {[this] { segments_->Sync(); }, [this] { OnCommit(); },
               [this](bool whole_group) { OnUndo(whole_group); }},
              limits.max_waiting_writes, limits.max_group) {
  const Status started = writer_.Run([this]() -> Status {
    Start();
    return {};
  });
  INFERON_CHECK(started.has_value());
}

void Core::Start() {
  segments_.emplace(segment_folder_, limits_.segment_bytes, store_->View().SegmentEnds(), disk_);
  epoch_ = store_->NextEpoch();
  const std::uint64_t count = store_->RefenceAll(epoch_ << 32);
  next_upkeep_ = clock_.Now();
  Load();
  spdlog::info("start {}: {} leases of the start before are void", epoch_, count);
}

// What memory mirrors of the disk; sessions and leases keep what only memory knows.
void Core::Load() {
  StoreReader& view = store_->View();
  std::map<std::string, WorkerRecord> on_disk;
  for (const WorkerRecord& record : view.Workers()) on_disk[record.id] = record;
  std::erase_if(workers_, [&](const auto& one) { return !on_disk.contains(one.first); });
  for (const auto& [id, record] : on_disk) {
    workers_[id].record = record;
    workers_[id].check = 0;
  }
  accounts_.Load(view.Projects(), view.Usage(HourOf(clock_.WallNow()) - kUsageHours), Now());
  reservations_ = view.Reservations();
  canaries_.clear();
  for (const Canary& canary : view.Canaries()) canaries_[canary.substrate] = canary;
  index_.Clear();
  for (const Job& job : view.OpenJobs()) {
    if (job.project != kHealthProject) {
      index_.Put(job);
    } else if (const auto worker = workers_.find(job.placement.worker); worker != workers_.end()) {
      worker->second.check = job.id;
    }
  }
}

void Core::OnCommit() {
  for (const std::uint32_t segment : free_segments_) RemoveSegment(segment_folder_, segment, disk_);
  free_segments_.clear();
  if (changed_.empty()) return;
  changes_.Notify(changed_);
  changed_.clear();
}

void Core::OnUndo(bool whole_group) {
  reconcile_ = true;
  free_segments_.clear();
  if (whole_group && segments_) segments_->Abandon();
}

void Core::Reconcile() {
  const SteadyTime now = clock_.Now();
  leases_.Match(store_->View().LeasedShards(), now, now + limits_.lease_time);
  accounts_.ReleaseAll();
  for (const HeldLease& lease : leases_.All()) {
    accounts_.Hold(lease.project, lease.expected_seconds + lease.switch_seconds);
  }
  Load();
  reconcile_ = false;
}

std::int64_t Core::NowMs() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - started_).count();
}

void Core::Tell(const char* kind, const Job& job, const std::string& resource,
                const std::string& message, const Actor& actor) {
  store_->AddEvent({0, clock_.WallNow(), kind, job.project, job.id, resource, message, actor});
  changed_.insert(job.id);
}

void Core::TellOf(const char* kind, const std::string& resource, const std::string& message,
                  const Actor& actor, const std::string& project) {
  store_->AddEvent({0, clock_.WallNow(), kind, project, 0, resource, message, actor});
}

void Core::TellOffline() {
  for (auto& [id, worker] : workers_) {
    if (worker.offline_told || View(worker).state != WorkerState::kOffline) continue;
    worker.offline_told = true;
    worker.record.last_seen = clock_.WallNow() - std::chrono::duration_cast<WallTime::duration>(
                                                     clock_.Now() - *worker.last_seen);
    store_->PutWorker(worker.record);
    TellOf("worker.offline", WorkerName(id), "not heard of for longer than the lease time");
  }
}

// What need not be done at each tick.
void Core::Upkeep() {
  const SteadyTime now = clock_.Now();
  if (now < next_upkeep_) return;
  next_upkeep_ = now + kUpkeepPeriod;
  for (const JobId job : leases_.Jobs()) {
    const std::chrono::duration<double> ran = now - leases_.HeldSince(job).value();
    store_->AddRunSeconds(job, ran.count());
    leases_.CountFrom(job, now);
  }
  ForgetReservations();
  staging_.RemoveUnless([this](const LeaseRef& lease) { return leases_.Find(lease).has_value(); });
  store_->Trim(HourOf(clock_.WallNow()) - kUsageHours, limits_.checks_kept);
  if (limits_.retain.count() > 0) Purge(limits_.retain, false, {});
  if (limits_.forget.count() > 0) {
    store_->Forget(clock_.WallNow() - limits_.forget, kMaxForgotten);
  }
}

Status Core::Tick() {
  return Write([this]() -> Status {
    ExpireLeases();
    EndOverdue();
    TellOffline();
    Upkeep();
    return {};
  });
}

}  // namespace inferon::scheduler
