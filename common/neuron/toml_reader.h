// Strict reading of a TOML document: every key is known, present and in range.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "common/base/result.h"

namespace inferon {

// " (line 7)", or nothing where the place is not known.
std::string Where(const toml::source_region& source);

// Reads one table: each getter takes a key off the list of unread ones. A getter that refuses notes
// the complaint, if it is the first one of the document, and returns something harmless.
class TableReader {
 public:
  // All live as long as the reader.
  TableReader(const toml::table& table, std::string path, std::optional<Error>& error);

  // "section.key".
  std::string Full(std::string_view key) const;
  void Complain(std::string message, std::string advice);

  bool Has(std::string_view key) const { return table_.contains(key); }
  // Null after a complaint that the key is missing.
  const toml::node* Take(std::string_view key);
  double Number(std::string_view key, double low, double high);
  std::string Text(std::string_view key);
  bool Flag(std::string_view key);
  // Index of the value among the choices.
  std::size_t Choice(std::string_view key, const std::vector<std::string_view>& choices);
  // A list of lists of numbers; empty after a complaint.
  std::vector<std::vector<double>> Rows(std::string_view key);
  // A table under this one; an empty one after a complaint.
  TableReader Table(std::string_view key);
  // To be called after the last getter.
  void RefuseUnknown();

 private:
  const toml::table& table_;
  std::string path_;
  std::optional<Error>& error_;
  std::vector<std::string> read_;
};

}  // namespace inferon
