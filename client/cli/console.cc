#include "client/cli/console.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"

namespace inferon::cli {

void Console::Print(std::string_view line) {
  if (!settings_.json) out_ << line << '\n';
}

void Console::Print(const Table& table) {
  if (!settings_.json) out_ << RenderTable(table);
}

void Console::PrintJson(const nlohmann::json& object) {
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
  if (settings_.json) out_ << object.dump(-1, ' ', false, kReplace) << '\n' << std::flush;
}

void Console::Note(std::string_view line) { err_ << line << '\n' << std::flush; }

void Console::Warn(const std::string& text) {
  const char* stop = text.empty() || text.back() != '.' ? "." : "";
  Note(fmt::format("inferon: warning: {}{}", text, stop));
}

int Console::FailedCall(const Error& error) { return Failed(error, ExitCodeOfCall(error)); }

int Console::FailedInput(const Error& error) { return Failed(error, ExitCodeOfInput(error)); }

int Console::Failed(const Error& error, int exit_code) {
  Note("inferon: " + error.Text());
  PrintJson({{"error",
              {{"message", error.message}, {"advice", error.advice}, {"exit_code", exit_code}}}});
  return exit_code;
}

}  // namespace inferon::cli
