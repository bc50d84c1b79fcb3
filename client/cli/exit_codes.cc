#include "client/cli/exit_codes.h"

namespace inferon::cli {

int ExitCodeOfCall(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
      return kUnreachable;
    case ErrorCode::kCancelled:
      return kInterrupted;
    case ErrorCode::kInternal:
    case ErrorCode::kDataLoss:
    case ErrorCode::kUnimplemented:
      return kInternal;
    default:
      return kRefused;
  }
}

int ExitCodeOfInput(const Error& error) {
  switch (error.code) {
    case ErrorCode::kCancelled:
      return kInterrupted;
    case ErrorCode::kInternal:
      return kInternal;
    default:
      return kUsage;
  }
}

}  // namespace inferon::cli
