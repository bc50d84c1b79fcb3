// Strict reading of configuration in TOML: every key is known and in range, a refusal names the key
// and, where known, its line.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace inferon {

// One table of a document. Getters with a default take a key that may be missing, those without one
// must be there. The first complaint about any table of a document stays (TomlDocument::Check) and
// the getters go on with a harmless value, so that readers need no error handling of their own.
// Valid as long as its document.
class TomlTable {
 public:
  double Number(std::string_view key, double low, double high);
  double Number(std::string_view key, double low, double high, double missing);
  std::int64_t Integer(std::string_view key, std::int64_t low, std::int64_t high);
  std::int64_t Integer(std::string_view key, std::int64_t low, std::int64_t high,
                       std::int64_t missing);
  bool Flag(std::string_view key, bool missing);
  std::string Text(std::string_view key);
  std::string Text(std::string_view key, std::string missing);
  // One of the choices.
  std::string Choice(std::string_view key, std::initializer_list<std::string_view> choices,
                     std::string_view missing = "");
  std::vector<std::string> Texts(std::string_view key, std::vector<std::string> missing);
  std::vector<std::int64_t> Integers(std::string_view key, std::int64_t low, std::int64_t high,
                                     std::vector<std::int64_t> missing);
  // A table under this one; an empty one where it is missing.
  TomlTable Table(std::string_view key);
  // Keys of this table, in order of the alphabet.
  std::vector<std::string> Keys() const;
  bool Has(std::string_view key) const;
  // Complains about keys that no getter has asked for. To be called last.
  void RefuseUnknown();
  void Complain(std::string message, std::string advice);
  // The key with the names of the tables around it.
  std::string Full(std::string_view key) const;

 private:
  friend class TomlDocument;
  struct State;
  explicit TomlTable(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

class TomlDocument {
 public:
  // kInvalidArgument for bad syntax or more than 256 KiB; `what` names the document in messages,
  // for example "the device configuration".
  static Result<TomlDocument> Parse(std::string_view text, std::string what);
  TomlTable Root() const;
  // The first complaint.
  Status Check() const;

 private:
  struct Content;
  explicit TomlDocument(std::shared_ptr<Content> content) : content_(std::move(content)) {}
  friend class TomlTable;
  std::shared_ptr<Content> content_;
};

}  // namespace inferon
