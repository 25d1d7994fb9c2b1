#pragma once

namespace superpose::cli {

// What the program ends with. Scripts rely on these numbers: never change them.
enum class ExitCode {
  kOk = 0,
  // Any error that has no number of its own.
  kFailed = 1,
  // The command line is wrong; nothing was asked of the server.
  kUsage = 2,
  // The model, corpus, midcoder, snapshot, factorization, tensor, file or job does not exist.
  kNotFound = 3,
  // No server answers, or it went away.
  kUnavailable = 4,
  // The job that was waited for failed or was cancelled.
  kJobFailed = 5,
  // --timeout passed.
  kTimeout = 6,
  // Ctrl-C while waiting; the job goes on.
  kInterrupted = 130,
};

}  // namespace superpose::cli
