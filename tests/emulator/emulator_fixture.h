// Profiles and requests that the emulator's tests share.
#pragma once

#include <initializer_list>
#include <vector>

#include "common/features/features.h"
#include "worker/emulator/emulator.h"

namespace inferon::worker {

Profile ShippedProfile();

// A profile without mismatch, drift, jitter and noise, otherwise as it is.
Profile WithoutNoise(Profile profile);

// The shipped profile without noise, jitter, drift and mismatch, with an unclipped read-out of
// 1 count a mV, without exponential current and without settling.
Profile QuietProfile();

// Sets the map of a parameter so that every code means this value (nS, mV, pA).
void Pin(Profile& profile, Parameter parameter, double value);

// One row of equal codes for each set.
ParameterSets EqualSets(const Profile& profile, std::size_t sets, std::uint16_t code);
// Uniform codes.
ParameterSets RandomSets(const Profile& profile, std::size_t sets, std::uint64_t seed);

RunRequest Request(const Profile& profile, ParameterSets sets, std::uint32_t trials = 1);

// Runs on one thread; the request must be fine.
ObservationBatch RunOrDie(const RunRequest& request, int threads = 1);

}  // namespace inferon::worker
