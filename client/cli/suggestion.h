// What a mistyped word may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace inferon::cli {

// Fewest insertions, deletions, replacements and swaps of neighbours between two words.
int EditDistance(std::string_view a, std::string_view b);

// The nearest known word; empty where none is near (more than a third of the word differs).
std::string Suggest(std::string_view word, const std::vector<std::string>& known);

}  // namespace inferon::cli
