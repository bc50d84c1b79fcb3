// Help texts: "--trials N  Trials of each parameter set (1..100000, default 1)".
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace inferon::cli {

// Writes an option's range and default behind its description. A default of 0 or of nothing goes
// without saying.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace inferon::cli
