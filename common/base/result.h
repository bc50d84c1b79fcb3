// Results of operations that can be refused.
//
// Three kinds of wrong: a bug aborts (check.h); a refusal that a caller branches on is a value of
// type Error in a Result; a failure of a library or of the environment is an exception, mapped to
// an Error at the RPC handler, at the substrate boundary and in main only.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace inferon {

// Kinds of refusal; they map one to one onto gRPC status codes.
enum class ErrorCode {
  kInvalidArgument,
  kNotFound,
  kAlreadyExists,
  kFailedPrecondition,
  kAborted,
  kResourceExhausted,
  kUnavailable,
  kCancelled,
  kDeadlineExceeded,
  kDataLoss,
  kUnimplemented,
  kInternal,
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // What is wrong, as one sentence without a final full stop.
  std::string advice;   // What to do next, as one sentence without a final full stop; may be empty.
  std::optional<std::chrono::milliseconds> retry_after;  // For kResourceExhausted, kUnavailable.

  // "message. advice." for people.
  std::string Text() const {
    return advice.empty() ? message + "." : message + ". " + advice + ".";
  }
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> Fail(ErrorCode code, std::string message, std::string advice = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(advice), std::nullopt});
}

inline tl::unexpected<Error> InvalidArgument(std::string message, std::string advice = {}) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message), std::move(advice));
}

}  // namespace inferon
