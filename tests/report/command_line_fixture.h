// Runs the command line in this process against a fake trainer.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/app.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "tests/report/fake_trainer.h"

namespace inferon::cli {

class CommandLineFixture : public ::testing::Test {
 protected:
  struct Outcome {
    int code;
    std::string out;
    std::string err;
    // The last line of stdout.
    nlohmann::json Json() const {
      std::istringstream lines(out);
      std::string line, last;
      while (std::getline(lines, line)) last = line;
      return nlohmann::json::parse(last);
    }
  };

  void Start(TrainerScript script = {}) {
    trainer_ = std::make_unique<FakeTrainer>(std::move(script));
  }

  // With --trainer of the fake, where it was started.
  Outcome Run(std::vector<std::string> arguments) {
    if (trainer_) arguments.insert(arguments.end(), {"--trainer", trainer_->address()});
    const Environment environment{.clock = clock_,
                                  .stop = stop_.get_token(),
                                  .default_data = folder_.path() / "data",
                                  .program_folder = {}};
    std::ostringstream out, err;
    const int code = RunCommandLine(arguments, environment, out, err);
    return {code, out.str(), err.str()};
  }

  std::string Path(const std::string& name) const { return folder_.path() / name; }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::stop_source stop_;
  std::unique_ptr<FakeTrainer> trainer_;
};

}  // namespace inferon::cli
