#include "tests/bench/queue/raw_limits.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/rpc/server.h"
#include "common/sqlite/sqlite.h"
#include "inferon/v1/experiments.grpc.pb.h"

namespace inferon::bench {
namespace {

class Echo : public v1::ExperimentService::Service {
 public:
  grpc::Status CreateJob(grpc::ServerContext*, const v1::CreateJobRequest* request,
                         v1::CreateJobResponse* response) override {
    response->mutable_job()->set_name("projects/default/jobs/1");
    response->mutable_job()->set_title(request->title());
    return grpc::Status::OK;
  }
};

}  // namespace

double RawSqlitePerSecond(const std::filesystem::path& folder,
                          const v1::CreateJobRequest& submission, int group, double seconds) {
  std::filesystem::create_directories(folder);
  sqlite::Database database(folder / "raw.db", sqlite::Access::kWrite);
  database.Execute("CREATE TABLE job(id INTEGER PRIMARY KEY, request_id TEXT UNIQUE, spec BLOB)");
  const std::string bytes = submission.SerializeAsString();
  const SteadyTime start = SystemClock().Now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(SystemClock().Now() - start).count();
  };
  std::uint64_t rows = 0;
  while (elapsed() < seconds) {
    sqlite::Transaction transaction(database);
    for (int i = 0; i < group; ++i) {
      database.Prepare("INSERT INTO job(request_id, spec) VALUES(?, ?)")
          .Bind(fmt::format("r{}", rows++), sqlite::Blob{bytes})
          .Run();
    }
    transaction.Commit();
  }
  return static_cast<double>(rows) / elapsed();
}

int ServeEcho(const std::filesystem::path& address_file) {
  rpc::BlockStopSignals();
  Echo echo;
  const auto server = rpc::StartServer({}, {&echo});
  if (!server) return 1;
  WriteFileAtomically(address_file, server->address);
  rpc::WaitForStopSignal();
  return 0;
}

}  // namespace inferon::bench
