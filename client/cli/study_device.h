// The device of a study: which chip, and the fake one of the demo.
#pragma once

#include "client/cli/command_context.h"
#include "client/cli/study_options.h"
#include "common/base/result.h"

namespace inferon::cli {

// With --demo: fills id, scale and report folder where they are not given, and starts the local
// servers where none run; for brainscales2 with a worker on a fake device.
Status PrepareDemo(CommandContext& context, StudyOptions& options);

// A study on a chip runs on one: the only one that the scheduler's workers drive, unless --chip
// names it. Refused where there is none or a choice.
Status ChooseChip(CommandContext& context, StudyOptions& options);

}  // namespace inferon::cli
