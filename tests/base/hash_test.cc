#include "common/base/hash.h"

#include <gtest/gtest.h>

namespace inferon {
namespace {

// FIPS 180-2, appendix B.1.
TEST(HashTest, Sha256OfAbcIsTheStandards) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(HashTest, PiecesGiveTheDigestOfTheWhole) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("");
  hash.Update("bc");
  EXPECT_EQ(hash.Hex(), Sha256Hex("abc"));
}

// Check value of CRC-32/ISO-HDLC.
TEST(HashTest, Crc32OfTheCheckString) { EXPECT_EQ(Crc32("123456789"), 0xCBF43926u); }

}  // namespace
}  // namespace inferon
