// A substrate that does what a test tells it to.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "worker/substrate.h"

namespace inferon::worker {

// One scripted run; takes the place of the default one.
using FakeRun = std::function<Result<ObservationBatch>(const RunRequest&, std::stop_token)>;

// Observations that depend on seed, experiment index and codes only, at once. Thread-safe.
class FakeSubstrate : public Substrate {
 public:
  SubstrateDescription Describe() const override;
  Result<ObservationBatch> Run(const RunRequest& request, std::stop_token stop) override;
  Status Health() override;

  // The next run that has no script yet does this.
  void Script(FakeRun run);
  void SetHealth(Status health);
  // Requests of all runs so far.
  std::vector<RunRequest> Runs() const;

 private:
  mutable std::mutex mu_;
  std::deque<FakeRun> script_;  // Guarded by mu_, as is all below.
  Status health_;
  std::vector<RunRequest> runs_;
};

// The default run.
ObservationBatch FakeObservations(const RunRequest& request);

// Scripts: a failure; an exception; a run that ends only when it is stopped.
FakeRun FailingRun(Error error);
FakeRun ThrowingRun();
FakeRun EndlessRun();

}  // namespace inferon::worker
