#include "client/cli/cluster/cluster_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "common/base/files.h"

namespace inferon::cli {
namespace {

TEST(ClusterFolderTest, ProcessesAreReadAsWritten) {
  const TemporaryFolder temporary;
  const ClusterFolder folder(temporary.path());
  ASSERT_TRUE(folder.Make());
  EXPECT_TRUE(ReadProcesses(folder).empty());
  WriteProcesses(folder, {{.name = "worker-1",
                           .state = "gave up",
                           .pid = 0,
                           .restarts = 8,
                           .started_at = 12,
                           .last_ending = "exit code 4"}});
  const auto processes = ReadProcesses(folder);
  ASSERT_EQ(processes.size(), 1u);
  EXPECT_EQ(processes[0].state, "gave up");
  EXPECT_EQ(processes[0].restarts, 8);
  EXPECT_EQ(processes[0].last_ending, "exit code 4");
}

TEST(ClusterFolderTest, MalformedProcessesAreAsGoodAsNone) {
  const TemporaryFolder temporary;
  const ClusterFolder folder(temporary.path());
  ASSERT_TRUE(folder.Make());
  for (const char* text : {"", "{}", "[1]"}) {
    WriteFileAtomically(folder.Processes(), text);
    EXPECT_TRUE(ReadProcesses(folder).empty());
  }
}

TEST(ClusterFolderTest, SupervisorRunsWhileItsLockIsHeld) {
  const TemporaryFolder temporary;
  const ClusterFolder folder(temporary.path());
  ASSERT_TRUE(folder.Make());
  WriteFileAtomically(folder.Pid("supervisor"), "4242\n");
  EXPECT_FALSE(folder.Supervisor());  // A file left behind by a killed one.
  const auto lock = FileLock::Acquire(folder.SupervisorLock());
  EXPECT_EQ(folder.Supervisor(), 4242);
}

TEST(ClusterFolderTest, LastLogLineIsTheLastOneWithText) {
  const TemporaryFolder temporary;
  const ClusterFolder folder(temporary.path());
  ASSERT_TRUE(folder.Make());
  EXPECT_EQ(LastLogLine(folder, "worker-1"), "");
  std::ofstream(folder.Log("worker-1")) << std::string(10'000, 'x') << "\nlast words\n\n";
  EXPECT_EQ(LastLogLine(folder, "worker-1"), "last words");
}

}  // namespace
}  // namespace inferon::cli
