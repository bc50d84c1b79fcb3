#include <fmt/format.h>

#include <algorithm>

#include "server/scheduler/core.h"
#include "server/scheduler/explain.h"
#include "server/scheduler/health.h"
#include "server/scheduler/state.h"

namespace inferon::scheduler {

WorkerFacts Core::FactsOf(const WorkerSession& worker, const Job& job) const {
  const WorkerView view = View(worker);
  const WorkerRecord& record = worker.record;
  WorkerFacts facts{
      .id = record.id,
      .mismatch = Mismatch(record.id, record.capabilities, RequirementOf(job)).value_or(""),
      .state = view.state,
      .drained = record.drained,
      .untrusted = CanaryOf(worker) != nullptr && !MayServe(record.health),
      .refuses = worker.refuses,
      .health_message = record.health_message,
      .leases = view.leases};
  const double shard = ExpectedSeconds(job.substrate, job.shard_size);
  facts.reserved = BlockedBy(reservations_, record.id, job.project, clock_.WallNow(),
                             std::chrono::duration<double>(shard));
  const auto each = times_.HeldSeconds(job.substrate, 0.5);
  for (const HeldLease& lease : leases_.OfWorker(record.id)) {
    const std::optional<Shard> held = store_->View().GetShard(lease.ref.shard);
    const std::chrono::duration<double> ran = clock_.Now() - lease.since;
    if (held && each) {
      facts.busy_seconds =
          std::max(facts.busy_seconds, std::max(0.0, *each * held->count - ran.count()));
    }
  }
  return facts;
}

// What of other projects goes first: fair share gives each a part of the workers by its weight, so
// that until this project's work ahead is done, theirs goes along in this proportion.
void Core::AddShareFacts(ExplainFacts& facts) const {
  const Moment now = Now();
  const auto score = [&](const std::string& project) {
    const ProjectRecord* record = accounts_.Find(project);
    const double weight = record == nullptr ? 1 : record->settings.weight;
    return (accounts_.DecayedSeconds(project, now.steady) + accounts_.Held(project)) / weight;
  };
  const double own = score(facts.job.project);
  const double each = std::max(1e-9, ExpectedSeconds(facts.job.substrate, 1));
  std::vector<std::string> before;
  for (const auto& [project, experiments] : index_.Waiting()) {
    const double theirs = score(project);
    if (project == facts.job.project || experiments == 0 || theirs >= own ||
        accounts_.OverQuota(project, now.wall)) {
      continue;
    }
    const ProjectRecord* record = accounts_.Find(project);
    const double weight = record == nullptr ? 1 : record->settings.weight;
    // They catch up until the charges are level.
    const double level = (own - theirs) * weight / each;
    facts.other_ahead += std::min(static_cast<double>(experiments), level);
    before.push_back(project);
  }
  facts.served_before = fmt::format("{}", fmt::join(before, ", "));
}

Result<Explanation> Core::ExplainJob(const std::string& name) {
  return Write([&]() -> Result<Explanation> {
    const Result<Job> job = FindJob(store_->View(), name);
    if (!job) return tl::unexpected(job.error());
    ExplainFacts facts{.job = *job, .now = clock_.WallNow()};
    if (!HasEnded(job->state)) {
      for (const auto& [id, worker] : workers_) facts.workers.push_back(FactsOf(worker, *job));
      const ReadyShard ready = store_->View().NextReady(job->id, NowMs());
      if (!ready.shard && ready.wait_ms > 0) facts.back_off_ms = ready.wait_ms - NowMs();
      facts.over_quota = accounts_.OverQuota(job->project, facts.now);
      facts.day_seconds = accounts_.DaySeconds(job->project, facts.now);
      if (const ProjectRecord* record = accounts_.Find(job->project)) {
        facts.quota_seconds = record->settings.max_seconds_per_day;
      }
      facts.own_ahead = index_.ExperimentsAhead(*job);
      AddShareFacts(facts);
      if (const auto mid = times_.HeldSeconds(job->substrate, 0.5)) {
        facts.times = MeasuredTimes{times_.HeldSeconds(job->substrate, 0.1).value(), *mid,
                                    times_.HeldSeconds(job->substrate, 0.9).value()};
      }
    }
    return Explain(facts);
  });
}

}  // namespace inferon::scheduler
