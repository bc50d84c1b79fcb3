// The profile lif2 as a simulator of three numbers: what the brute-force posterior and the
// estimator both see.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/neuron/profile.h"
#include "common/priors/prior.h"
#include "worker/substrate.h"

namespace inferon::lif2 {

inline constexpr std::size_t kParameters = 2;
inline constexpr std::size_t kColumns = 3;  // Latency (us), mean ISI (us), mean peak (counts).

Prior CodePrior(const Profile& profile);

// Runs of the emulator. Not thread-safe.
class Simulator {
 public:
  Simulator();
  const Profile& profile() const { return profile_; }
  std::uint64_t runs() const { return runs_; }
  // x ([n, kColumns], NaN: missing) of codes ([n, kParameters]); every call has numbers of its own.
  std::vector<float> Run(std::span<const std::uint16_t> codes);

 private:
  const Profile profile_;
  const std::unique_ptr<worker::Substrate> emulator_;
  std::uint64_t runs_ = 0;
};

}  // namespace inferon::lif2
