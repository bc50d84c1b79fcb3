// Digests of bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace inferon {

// SHA-256 of a growing sequence of bytes.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Update(std::string_view bytes);
  // Lower-case hex digest; no further Update after it.
  std::string Hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Lower-case hex SHA-256.
std::string Sha256Hex(std::string_view bytes);

// CRC-32 (IEEE 802.3).
// `before` is that of the bytes before them, to go on with.
std::uint32_t Crc32(std::string_view bytes, std::uint32_t before = 0);

}  // namespace inferon
