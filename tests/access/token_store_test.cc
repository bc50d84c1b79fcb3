#include "common/access/token_store.h"

#include <gtest/gtest.h>

#include "common/access/token_file.h"
#include "common/base/files.h"

namespace inferon {
namespace {

using std::chrono::hours;

class TokenStoreTest : public ::testing::Test {
 protected:
  NewToken Add(std::optional<WallTime> expires = std::nullopt) {
    NewToken token =
        MakeToken({.role = Role::kViewer, .scope = {}, .label = "alice", .expires = expires});
    Change([&](auto& tokens) { tokens.push_back(token.record); });
    return token;
  }

  template <typename Body>
  void Change(Body&& body) {
    ASSERT_TRUE(ChangeTokenFile(file_, [&](auto& tokens) -> Status {
      body(tokens);
      return {};
    }));
  }

  std::string CauseOf(TokenStore& store, std::string_view text) {
    const auto token = store.Check(text);
    return token ? "" : token.error().cause;
  }

  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "tokens.json";
  FakeClock clock_;
};

TEST_F(TokenStoreTest, AGoodTokenGivesItsRecord) {
  const NewToken token = Add();
  const auto store = TokenStore::Open(file_, clock_);
  ASSERT_TRUE(store) << store.error().Text();
  const auto record = (*store)->Check(token.text);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->id, token.record.id);
}

TEST_F(TokenStoreTest, EachBadTokenHasItsCause) {
  const NewToken token = Add();
  const NewToken stranger = MakeToken(token.record);
  const auto store = TokenStore::Open(file_, clock_);
  ASSERT_TRUE(store);
  EXPECT_EQ(CauseOf(**store, ""), "TOKEN_MISSING");
  EXPECT_EQ(CauseOf(**store, "secret"), "TOKEN_MALFORMED");
  EXPECT_EQ(CauseOf(**store, stranger.text), "TOKEN_UNKNOWN");
  std::string wrong = token.text;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  EXPECT_EQ(CauseOf(**store, wrong), "TOKEN_UNKNOWN");
}

TEST_F(TokenStoreTest, ATokenExpiresAtItsTime) {
  const NewToken token = Add(clock_.WallNow() + hours(1));
  const auto store = TokenStore::Open(file_, clock_);
  ASSERT_TRUE(store);
  clock_.Advance(hours(1) - std::chrono::nanoseconds(std::chrono::microseconds(1)));
  EXPECT_EQ(CauseOf(**store, token.text), "");
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(CauseOf(**store, token.text), "TOKEN_EXPIRED");
}

TEST_F(TokenStoreTest, ARevokedTokenIsRefusedAfterTheNextLook) {
  const NewToken token = Add();
  const auto store = TokenStore::Open(file_, clock_);
  ASSERT_TRUE(store);
  EXPECT_EQ(CauseOf(**store, token.text), "");
  Change([&](auto& tokens) { tokens.front().revoked = clock_.WallNow(); });
  clock_.Advance(TokenStore::kLookInterval);
  EXPECT_EQ(CauseOf(**store, token.text), "TOKEN_REVOKED");
  Change([](auto& tokens) { tokens.clear(); });
  clock_.Advance(TokenStore::kLookInterval);
  EXPECT_EQ(CauseOf(**store, token.text), "TOKEN_UNKNOWN");
}

TEST_F(TokenStoreTest, ANewTokenNeedsNoRestart) {
  Add();
  const auto store = TokenStore::Open(file_, clock_);
  ASSERT_TRUE(store);
  const NewToken late = Add();
  EXPECT_EQ(CauseOf(**store, late.text), "TOKEN_UNKNOWN");
  clock_.Advance(TokenStore::kLookInterval);
  EXPECT_EQ(CauseOf(**store, late.text), "");
}

TEST_F(TokenStoreTest, ADamagedFileLeavesTheTokensAsTheyWere) {
  const NewToken token = Add();
  const auto store = TokenStore::Open(file_, clock_);
  ASSERT_TRUE(store);
  WriteFileAtomically(file_, "{");
  clock_.Advance(TokenStore::kLookInterval);
  EXPECT_EQ(CauseOf(**store, token.text), "");
  std::filesystem::remove(file_);
  clock_.Advance(TokenStore::kLookInterval);
  EXPECT_EQ(CauseOf(**store, token.text), "");
}

TEST_F(TokenStoreTest, AMissingFileIsRefusedWithTheCommandThatMakesIt) {
  const auto store = TokenStore::Open(file_, clock_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(store.error().advice.find("inferon token create"), std::string::npos);
}

}  // namespace
}  // namespace inferon
