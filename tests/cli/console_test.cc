#include "client/cli/console.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "client/cli/exit_codes.h"

namespace inferon::cli {
namespace {

class ConsoleTest : public ::testing::Test {
 protected:
  std::ostringstream out_;
  std::ostringstream err_;
  OutputSettings settings_;
  Console console_{out_, err_, settings_};
};

TEST_F(ConsoleTest, PeopleGetTablesAndNoJson) {
  console_.Print(Table{{{"A"}}, {{"1"}}});
  console_.Print("done");
  console_.PrintJson({{"a", 1}});
  EXPECT_EQ(out_.str(), "A\n1\ndone\n");
}

TEST_F(ConsoleTest, ProgramsGetOneJsonObjectAndNoTables) {
  settings_.json = true;
  console_.Print(Table{{{"A"}}, {{"1"}}});
  console_.Print("done");
  console_.PrintJson({{"a", 1}, {"text", "\xFF"}});  // Malformed text does not break it.
  EXPECT_EQ(nlohmann::json::parse(out_.str()).at("a"), 1);
}

TEST_F(ConsoleTest, ErrorsSayWhatIsWrongAndWhatToDo) {
  EXPECT_EQ(console_.FailedCall({ErrorCode::kNotFound, "no job 7", "List them", {}}), kRefused);
  EXPECT_EQ(console_.FailedInput({ErrorCode::kNotFound, "no file x", "", {}}), kUsage);
  console_.Warn("the trace is odd");
  EXPECT_EQ(err_.str(),
            "inferon: no job 7. List them.\ninferon: no file x.\n"
            "inferon: warning: the trace is odd.\n");
  EXPECT_EQ(out_.str(), "");
}

TEST(ExitCodesTest, KindsOfErrorsHaveTheirCodes) {
  const auto call = [](ErrorCode code) { return ExitCodeOfCall({code, "", "", {}}); };
  EXPECT_EQ(call(ErrorCode::kUnavailable), 3);
  EXPECT_EQ(call(ErrorCode::kDeadlineExceeded), 3);
  EXPECT_EQ(call(ErrorCode::kCancelled), 130);
  EXPECT_EQ(call(ErrorCode::kInternal), 1);
  EXPECT_EQ(call(ErrorCode::kDataLoss), 1);
  EXPECT_EQ(call(ErrorCode::kUnimplemented), 1);
  for (const ErrorCode code :
       {ErrorCode::kInvalidArgument, ErrorCode::kNotFound, ErrorCode::kAlreadyExists,
        ErrorCode::kFailedPrecondition, ErrorCode::kAborted, ErrorCode::kResourceExhausted}) {
    EXPECT_EQ(call(code), 4);
  }
  EXPECT_EQ(ExitCodeOfInput({ErrorCode::kInvalidArgument, "", "", {}}), 2);
  EXPECT_EQ(ExitCodeOfInput({ErrorCode::kInternal, "", "", {}}), 1);
}

}  // namespace
}  // namespace inferon::cli
