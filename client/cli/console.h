// What a command says: results on stdout (a table for people or one JSON object for programs),
// everything else on stderr.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>
#include <string_view>

#include "client/cli/table.h"
#include "common/base/result.h"

namespace inferon::cli {

struct OutputSettings {
  bool json = false;      // Set by --json while the command line is parsed.
  bool terminal = false;  // stderr is a terminal: progress bars may redraw their line.
  int width = 80;         // Columns of that terminal.
};

// Not thread-safe. The streams and settings outlive it.
class Console {
 public:
  Console(std::ostream& out, std::ostream& err, const OutputSettings& settings)
      : out_(out), err_(err), settings_(settings) {}

  // For people, on stdout; nothing with --json.
  void Print(std::string_view line);
  void Print(const Table& table);
  // For programs, on stdout, one line; nothing without --json. Once a command.
  void PrintJson(const nlohmann::json& object);
  // On stderr, in both modes.
  void Note(std::string_view line);
  // "inferon: warning: <text>." on stderr.
  void Warn(const std::string& text);

  // "inferon: <what>. <advice>." on stderr, with --json also {"error": {...}} on stdout; returns
  // the exit code of a failed call to a server.
  int FailedCall(const Error& error);
  // The same for input that is missing or malformed on this side.
  int FailedInput(const Error& error);
  // The same with a given exit code.
  int Failed(const Error& error, int exit_code);

  // For Progress.
  std::ostream& err() { return err_; }
  const OutputSettings& settings() const { return settings_; }

 private:
  std::ostream& out_;
  std::ostream& err_;
  const OutputSettings& settings_;
};

}  // namespace inferon::cli
