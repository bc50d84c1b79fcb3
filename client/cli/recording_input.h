// A recorded membrane trace as an observation in a model's protocol.
#pragma once

#include "client/cli/observation_input.h"
#include "common/base/result.h"
#include "common/neuron/profile.h"
#include "common/neuron/protocol.h"
#include "common/recordings/mapping.h"

namespace inferon::cli {

// Refuses a malformed map or step window.
Status CheckRecordingOptions(const ObservationOptions& options);

// Maps a recording to chip time and MADC counts; fills the query's observation and the notes that
// say how. A step longer than the protocol's is refused unless it is to be cropped, a shorter one
// is refused: it needs a study with that protocol.
Status UseRecording(const Recording& recording, const ObservationOptions& options,
                    const Profile& profile, const Protocol& protocol, QueryObservation& query);

}  // namespace inferon::cli
