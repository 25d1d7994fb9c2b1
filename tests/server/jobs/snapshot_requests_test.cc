#include "server/jobs/snapshot_requests.h"

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class SnapshotRequestsTest : public testing::Test {
 protected:
  SnapshotRequest Request() {
    return {{}, [this](const absl::StatusOr<std::vector<v1::Snapshot>>& snapshots) {
              answers_.push_back(snapshots.status());
            }};
  }

  SnapshotRequests requests_;
  std::vector<absl::Status> answers_;
};

TEST_F(SnapshotRequestsTest, ThoseOfOneJobAreTakenOutOnce) {
  requests_.Add("jobs/a", Request());
  requests_.Add("jobs/a", Request());
  requests_.Add("jobs/b", Request());
  EXPECT_TRUE(requests_.Has("jobs/a"));
  EXPECT_THAT(requests_.Take("jobs/a"), SizeIs(2));
  EXPECT_FALSE(requests_.Has("jobs/a"));
  EXPECT_THAT(requests_.Take("jobs/a"), IsEmpty());
  EXPECT_TRUE(requests_.Has("jobs/b"));
  EXPECT_THAT(answers_, IsEmpty());
}

TEST_F(SnapshotRequestsTest, AllAreRefusedOnce) {
  requests_.Add("jobs/a", Request());
  requests_.Add("jobs/b", Request());
  const absl::Status why = Error(absl::StatusCode::kUnavailable, reason::kShuttingDown, "the server is stopping");
  requests_.Refuse(why);
  requests_.Refuse(why);
  ASSERT_THAT(answers_, SizeIs(2));
  for (const absl::Status& answer : answers_) {
    EXPECT_THAT(answer, IsError(absl::StatusCode::kUnavailable, reason::kShuttingDown));
  }
}

TEST_F(SnapshotRequestsTest, OneThatIsRefusedMayAskAgain) {
  requests_.Add("jobs/a",
                {{}, [this](const absl::StatusOr<std::vector<v1::Snapshot>>&) { requests_.Add("jobs/a", Request()); }});
  requests_.Refuse(absl::UnavailableError("stopping"));
  EXPECT_TRUE(requests_.Has("jobs/a"));
}

}  // namespace
}  // namespace superpose
