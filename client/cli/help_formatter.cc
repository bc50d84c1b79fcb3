#include "client/cli/help_formatter.h"

#include <fmt/format.h>

#include <algorithm>

namespace inferon::cli {
namespace {

constexpr std::size_t kNameColumns = 28;

// The parser's "UINT:UINT in [1 - 9]" or "TEXT:{a,b}" in two parts.
struct Type {
  std::string name;
  std::string check;
};

Type Split(const std::string& text) {
  const auto colon = text.find(':');
  // "START:STOP" is a name with a colon; a check begins with a brace or speaks of a range.
  if (colon == std::string::npos) return {text, ""};
  const std::string rest = text.substr(colon + 1);
  const bool check = rest.starts_with('{') || rest.find(" in [") != std::string::npos;
  return check ? Type{text.substr(0, colon), rest} : Type{text, ""};
}

std::string Name(const Type& type) {
  if (type.check.starts_with('{')) {
    std::string choices = type.check.substr(1, type.check.size() - 2);
    std::replace(choices.begin(), choices.end(), ',', '|');
    return choices;
  }
  if (type.name == "UINT" || type.name == "INT") return "N";
  return type.name == "FLOAT" ? "X" : type.name;
}

std::string Range(const Type& type) {
  const auto open = type.check.find(" in [");
  const auto dash = type.check.find(" - ", open);
  if (open == std::string::npos || dash == std::string::npos) return {};
  const auto begin = open + 5;
  return type.check.substr(begin, dash - begin) + ".." +
         type.check.substr(dash + 3, type.check.size() - dash - 4);
}

}  // namespace

HelpFormatter::HelpFormatter() { column_width(kNameColumns); }

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0) return {};
  const std::string name = Name(Split(option->get_type_name()));
  return name.empty() ? "" : " " + name;
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  std::string text = option->get_description();
  std::string more = Range(Split(option->get_type_name()));
  const std::string& preset = option->get_default_str();
  if (option->get_type_size() != 0 && !preset.empty() && preset != "0" && preset != "[]") {
    more += fmt::format("{}default {}", more.empty() ? "" : ", ", preset);
  }
  return more.empty() ? text : fmt::format("{} ({})", text, more);
}

}  // namespace inferon::cli
