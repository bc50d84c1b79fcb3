#include "common/access/token.h"

#include <gtest/gtest.h>

#include <set>

namespace inferon {
namespace {

TokenRecord Submitter() {
  return {.role = Role::kSubmitter, .scope = {"projects/lab"}, .label = "alice"};
}

TEST(TokenTest, ATokenMatchesItsOwnRecordOnly) {
  const NewToken one = MakeToken(Submitter());
  const NewToken other = MakeToken(Submitter());
  EXPECT_TRUE(IsTextOf(one.record, one.text));
  EXPECT_FALSE(IsTextOf(one.record, other.text));
  EXPECT_FALSE(IsTextOf(one.record, ""));
  std::string changed = one.text;
  changed.back() = changed.back() == '0' ? '1' : '0';
  EXPECT_FALSE(IsTextOf(one.record, changed));
}

TEST(TokenTest, TheRecordDoesNotHoldTheSecret) {
  const NewToken token = MakeToken(Submitter());
  EXPECT_EQ(token.record.sha256.size(), 64u);
  EXPECT_EQ(token.text.find(token.record.sha256), std::string::npos);
  EXPECT_EQ(TokenId(token.text), token.record.id);
}

TEST(TokenTest, NoTwoTokensAreAlike) {
  std::set<std::string> ids, texts;
  for (int i = 0; i < 200; ++i) {
    const NewToken token = MakeToken(Submitter());
    ids.insert(token.record.id);
    texts.insert(token.text);
  }
  EXPECT_EQ(ids.size(), 200u);
  EXPECT_EQ(texts.size(), 200u);
}

TEST(TokenTest, WhatIsNoTokenHasNoId) {
  const std::string good = MakeToken(Submitter()).text;
  for (const std::string& text :
       {std::string(), std::string("inferon_"), good.substr(1), good + "0", good.substr(0, 40),
        std::string(good).replace(8, 1, "g"), std::string(good).replace(20, 1, "-"),
        std::string(good).replace(30, 1, "\n"), std::string(good.size(), '\0')}) {
    EXPECT_FALSE(TokenId(text)) << text;
  }
  EXPECT_TRUE(TokenId(good));
}

TEST(TokenTest, EveryRoleHasAName) {
  for (const Role role : {Role::kViewer, Role::kSubmitter, Role::kOperator, Role::kWorker}) {
    EXPECT_EQ(ParseRole(RoleName(role)), role);
  }
  EXPECT_FALSE(ParseRole("root"));
}

TEST(TokenTest, AScopeMustFitTheRole) {
  struct Case {
    Role role;
    std::vector<std::string> scope;
    bool good;
  };
  for (const Case& c :
       {Case{Role::kViewer, {"projects/lab"}, true},
        {Role::kViewer, {}, true},
        {Role::kSubmitter, {"workers/chip"}, false},
        {Role::kSubmitter, {"projects/"}, false},
        {Role::kOperator, {}, true},
        {Role::kOperator, {"projects/lab"}, false},
        {Role::kWorker, {"workers/chip"}, true},
        {Role::kWorker, {"projects/lab"}, false},
        {Role::kViewer, std::vector<std::string>(kMaxTokenScope, "projects/a"), true},
        {Role::kViewer, std::vector<std::string>(kMaxTokenScope + 1, "projects/a"), false}}) {
    EXPECT_EQ(CheckToken({.role = c.role, .scope = c.scope, .label = "a"}).has_value(), c.good)
        << RoleName(c.role) << " " << c.scope.size();
  }
}

TEST(TokenTest, ANameIsShortAndPrintable) {
  const auto good = [](const std::string& label) {
    return CheckToken({.role = Role::kViewer, .scope = {}, .label = label}).has_value();
  };
  EXPECT_TRUE(good("alice (laptop)"));
  EXPECT_TRUE(good(std::string(kMaxTokenLabel, 'a')));
  EXPECT_FALSE(good(std::string(kMaxTokenLabel + 1, 'a')));
  EXPECT_FALSE(good(""));
  EXPECT_FALSE(good("a\nb"));
}

}  // namespace
}  // namespace inferon
