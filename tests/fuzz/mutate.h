// Seeded mutations of valid inputs: what a parser must survive and refuse, or accept and
// round-trip.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "common/base/philox.h"

namespace inferon::fuzz {

// One to four edits: flip a bit, set a byte to an interesting value, cut, repeat or insert a piece.
inline std::string Mutate(std::string bytes, PhiloxSequence& random) {
  static constexpr char kInteresting[] = {0,   1,   -1,  127,  -128, '"', '{',
                                          '}', '[', ']', '\n', ',',  '-'};
  const std::uint32_t edits = 1 + random.Below(4);
  for (std::uint32_t edit = 0; edit < edits && !bytes.empty(); ++edit) {
    const std::size_t at = random.Below(static_cast<std::uint32_t>(bytes.size()));
    const std::size_t length = 1 + random.Below(16);
    switch (random.Below(5)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8)));
        break;
      case 1:
        bytes[at] = kInteresting[random.Below(sizeof kInteresting)];
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.erase(at, length);
        break;
      default:
        bytes.insert(at,
                     bytes.substr(random.Below(static_cast<std::uint32_t>(bytes.size())), length));
    }
  }
  return bytes;
}

// Runs `parse` on `count` mutations of `valid` with a fixed seed.
inline void ForEachMutation(const std::string& valid, int count,
                            const std::function<void(const std::string&)>& parse) {
  PhiloxSequence random(StreamKey(1, "fuzz"));
  for (int i = 0; i < count; ++i) parse(Mutate(valid, random));
}

}  // namespace inferon::fuzz
