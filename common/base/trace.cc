#include "common/base/trace.h"

#include <fmt/format.h>

#include <random>
#include <utility>

namespace inferon {
namespace {

constexpr std::size_t kTraceDigits = 32;
constexpr std::size_t kSpanDigits = 16;

std::string RandomHex(std::size_t digits) {
  thread_local std::random_device device;
  std::string hex;
  while (hex.size() < digits) hex += fmt::format("{:08x}", device());
  return hex;
}

bool IsId(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         text.find_first_not_of('0') != std::string_view::npos;
}

Trace& Current() {
  thread_local Trace trace;
  return trace;
}

}  // namespace

Trace MakeTrace() { return {RandomHex(kTraceDigits), RandomHex(kSpanDigits)}; }

Trace ChildOf(const Trace& trace) { return {trace.trace_id, RandomHex(kSpanDigits)}; }

std::string TraceParent(const Trace& trace) {
  return fmt::format("00-{}-{}-01", trace.trace_id, trace.span_id);
}

// Later versions may be longer; version ff is not one.
std::optional<Trace> ParseTraceParent(std::string_view text) {
  constexpr std::size_t kLength = 55;
  if (text.size() < kLength || text.starts_with("ff") || text[2] != '-' || text[35] != '-' ||
      text[52] != '-' || (text.size() > kLength && (text.starts_with("00") || text[55] != '-'))) {
    return std::nullopt;
  }
  Trace trace{std::string(text.substr(3, kTraceDigits)), std::string(text.substr(36, kSpanDigits))};
  if (!IsId(trace.trace_id) || !IsId(trace.span_id)) return std::nullopt;
  return trace;
}

const Trace& CurrentTrace() { return Current(); }

TraceScope::TraceScope(Trace trace) : before_(std::exchange(Current(), std::move(trace))) {}
TraceScope::~TraceScope() { Current() = std::move(before_); }

}  // namespace inferon
