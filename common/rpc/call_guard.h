// The one place that every call of every service goes through: who calls, how often, may they do
// this to that, is the message too large; and what a handler throws becomes a status.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/server_context.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/access/rate_limiter.h"
#include "common/access/token_store.h"
#include "common/base/clock.h"
#include "common/base/trace.h"
#include "common/metrics/call_statistics.h"
#include "common/rpc/access_rules.h"
#include "common/rpc/status.h"

namespace inferon::rpc {

// Who calls.
class Caller {
 public:
  // Anyone, for everything: where no tokens are in use.
  Caller() = default;
  explicit Caller(TokenRecord token) : token_(std::move(token)) {}

  // For the audit log, "alice/0123456789ab"; empty where no tokens are in use.
  std::string Name() const;
  // Whether the call may be about this: "projects/lab", "workers/chip-1".
  bool Holds(std::string_view name) const;
  bool HoldsAll() const;
  // Whether the role allows what the rule asks for.
  bool Has(Role least) const;

 private:
  friend class CallGuard;
  std::optional<TokenRecord> token_;
};

struct GuardOptions {
  std::filesystem::path tokens;         // File of tokens; empty: anyone may do everything.
  double max_calls_per_second = 0;      // Of one client, twice as many at once; 0: no limit.
  double max_refusals_per_second = 20;  // Of one address without a good token.
};

// The tokens of the options' file; nullptr where there is none. Errors are those of the file.
Result<std::unique_ptr<TokenStore>> OpenTokens(const GuardOptions& options, Clock& clock);

// Thread-safe.
class CallGuard {
 public:
  template <typename T>
  using Admitted = tl::expected<T, grpc::Status>;
  // Project ("projects/lab") of "studies/x", "models/x" or "datasets/x"; nullopt: there is none.
  using ProjectOf = std::function<std::optional<std::string>(const std::string& name)>;

  // Lets anyone do everything.
  CallGuard() : CallGuard(nullptr, GuardOptions(), SystemClock()) {}
  // `tokens` is of OpenTokens. The clock outlives the guard.
  CallGuard(std::unique_ptr<TokenStore> tokens, const GuardOptions& options, Clock& clock,
            ProjectOf project_of = {});

  // Runs a handler's body, a function of the Caller, once the call is admitted.
  template <typename Body>
  grpc::Status Run(const grpc::ServerContextBase& context, const google::protobuf::Message& request,
                   Body&& body) const {
    const TraceScope trace(TraceOf(context));
    const SteadyTime begin = clock_.Now();
    const Admitted<Caller> caller = Admit(context, request);
    const grpc::Status status =
        caller ? Guard(RuleOf(request)->method, [&] { return body(*caller); }) : caller.error();
    Count(request, status, clock_.Now() - begin);
    return status;
  }

  // The caller, or why the call is refused. Of a stream of messages `request` is any message of the
  // type; a rule about its first message is checked by CheckSubject then.
  Admitted<Caller> Admit(const grpc::ServerContextBase& context,
                         const google::protobuf::Message& request) const;
  Admitted<void> CheckSubject(const Caller& caller, const google::protobuf::Message& request) const;
  // For each message of a stream that goes on: why its caller would not be let in any more, because
  // the token was revoked or has expired.
  Admitted<void> Recheck(const grpc::ServerContextBase& context) const;
  // Whether a list shows the caller "studies/x", "models/x" or "datasets/x".
  bool MaySee(const Caller& caller, const std::string& name) const;
  std::optional<std::string> FindProject(const std::string& name) const;
  // Of the calls that went through Run.
  const CallStatistics& statistics() const { return statistics_; }

 private:
  // What the caller says that it works for; a new request where it says nothing.
  static Trace TraceOf(const grpc::ServerContextBase& context);
  void Count(const google::protobuf::Message& request, const grpc::Status& status,
             std::chrono::nanoseconds time) const;
  Admitted<Caller> Authenticate(const grpc::ServerContextBase& context) const;
  Admitted<void> CheckProjectOf(const Caller& caller, const std::string& name) const;

  const std::unique_ptr<TokenStore> tokens_;  // nullptr: none in use.
  const ProjectOf project_of_;
  Clock& clock_;
  mutable CallStatistics statistics_;
  mutable RateLimiter calls_;
  mutable RateLimiter refusals_;
};

}  // namespace inferon::rpc
