#include "common/rpc/status.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <array>
#include <exception>
#include <system_error>

#include "inferon/v1/errors.pb.h"

namespace inferon::rpc {
namespace {

struct CodeRow {
  ErrorCode ours;
  grpc::StatusCode theirs;
  const char* reason;
};

constexpr std::array<CodeRow, 12> kCodes{{
    {ErrorCode::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT"},
    {ErrorCode::kNotFound, grpc::StatusCode::NOT_FOUND, "NOT_FOUND"},
    {ErrorCode::kAlreadyExists, grpc::StatusCode::ALREADY_EXISTS, "ALREADY_EXISTS"},
    {ErrorCode::kFailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION, "FAILED_PRECONDITION"},
    {ErrorCode::kAborted, grpc::StatusCode::ABORTED, "ABORTED"},
    {ErrorCode::kResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"},
    {ErrorCode::kUnavailable, grpc::StatusCode::UNAVAILABLE, "UNAVAILABLE"},
    {ErrorCode::kCancelled, grpc::StatusCode::CANCELLED, "CANCELLED"},
    {ErrorCode::kDeadlineExceeded, grpc::StatusCode::DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"},
    {ErrorCode::kDataLoss, grpc::StatusCode::DATA_LOSS, "DATA_LOSS"},
    {ErrorCode::kUnimplemented, grpc::StatusCode::UNIMPLEMENTED, "UNIMPLEMENTED"},
    {ErrorCode::kInternal, grpc::StatusCode::INTERNAL, "INTERNAL"},
}};

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";

void AddDetail(const char* url, const google::protobuf::Message& detail, v1::StatusDetails& all) {
  google::protobuf::Any* any = all.add_details();
  any->set_type_url(url);
  any->set_value(detail.SerializeAsString());
}

std::string Details(const Error& error, grpc::StatusCode code, const char* reason,
                    const std::string& cause = {}) {
  v1::StatusDetails all;
  all.set_code(code);
  all.set_message(error.Text());
  v1::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("inferon");
  if (!cause.empty()) (*info.mutable_metadata())["cause"] = cause;
  (*info.mutable_metadata())["problem"] = error.message;
  if (!error.advice.empty()) (*info.mutable_metadata())["advice"] = error.advice;
  AddDetail(kErrorInfoUrl, info, all);
  if (error.retry_after) {
    v1::RetryInfo retry;
    *retry.mutable_retry_delay() =
        google::protobuf::util::TimeUtil::MillisecondsToDuration(error.retry_after->count());
    AddDetail(kRetryInfoUrl, retry, all);
  }
  return all.SerializeAsString();
}

// Problem and advice travel apart, so that neither has to be parsed from the text.
void ReadDetails(const std::string& bytes, Error& error) {
  v1::StatusDetails all;
  if (!all.ParseFromString(bytes)) return;
  for (const google::protobuf::Any& any : all.details()) {
    if (v1::ErrorInfo info; any.type_url() == kErrorInfoUrl && info.ParseFromString(any.value())) {
      const auto problem = info.metadata().find("problem");
      if (problem != info.metadata().end()) error.message = problem->second;
      const auto advice = info.metadata().find("advice");
      if (advice != info.metadata().end()) error.advice = advice->second;
    }
    if (v1::RetryInfo retry;
        any.type_url() == kRetryInfoUrl && retry.ParseFromString(any.value())) {
      error.retry_after = std::chrono::milliseconds(
          google::protobuf::util::TimeUtil::DurationToMilliseconds(retry.retry_delay()));
    }
  }
}

// What to do where the connection failed in the TLS handshake; nullptr where it did not get there.
const char* TlsAdvice(const std::string& problem) {
  const auto says = [&](const char* text) { return problem.find(text) != std::string::npos; };
  if (says("CERTIFICATE_VERIFY_FAILED") || says("Hostname Verification")) {
    return "Its certificate is not of your CA (--ca), has expired or does not name this host";
  }
  if (says("handshake") || says("SSL") || says("TLS") || says("Socket closed")) {
    return "Check that both sides use TLS (--ca), and that --cert and --key are given where the "
           "server asks for a client's certificate";
  }
  return nullptr;
}

}  // namespace

grpc::Status ToStatus(const Error& error) {
  for (const CodeRow& row : kCodes) {
    if (row.ours != error.code) continue;
    return {row.theirs, error.Text(), Details(error, row.theirs, row.reason)};
  }
  return {grpc::StatusCode::INTERNAL, error.Text()};
}

grpc::Status RefusalStatus(grpc::StatusCode code, const std::string& cause, std::string message,
                           std::string advice) {
  const bool who = code == grpc::StatusCode::UNAUTHENTICATED;
  const Error error{ErrorCode::kFailedPrecondition, std::move(message), std::move(advice),
                    std::nullopt};
  return {code, error.Text(),
          Details(error, code, who ? "UNAUTHENTICATED" : "PERMISSION_DENIED", cause)};
}

const char* CodeName(grpc::StatusCode code) {
  if (code == grpc::StatusCode::OK) return "OK";
  if (code == grpc::StatusCode::UNAUTHENTICATED) return "UNAUTHENTICATED";
  if (code == grpc::StatusCode::PERMISSION_DENIED) return "PERMISSION_DENIED";
  for (const CodeRow& row : kCodes) {
    if (row.theirs == code) return row.reason;
  }
  return "UNKNOWN";
}

Error FromStatus(const grpc::Status& status, const std::string& server) {
  Error error{ErrorCode::kInternal, status.error_message(), {}, std::nullopt};
  for (const CodeRow& row : kCodes) {
    if (row.theirs == status.error_code()) error.code = row.ours;
  }
  if (status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
      status.error_code() == grpc::StatusCode::PERMISSION_DENIED) {
    error.code = ErrorCode::kFailedPrecondition;
  }
  if (!status.error_details().empty()) {
    ReadDetails(status.error_details(), error);
  } else if (error.code == ErrorCode::kUnavailable) {
    error.message = fmt::format("the {} cannot be reached", server);
    error.advice = "Start the servers with 'inferon up', or give the right address";
    if (const char* tls = TlsAdvice(status.error_message())) error.advice = tls;
  } else if (error.code == ErrorCode::kDeadlineExceeded) {
    error.message = fmt::format("the {} did not answer in time", server);
    error.advice = "Look at 'inferon status' and try again";
  } else if (error.message.empty()) {
    error.message = fmt::format("the {} answered with status {}", server,
                                static_cast<int>(status.error_code()));
  }
  return error;
}

grpc::Status StatusOfCurrentException(const char* method) {
  try {
    throw;
  } catch (const std::system_error& error) {
    spdlog::error("{}: {}", method, error.what());
    if (error.code() == std::errc::no_space_on_device) {
      return ToStatus({ErrorCode::kUnavailable, "the server's disk is full",
                       "Free space in its data folder and try again", std::chrono::seconds(10)});
    }
    return ToStatus({ErrorCode::kInternal, error.what(), "Look at the server's log", {}});
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", method, error.what());
    return ToStatus({ErrorCode::kInternal, error.what(), "Look at the server's log", {}});
  }
}

}  // namespace inferon::rpc
