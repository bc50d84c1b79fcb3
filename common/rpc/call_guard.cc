#include "common/rpc/call_guard.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace inferon::rpc {
namespace {

using google::protobuf::Message;

constexpr std::string_view kBearer = "Bearer ";

std::string TokenOf(const grpc::ServerContextBase& context) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return {};
  const std::string_view value(found->second.data(), found->second.size());
  // Whatever is not a bearer's token is handed on, to be called malformed.
  return std::string(value.starts_with(kBearer) ? value.substr(kBearer.size()) : value);
}

// Address of the caller without its port.
std::string HostOf(const grpc::ServerContextBase& context) {
  const std::string peer = context.peer();
  return peer.substr(0, peer.rfind(':'));
}

grpc::Status TooMany(std::chrono::milliseconds wait, const std::string& who) {
  return ToStatus({ErrorCode::kResourceExhausted,
                   fmt::format("{} makes more calls than this server allows one client", who),
                   "Wait, and ask less often", wait});
}

tl::unexpected<grpc::Status> Denied(const Caller& caller, std::string cause, std::string message,
                                    std::string advice) {
  spdlog::warn("refused to {}: {}", caller.Name(), message);
  return tl::unexpected(RefusalStatus(grpc::StatusCode::PERMISSION_DENIED, cause,
                                      std::move(message), std::move(advice)));
}

grpc::Status Unauthenticated(const TokenRefusal& refusal) {
  return RefusalStatus(grpc::StatusCode::UNAUTHENTICATED, refusal.cause, refusal.message,
                       refusal.advice);
}

// A name from the wire, for a message and the log.
std::string Shown(const std::string& name) {
  constexpr std::size_t kMost = 100;
  std::string shown = name.substr(0, kMost);
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return shown;
}

// "projects/lab" of "projects/lab/jobs/7".
std::string ProjectOfName(const std::string& name) {
  if (name.empty()) return "projects/default";
  const auto first = name.find('/');
  return name.substr(0, first == std::string::npos ? first : name.find('/', first + 1));
}

}  // namespace

std::string Caller::Name() const {
  return token_ ? fmt::format("{}/{}", token_->label, token_->id) : std::string();
}

bool Caller::HoldsAll() const { return !token_ || token_->scope.empty(); }

bool Caller::Holds(std::string_view name) const {
  return HoldsAll() || std::ranges::find(token_->scope, name) != token_->scope.end();
}

bool Caller::Has(Role least) const {
  if (!token_) return true;
  if (least == Role::kWorker || token_->role == Role::kWorker) return token_->role == least;
  return token_->role >= least;
}

CallGuard::CallGuard(std::unique_ptr<TokenStore> tokens, const GuardOptions& options, Clock& clock,
                     ProjectOf project_of)
    : tokens_(std::move(tokens)),
      project_of_(std::move(project_of)),
      clock_(clock),
      calls_(options.max_calls_per_second, std::max(1.0, 2 * options.max_calls_per_second), clock),
      refusals_(options.max_refusals_per_second, std::max(1.0, 2 * options.max_refusals_per_second),
                clock) {}

Result<std::unique_ptr<TokenStore>> OpenTokens(const GuardOptions& options, Clock& clock) {
  if (options.tokens.empty()) return std::unique_ptr<TokenStore>();
  return TokenStore::Open(options.tokens, clock);
}

Trace CallGuard::TraceOf(const grpc::ServerContextBase& context) {
  const auto found = context.client_metadata().find("traceparent");
  if (found == context.client_metadata().end()) return MakeTrace();
  const auto parent = ParseTraceParent({found->second.data(), found->second.size()});
  return parent ? ChildOf(*parent) : MakeTrace();
}

void CallGuard::Count(const Message& request, const grpc::Status& status,
                      std::chrono::nanoseconds time) const {
  const AccessRule* rule = RuleOf(request);
  const double seconds = std::chrono::duration<double>(time).count();
  const char* method = rule == nullptr ? "unknown" : rule->method;
  statistics_.Count(method, CodeName(status.error_code()), seconds);
  spdlog::debug("{} {} in {:.1f} ms", method, CodeName(status.error_code()), 1000 * seconds);
}

CallGuard::Admitted<void> CallGuard::Recheck(const grpc::ServerContextBase& context) const {
  if (!tokens_) return {};
  const auto token = tokens_->Check(TokenOf(context));
  if (token) return {};
  spdlog::warn("a stream to {} ends: {}", context.peer(), token.error().message);
  return tl::unexpected(Unauthenticated(token.error()));
}

CallGuard::Admitted<Caller> CallGuard::Authenticate(const grpc::ServerContextBase& context) const {
  if (!tokens_) {
    if (const auto wait = calls_.Take(HostOf(context))) {
      return tl::unexpected(TooMany(*wait, "your machine"));
    }
    return Caller();
  }
  auto token = tokens_->Check(TokenOf(context));
  if (!token) {
    const TokenRefusal& refusal = token.error();
    if (const auto wait = refusals_.Take(HostOf(context))) {
      return tl::unexpected(TooMany(*wait, "your machine, without a good token,"));
    }
    spdlog::warn("refused to {}: {}", context.peer(), refusal.message);
    return tl::unexpected(Unauthenticated(refusal));
  }
  Caller caller(std::move(*token));
  if (const auto wait = calls_.Take(caller.token_->id)) {
    return tl::unexpected(TooMany(*wait, caller.Name()));
  }
  return caller;
}

CallGuard::Admitted<Caller> CallGuard::Admit(const grpc::ServerContextBase& context,
                                             const Message& request) const {
  Admitted<Caller> caller = Authenticate(context);
  if (!caller) return caller;
  const AccessRule* rule = RuleOf(request);
  if (rule == nullptr) {  // A test sees to it that there is one.
    return Denied(*caller, "NO_RULE", fmt::format("{} has no rule", request.GetTypeName()),
                  "This is an error of the server: report it");
  }
  if (!caller->Has(rule->role)) {
    return Denied(*caller, "ROLE",
                  fmt::format("{} needs the role {}, and the token of {} has {}", rule->method,
                              RoleName(rule->role), caller->Name(), RoleName(caller->token_->role)),
                  "Ask the node's operator for a token of that role");
  }
  if (const std::size_t bytes = request.ByteSizeLong(); bytes > rule->max_bytes) {
    return tl::unexpected(
        ToStatus({ErrorCode::kInvalidArgument,
                  fmt::format("the message of {} bytes is larger than the {} that {} takes", bytes,
                              rule->max_bytes, rule->method),
                  "Send less at a time",
                  {}}));
  }
  if (rule->subject == Subject::kFirstMessage) return caller;
  if (const auto ok = CheckSubject(*caller, request); !ok) return tl::unexpected(ok.error());
  return caller;
}

CallGuard::Admitted<void> CallGuard::CheckSubject(const Caller& caller,
                                                  const Message& request) const {
  const AccessRule& rule = *RuleOf(request);
  if (rule.subject == Subject::kNode || caller.HoldsAll()) return {};
  const std::string name = TextAt(request, rule.field);
  switch (rule.subject) {
    case Subject::kWorker:
      if (caller.Holds("workers/" + name)) return {};
      return Denied(
          caller, "OWNER",
          fmt::format("the token of {} is not for the worker '{}'", caller.Name(), Shown(name)),
          "Give the worker the name that its token was made for, or make it another one");
    case Subject::kStored: {
      const auto ok = CheckProjectOf(caller, name);
      const std::string second = *rule.second_field ? TextAt(request, rule.second_field) : "";
      return ok && !second.empty() ? CheckProjectOf(caller, second) : ok;
    }
    case Subject::kProjectOrAll:
      if (!name.empty()) break;
      return Denied(caller, "OWNER",
                    fmt::format("the token of {} is not for all projects", caller.Name()),
                    "Name one of its projects");
    default:
      break;
  }
  const std::string project = ProjectOfName(name);
  if (caller.Holds(project)) return {};
  return Denied(caller, "OWNER",
                fmt::format("the token of {} is not for {}", caller.Name(), Shown(project)),
                "Choose one of its projects, or ask the node's operator for a token of this one");
}

bool CallGuard::MaySee(const Caller& caller, const std::string& name) const {
  if (caller.HoldsAll()) return true;
  const auto project = FindProject(name);
  return project && caller.Holds(*project);
}

std::optional<std::string> CallGuard::FindProject(const std::string& name) const {
  return project_of_ ? project_of_(name) : std::nullopt;
}

// What is not there looks as if it were another project's.
CallGuard::Admitted<void> CallGuard::CheckProjectOf(const Caller& caller,
                                                    const std::string& name) const {
  if (name.empty()) {
    return Denied(caller, "OWNER",
                  fmt::format("the newest of all projects' is not for {}", caller.Name()),
                  "Say which one is meant");
  }
  if (MaySee(caller, name)) return {};
  return Denied(
      caller, "OWNER",
      fmt::format("there is no {} in the projects of the token of {}", Shown(name), caller.Name()),
      "Check the name, or ask the node's operator for a token of its project");
}

}  // namespace inferon::rpc
