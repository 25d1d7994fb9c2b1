#include "client/cli/terminal.h"

#include <cstdlib>

#include "gtest/gtest.h"

namespace superpose::cli {
namespace {

int OutWidthWhenColumnsIs(const char* columns) {
  setenv("COLUMNS", columns, /*overwrite=*/1);
  const int width = StandardTerminal().out_width;
  unsetenv("COLUMNS");
  return width;
}

TEST(TerminalTest, TheUserSaysHowWideItIs) {
  EXPECT_EQ(OutWidthWhenColumnsIs("60"), 60);
  EXPECT_EQ(OutWidthWhenColumnsIs("200"), 200);
}

TEST(TerminalTest, WhatIsNoWidthIsAsIfNothingWereSaid) {
  const int usual = StandardTerminal().out_width;
  for (const char* columns : {"", "0", "-5", "wide", "99999999999999"})
    EXPECT_EQ(OutWidthWhenColumnsIs(columns), usual) << columns;
}

}  // namespace
}  // namespace superpose::cli
