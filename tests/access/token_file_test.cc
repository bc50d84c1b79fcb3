#include "common/access/token_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/base/files.h"

namespace inferon {
namespace {

using std::chrono::hours;

class TokenFileTest : public ::testing::Test {
 protected:
  NewToken Add(Role role, std::vector<std::string> scope) {
    NewToken token = MakeToken({.role = role,
                                .scope = std::move(scope),
                                .label = "alice",
                                .created = WallTime(hours(1)),
                                .expires = WallTime(hours(2))});
    EXPECT_TRUE(ChangeTokenFile(file_, [&](auto& tokens) -> Status {
      tokens.push_back(token.record);
      return {};
    }));
    return token;
  }

  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "tokens.json";
};

TEST_F(TokenFileTest, WhatIsWrittenIsReadBack) {
  const NewToken one = Add(Role::kSubmitter, {"projects/lab", "projects/other"});
  Add(Role::kWorker, {"workers/chip-1"});
  const auto tokens = ReadTokenFile(file_);
  ASSERT_TRUE(tokens) << tokens.error().Text();
  ASSERT_EQ(tokens->size(), 2u);
  const TokenRecord& read = tokens->front();
  EXPECT_EQ(read.id, one.record.id);
  EXPECT_EQ(read.role, Role::kSubmitter);
  EXPECT_EQ(read.scope, one.record.scope);
  EXPECT_EQ(read.expires, one.record.expires);
  EXPECT_FALSE(read.revoked);
  EXPECT_TRUE(IsTextOf(read, one.text));
}

TEST_F(TokenFileTest, TheSecretIsNotOnDisk) {
  const NewToken token = Add(Role::kOperator, {});
  const std::string secret = token.text.substr(token.text.rfind('_') + 1);
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    EXPECT_EQ(ReadFile(entry.path())->find(secret), std::string::npos) << entry.path();
  }
}

TEST_F(TokenFileTest, ARefusedChangeLeavesTheFile) {
  Add(Role::kOperator, {});
  const auto before = *ReadFile(file_);
  const Status refused = ChangeTokenFile(file_, [](auto& tokens) -> Status {
    tokens.clear();
    return InvalidArgument("no");
  });
  EXPECT_FALSE(refused);
  EXPECT_EQ(*ReadFile(file_), before);
}

TEST_F(TokenFileTest, MalformedFilesAreRefusedWithAdvice) {
  EXPECT_EQ(ReadTokenFile(file_).error().code, ErrorCode::kNotFound);
  for (const char* text :
       {"", "{}", "[]", R"({"version": 2, "tokens": []})", R"({"version": 1, "tokens": [{}]})",
        R"({"version": 1, "tokens": [{"id": "a", "role": "root", "scope": [], "label": "x",
            "sha256": ""}]})",
        R"({"version": 1, "tokens": [{"id": "a", "role": "worker", "scope": ["projects/p"],
            "label": "x", "sha256": ""}]})"}) {
    WriteFileAtomically(file_, text);
    const auto tokens = ReadTokenFile(file_);
    ASSERT_FALSE(tokens) << text;
    EXPECT_EQ(tokens.error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(tokens.error().advice.empty());
  }
}

TEST_F(TokenFileTest, ASecretFileIsItsOwnersAloneAndNeverReplaced) {
  const auto path = folder_.path() / "token";
  ASSERT_TRUE(WriteSecretFile(path, "secret\n"));
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(WriteSecretFile(path, "other").error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(*ReadFile(path), "secret\n");
}

}  // namespace
}  // namespace inferon
