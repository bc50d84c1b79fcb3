// Which request something is done for: the trace of the W3C recommendation (metadata
// "traceparent"). Its id goes from the command line through the servers to the worker and stands in
// their logs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace inferon {

struct Trace {
  std::string trace_id;  // 32 hex digits: the request.
  std::string span_id;   // 16 hex digits: the caller's part of it.
  bool empty() const { return trace_id.empty(); }
};

// A new request.
Trace MakeTrace();
// The same request, another part of it.
Trace ChildOf(const Trace& trace);

// "00-TRACE-SPAN-01".
std::string TraceParent(const Trace& trace);
// nullopt for a malformed text, or one of all zeros.
std::optional<Trace> ParseTraceParent(std::string_view text);

// What this thread works for; empty where it is nothing in particular.
const Trace& CurrentTrace();

// Makes a trace the current one of this thread for the object's life.
class TraceScope {
 public:
  explicit TraceScope(Trace trace);
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  Trace before_;
};

}  // namespace inferon
