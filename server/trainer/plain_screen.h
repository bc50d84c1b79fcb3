// The screen of the trainer's local commands: tables or one JSON object on standard output, notes
// and progress on standard error.
#pragma once

#include <memory>
#include <ostream>

#include "common/base/clock.h"
#include "common/inference/commands/commands.h"

namespace inferon::trainer {

// The streams outlive it.
std::unique_ptr<commands::Screen> MakePlainScreen(std::ostream& out, std::ostream& err, bool json,
                                                  const Clock& clock);

}  // namespace inferon::trainer
