#include "server/telemetry/log.h"

#include <nlohmann/json.hpp>
#include <string>

#include "gtest/gtest.h"

namespace superpose {
namespace {

nlohmann::json LoggedLine(absl::string_view message, const std::string& value) {
  testing::internal::CaptureStderr();
  Log(LogLevel::kWarning, message, {{"key", value}});
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(text.find('\n'), text.size() - 1) << "one line: " << text;
  return nlohmann::json::parse(text);
}

TEST(LogTest, ALineIsAJsonObject) {
  const nlohmann::json line = LoggedLine("job finished", "jobs/1");
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["message"], "job finished");
  EXPECT_EQ(line["key"], "jobs/1");
  EXPECT_TRUE(line.contains("time"));
}

TEST(LogTest, WhatUsersWriteCannotForgeALine) {
  EXPECT_EQ(LoggedLine("rpc", "a\n{\"level\": \"info\"}\x1b[0m")["key"], "a\n{\"level\": \"info\"}\x1b[0m");
}

TEST(LogTest, BytesThatAreNoUtf8AreReplaced) { EXPECT_EQ(LoggedLine("rpc", "a\xff")["key"], "a\xEF\xBF\xBD"); }

}  // namespace
}  // namespace superpose
