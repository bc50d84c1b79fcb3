// What the machine allows without a scheduler: SQLite alone, gRPC alone.
#pragma once

#include <filesystem>
#include <string>

#include "inferon/v1/experiments.pb.h"

namespace inferon::bench {

// Rows of a submission's bytes, under a key, committed `group` at a time with synchronous FULL.
double RawSqlitePerSecond(const std::filesystem::path& folder,
                          const v1::CreateJobRequest& submission, int group, double seconds);

// A server that answers every submission at once, until it is killed. Writes its address.
int ServeEcho(const std::filesystem::path& address_file);

}  // namespace inferon::bench
