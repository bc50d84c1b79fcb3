#include "common/neuron/toml_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace inferon {

std::string Where(const toml::source_region& source) {
  return source.begin ? fmt::format(" (line {})", source.begin.line) : std::string();
}

TableReader::TableReader(const toml::table& table, std::string path, std::optional<Error>& error)
    : table_(table), path_(std::move(path)), error_(error) {}

std::string TableReader::Full(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void TableReader::Complain(std::string message, std::string advice) {
  if (!error_) error_ = InvalidArgument(std::move(message), std::move(advice)).value();
}

const toml::node* TableReader::Take(std::string_view key) {
  read_.emplace_back(key);
  const toml::node* node = table_.get(key);
  if (node == nullptr) {
    Complain(fmt::format("the profile has no key '{}'{}", Full(key), Where(table_.source())),
             "Add it; docs/formats.md lists every key with unit and range");
  }
  return node;
}

double TableReader::Number(std::string_view key, double low, double high) {
  const toml::node* node = Take(key);
  if (node == nullptr) return low;
  const std::optional<double> value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value || !(*value >= low && *value <= high)) {
    Complain(fmt::format("'{}'{} must be a number in {}..{}", Full(key), Where(node->source()), low,
                         high),
             "Correct the value");
    return low;
  }
  return *value;
}

std::string TableReader::Text(std::string_view key) {
  const toml::node* node = Take(key);
  if (node == nullptr) return {};
  if (!node->is_string()) {
    Complain(fmt::format("'{}'{} must be a string", Full(key), Where(node->source())),
             "Put the value in quotes");
    return {};
  }
  return node->as_string()->get();
}

bool TableReader::Flag(std::string_view key) {
  const toml::node* node = Take(key);
  if (node == nullptr) return false;
  if (!node->is_boolean()) {
    Complain(fmt::format("'{}'{} must be true or false", Full(key), Where(node->source())),
             "Write true or false, without quotes");
    return false;
  }
  return node->as_boolean()->get();
}

std::size_t TableReader::Choice(std::string_view key,
                                const std::vector<std::string_view>& choices) {
  const std::string text = Text(key);
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  const toml::node* node = table_.get(key);
  Complain(fmt::format("'{}'{} is '{}', not one of {}", Full(key),
                       node ? Where(node->source()) : "", text, fmt::join(choices, ", ")),
           "Choose one of them");
  return 0;
}

std::vector<std::vector<double>> TableReader::Rows(std::string_view key) {
  const toml::node* node = Take(key);
  if (node == nullptr) return {};
  const auto refuse = [&] {
    Complain(
        fmt::format("'{}'{} must be a list of lists of numbers", Full(key), Where(node->source())),
        "Write it as [[1.0, 2.0], [3.0, 4.0]]");
    return std::vector<std::vector<double>>();
  };
  if (!node->is_array()) return refuse();
  std::vector<std::vector<double>> rows;
  for (const toml::node& entry : *node->as_array()) {
    if (!entry.is_array()) return refuse();
    std::vector<double>& row = rows.emplace_back();
    for (const toml::node& number : *entry.as_array()) {
      if (!number.is_number()) return refuse();
      row.push_back(*number.value<double>());
    }
  }
  return rows;
}

TableReader TableReader::Table(std::string_view key) {
  static const toml::table empty;
  const toml::node* node = Take(key);
  if (node != nullptr && !node->is_table()) {
    Complain(fmt::format("'{}'{} must be a table", Full(key), Where(node->source())),
             "Write it as [section]");
  }
  const bool is_table = node != nullptr && node->is_table();
  return {is_table ? *node->as_table() : empty, Full(key), error_};
}

void TableReader::RefuseUnknown() {
  for (const auto& [key, node] : table_) {
    if (std::find(read_.begin(), read_.end(), key.str()) == read_.end()) {
      Complain(fmt::format("the profile has an unknown key '{}'{}", Full(key.str()),
                           Where(node.source())),
               "Remove it or correct its spelling; docs/formats.md lists every key");
    }
  }
}

}  // namespace inferon
