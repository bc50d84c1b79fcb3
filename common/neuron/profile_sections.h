// The sections of a profile that say nothing about codes (profile_parser.cc reads those).
#pragma once

#include <cstdint>

#include "common/neuron/profile.h"
#include "common/neuron/toml_reader.h"

namespace inferon {

// Version 1 has neither protocol, couplings, sampling mode nor the noise of trial and threshold;
// every mechanism is there. Stored jobs, studies and models carry such profiles.
inline constexpr std::int64_t kFirstSchema = 1, kLastSchema = 2;

// What the sections are read into.
struct Draft {
  Profile profile;
  std::int64_t schema = kFirstSchema;
  bool Extended() const { return schema >= 2; }
};

void ReadNeuron(TableReader& root, Draft& draft);
void ReadExponential(TableReader& root, Draft& draft);
// Harmless numbers for the mechanisms that the neuron has not; after the maps are read.
void FillAbsent(Profile& profile);
void ReadIntegration(TableReader& root, Profile& profile);
void ReadReadOut(TableReader& root, Draft& draft);
void ReadImperfections(TableReader& root, Draft& draft);
// Optional tables; without them nothing is coupled and the protocol is the API's default.
void ReadCoupling(TableReader& root, Profile& profile);
void ReadProtocol(TableReader& root, Profile& profile);

}  // namespace inferon
