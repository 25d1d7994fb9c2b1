#include "client/cpp/analysis.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "gtest/gtest.h"

namespace superpose::client {
namespace {

TEST(AnalysisTest, QuestionsToSnapshotsAreThoseUpToTheTwelfth) {
  const google::protobuf::OneofDescriptor* questions = v1::AnalysisSpec::descriptor()->FindOneofByName("analysis");
  ASSERT_NE(questions, nullptr);
  for (int i = 0; i < questions->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* question = questions->field(i);
    v1::AnalysisSpec spec;
    v1::AnalysisSpec::GetReflection()->MutableMessage(&spec, question);
    EXPECT_EQ(AsksSnapshot(spec), question->number() <= 12) << question->name();
  }
}

TEST(AnalysisTest, NoQuestionAtAllIsOneToASnapshot) { EXPECT_TRUE(AsksSnapshot(v1::AnalysisSpec())); }

}  // namespace
}  // namespace superpose::client
