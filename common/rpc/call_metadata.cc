#include "common/rpc/call_metadata.h"

#include <spdlog/spdlog.h>

#include <mutex>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/trace.h"

namespace inferon::rpc {
namespace {

using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

constexpr std::size_t kMaxTokenFile = 4096;
constexpr std::chrono::seconds kLookInterval{10};

// The token, read again from its file every few seconds, so that a new one needs no restart.
// Thread-safe.
class TokenSource {
 public:
  explicit TokenSource(const ClientSecurity& security)
      : file_(security.token_file), token_(security.token) {}

  std::string Token() {
    if (file_.empty()) return token_;
    const std::lock_guard lock(mu_);
    const SteadyTime now = SystemClock().Now();
    if (!read_ || now - looked_ >= kLookInterval) {
      looked_ = now;
      Read();
    }
    return token_;
  }

 private:
  void Read() {
    Result<std::string> text = ReadFile(file_, kMaxTokenFile);
    if (!text) {  // The server says that there is no token, or the old one goes on.
      spdlog::warn("the token cannot be read: {}", text.error().Text());
      return;
    }
    text->erase(text->find_last_not_of(" \t\r\n") + 1);
    token_ = std::move(*text);
    read_ = true;
  }

  const std::filesystem::path file_;
  std::mutex mu_;
  std::string token_;  // Guarded by mu_ where there is a file, as are the next two.
  bool read_ = false;
  SteadyTime looked_;
};

// Metadata must be ASCII without line ends; what is not goes out as what the server calls
// malformed.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

class CallMetadata : public Interceptor {
 public:
  explicit CallMetadata(std::shared_ptr<TokenSource> tokens) : tokens_(std::move(tokens)) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      const Trace& current = CurrentTrace();
      auto& metadata = *methods->GetSendInitialMetadata();
      metadata.emplace("traceparent",
                       TraceParent(current.empty() ? MakeTrace() : ChildOf(current)));
      const std::string token = tokens_ ? tokens_->Token() : "";
      if (!token.empty()) metadata.emplace("authorization", "Bearer " + Printable(token));
    }
    methods->Proceed();
  }

 private:
  const std::shared_ptr<TokenSource> tokens_;  // Shared by the calls of a channel; null: no token.
};

class Factory : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  Factory(const ClientSecurity& security, bool with_token)
      : tokens_(with_token ? std::make_shared<TokenSource>(security) : nullptr) {}
  Interceptor* CreateClientInterceptor(ClientRpcInfo*) override {
    return new CallMetadata(tokens_);  // gRPC's from here on.
  }

 private:
  const std::shared_ptr<TokenSource> tokens_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeCallMetadata(
    const ClientSecurity& security, bool with_token) {
  return std::make_unique<Factory>(security, with_token);
}

}  // namespace inferon::rpc
