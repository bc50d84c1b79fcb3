// Crashes without end: no process, descriptor or experiment is lost. The long run does a thousand.
#include <sys/wait.h>

#include <filesystem>
#include <thread>

#include "tests/brainscales2/device_fixture.h"
#include "tests/worker/fake_link.h"
#include "worker/agent/agent.h"
#include "worker/brainscales2/brainscales2.h"

namespace inferon::worker {
namespace {

using namespace std::chrono_literals;

std::size_t OpenDescriptors() {
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

// True where this process has any child, living or not reaped.
bool HasChildren() { return waitpid(-1, nullptr, WNOHANG) >= 0; }

class SoakTest : public DeviceTest {
 protected:
  // A worker's agent runs shards on a device whose child crashes in each first try.
  void Soak(std::uint32_t shards) {
    DeviceConfig config =
        Config({"--synthetic", "--fault", "crash", "--alternate", Path("crashed")});
    config.canary.interval = std::chrono::seconds(0);
    config.restart = {.first_delay = 0ms, .max_delay = 0ms};
    const std::size_t descriptors = OpenDescriptors();
    {
      const auto chip = OpenBrainscales2(config, {}, SystemClock());
      ASSERT_TRUE(chip) << chip.error().Text();
      FakeLink link;
      for (std::uint32_t i = 0; i < shards; ++i) {
        RunRequest request = Request(1);
        request.first_index = i;
        link.AddRequest(request);
      }
      Agent agent({}, link, **chip, SystemClock());
      std::jthread worker([&](std::stop_token stop) { EXPECT_TRUE(agent.Run(stop)); });
      const auto all = [&](const FakeLink& now) { return now.Delivered().size() == shards; };
      for (std::size_t seen = 0; !link.WaitFor(all);) {  // Gives up after ten idle seconds.
        ASSERT_GT(link.Delivered().size(), seen) << "no shard was delivered for ten seconds";
        seen = link.Delivered().size();
      }
      EXPECT_TRUE(link.Failures().empty());
      EXPECT_TRUE(link.Leased().empty());
    }
    EXPECT_EQ(OpenDescriptors(), descriptors);
    EXPECT_FALSE(HasChildren());
  }
};

TEST_F(SoakTest, FortyCrashesLoseNothing) { Soak(40); }

TEST_F(SoakTest, DISABLED_AThousandCrashesLoseNothing) { Soak(1000); }

}  // namespace
}  // namespace inferon::worker
