#include "common/config/toml_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace inferon {
namespace {

constexpr std::size_t kMaxBytes = 256 * 1024;

std::string Where(const toml::node* node) {
  if (node == nullptr || !node->source().begin) return {};
  return fmt::format(" (line {})", node->source().begin.line);
}

}  // namespace

struct TomlDocument::Content {
  std::string what;
  toml::table root;
  std::optional<Error> error;
};

struct TomlTable::State {
  std::shared_ptr<TomlDocument::Content> content;
  const toml::table* table = nullptr;
  std::string path;
  std::vector<std::string> read;

  const toml::node* Find(std::string_view key) {
    read.emplace_back(key);
    return table->get(key);
  }
};

Result<TomlDocument> TomlDocument::Parse(std::string_view text, std::string what) {
  if (text.size() > kMaxBytes) {
    return InvalidArgument(
        fmt::format("{} has {} bytes, more than {}", what, text.size(), kMaxBytes),
        "Give a configuration file, not something else");
  }
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return InvalidArgument(
        fmt::format("{} is not valid TOML (line {}): {}", what, parsed.error().source().begin.line,
                    parsed.error().description()),
        "Correct the syntax");
  }
  auto content = std::make_shared<Content>();
  content->what = std::move(what);
  content->root = std::move(parsed).table();
  return TomlDocument(std::move(content));
}

TomlTable TomlDocument::Root() const {
  auto state = std::make_shared<TomlTable::State>();
  state->content = content_;
  state->table = &content_->root;
  return TomlTable(std::move(state));
}

Status TomlDocument::Check() const {
  if (content_->error) return tl::unexpected(*content_->error);
  return {};
}

std::string TomlTable::Full(std::string_view key) const {
  return state_->path.empty() ? std::string(key) : fmt::format("{}.{}", state_->path, key);
}

void TomlTable::Complain(std::string message, std::string advice) {
  std::optional<Error>& error = state_->content->error;
  if (error) return;
  error = InvalidArgument(fmt::format("{}: {}", state_->content->what, message), std::move(advice))
              .value();
}

double TomlTable::Number(std::string_view key, double low, double high) {
  if (!Has(key)) Complain(fmt::format("'{}' is missing", Full(key)), "Add it");
  return Number(key, low, high, low);
}

double TomlTable::Number(std::string_view key, double low, double high, double missing) {
  const toml::node* node = state_->Find(key);
  if (node == nullptr) return missing;
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (value && *value >= low && *value <= high) return *value;
  Complain(fmt::format("'{}'{} must be a number in {}..{}", Full(key), Where(node), low, high),
           "Correct the value");
  return missing;
}

std::int64_t TomlTable::Integer(std::string_view key, std::int64_t low, std::int64_t high) {
  if (!Has(key)) Complain(fmt::format("'{}' is missing", Full(key)), "Add it");
  return Integer(key, low, high, low);
}

std::int64_t TomlTable::Integer(std::string_view key, std::int64_t low, std::int64_t high,
                                std::int64_t missing) {
  const toml::node* node = state_->Find(key);
  if (node == nullptr) return missing;
  const auto value = node->is_integer() ? node->value<std::int64_t>() : std::nullopt;
  if (value && *value >= low && *value <= high) return *value;
  Complain(
      fmt::format("'{}'{} must be a whole number in {}..{}", Full(key), Where(node), low, high),
      "Correct the value");
  return missing;
}

bool TomlTable::Flag(std::string_view key, bool missing) {
  const toml::node* node = state_->Find(key);
  if (node == nullptr) return missing;
  if (const auto value = node->is_boolean() ? node->value<bool>() : std::nullopt) return *value;
  Complain(fmt::format("'{}'{} must be true or false", Full(key), Where(node)),
           "Correct the value");
  return missing;
}

std::string TomlTable::Text(std::string_view key) {
  if (!Has(key)) Complain(fmt::format("'{}' is missing", Full(key)), "Add it");
  return Text(key, "");
}

std::string TomlTable::Text(std::string_view key, std::string missing) {
  const toml::node* node = state_->Find(key);
  if (node == nullptr) return missing;
  if (node->is_string()) return node->as_string()->get();
  Complain(fmt::format("'{}'{} must be a string", Full(key), Where(node)),
           "Put the value in quotes");
  return missing;
}

std::string TomlTable::Choice(std::string_view key, std::initializer_list<std::string_view> choices,
                              std::string_view missing) {
  const std::string text = missing.empty() ? Text(key) : Text(key, std::string(missing));
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return text;
  Complain(fmt::format("'{}'{} is '{}', not one of {}", Full(key), Where(state_->table->get(key)),
                       text, fmt::join(choices, ", ")),
           "Choose one of them");
  return std::string(*choices.begin());
}

std::vector<std::string> TomlTable::Texts(std::string_view key, std::vector<std::string> missing) {
  const toml::node* node = state_->Find(key);
  if (node == nullptr) return missing;
  std::vector<std::string> texts;
  bool good = node->is_array();
  if (good) {
    for (const toml::node& element : *node->as_array()) {
      good = good && element.is_string();
      if (good) texts.push_back(element.as_string()->get());
    }
  }
  if (good) return texts;
  Complain(fmt::format("'{}'{} must be a list of strings", Full(key), Where(node)),
           "Write [\"one\", \"two\"]");
  return missing;
}

std::vector<std::int64_t> TomlTable::Integers(std::string_view key, std::int64_t low,
                                              std::int64_t high,
                                              std::vector<std::int64_t> missing) {
  const toml::node* node = state_->Find(key);
  if (node == nullptr) return missing;
  std::vector<std::int64_t> values;
  bool good = node->is_array();
  if (good) {
    for (const toml::node& element : *node->as_array()) {
      const auto value = element.is_integer() ? element.value<std::int64_t>() : std::nullopt;
      good = good && value && *value >= low && *value <= high;
      if (good) values.push_back(*value);
    }
  }
  if (good) return values;
  Complain(fmt::format("'{}'{} must be a list of whole numbers in {}..{}", Full(key), Where(node),
                       low, high),
           "Correct the list");
  return missing;
}

TomlTable TomlTable::Table(std::string_view key) {
  static const toml::table empty;
  const toml::node* node = state_->Find(key);
  if (node != nullptr && !node->is_table()) {
    Complain(fmt::format("'{}'{} must be a table", Full(key), Where(node)),
             "Write it as [section]");
  }
  auto state = std::make_shared<State>();
  state->content = state_->content;
  state->table = node != nullptr && node->is_table() ? node->as_table() : &empty;
  state->path = Full(key);
  return TomlTable(std::move(state));
}

std::vector<std::string> TomlTable::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, node] : *state_->table) keys.emplace_back(key.str());
  std::sort(keys.begin(), keys.end());
  return keys;
}

bool TomlTable::Has(std::string_view key) const { return state_->table->contains(key); }

void TomlTable::RefuseUnknown() {
  for (const auto& [key, node] : *state_->table) {
    const auto& read = state_->read;
    if (std::find(read.begin(), read.end(), key.str()) != read.end()) continue;
    Complain(fmt::format("there is no key '{}'{}", Full(key.str()), Where(&node)),
             "Remove it or correct its spelling");
  }
}

}  // namespace inferon
