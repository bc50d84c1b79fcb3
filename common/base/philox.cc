#include "common/base/philox.h"

namespace inferon {

PhiloxKey StreamKey(std::uint64_t seed, std::string_view stream) {
  std::uint64_t hash = 0xCBF29CE484222325u;  // FNV-1a over the name.
  for (const char c : stream) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  }
  const PhiloxKey seed_key{static_cast<std::uint32_t>(seed),
                           static_cast<std::uint32_t>(seed >> 32)};
  const PhiloxBlock mixed = Philox(
      seed_key, {static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32), 0, 0});
  return {mixed[0], mixed[1]};
}

PhiloxSequence::result_type PhiloxSequence::operator()() {
  if (used_ == 4) {
    block_ = Philox(
        key_, {static_cast<std::uint32_t>(next_), static_cast<std::uint32_t>(next_ >> 32), 0, 0});
    ++next_;
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

}  // namespace inferon
