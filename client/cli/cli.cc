#include "client/cli/cli.h"

#include <pwd.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/session.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

constexpr char kDescription[] =
    "Asks a Superpose server: feature activations, midcoder training, statistics, factorizations, jobs.";

constexpr char kFooter[] =
    R"(superpose VERB --help explains a verb, with an example. A first round:
  superpose models                                  what the server holds
  superpose activations "The cat sat" --layer 2     features of a text
  superpose train --layer 2 --corpus demo           train a midcoder and wait for it

Exit codes, on which scripts can rely:
  0    done
  1    failed, with a message on standard error
  2    the command line is wrong; nothing was asked of the server
  3    the model, corpus, midcoder, snapshot, factorization, tensor, file or job is not there
  4    no server answers, or it went away
  5    the job that was waited for failed or was cancelled
  6    --timeout passed
  130  Ctrl-C while waiting for a job, which goes on)";

struct Program {
  CLI::App app{kDescription, "superpose"};
  GlobalOptions options;
  Action action;
};

// $USER, which containers and services often lack, or the account's name; as the Python client does.
std::string AccountName() {
  const char* user = std::getenv("USER");
  if (user != nullptr) return user;
  const passwd* account = getpwuid(geteuid());
  return account == nullptr ? "" : account->pw_name;
}

void AddGlobalOptions(Program* program) {
  CLI::App& app = program->app;
  GlobalOptions& options = program->options;
  app.add_option("--server", options.server, "Where the server listens")
      ->envname("SUPERPOSE_SERVER")
      ->capture_default_str()
      ->type_name("HOST:PORT");
  options.user = AccountName();
  app.add_option("--user", options.user, "Who asks: the owner of jobs and midcoders [you]")
      ->envname("SUPERPOSE_USER")
      ->type_name("NAME");
  app.add_flag("--json", options.json, "Print JSON: results on standard output, errors on standard error");
  app.add_option_function<std::string>(
         "--timeout",
         [&options](const std::string& text) {
           options.timeout = ParseTimeout(text).value_or(absl::InfiniteDuration());
         },
         "Give up after this time, such as 90 (seconds) or 10m [60s a call, no limit while waiting for a job]")
      ->check([](const std::string& text) { return std::string(ParseTimeout(text).status().message()); })
      ->type_name("TIME");
  app.set_version_flag("--version", SUPERPOSE_VERSION);
}

// CLI11's own words for a verb that does not exist are "A subcommand is required".
std::string ExplainMistake(const CLI::App* app, const CLI::Error& error) {
  std::vector<std::string> unknown = app->remaining();
  std::string message = error.what();
  if (app->get_subcommands().empty())
    message = unknown.empty() ? "say what to do" : absl::StrCat("there is no verb '", unknown.front(), "'");
  std::string verb =
      app->get_subcommands().empty() ? "" : absl::StrCat(app->get_subcommands().front()->get_name(), " ");
  return absl::StrCat("superpose: ", message, "\nsuperpose ", verb, "--help explains.\n");
}

std::unique_ptr<Program> MakeProgram() {
  auto program = std::make_unique<Program>();
  CLI::App& app = program->app;
  app.get_formatter()->column_width(34);
  app.get_formatter()->label("SUBCOMMAND", "VERB");
  app.footer(kFooter);
  app.failure_message(ExplainMistake);
  // Options of the program may stand after the verb, too. Verbs inherit it, so it comes before them.
  app.fallthrough();
  app.require_subcommand(1);
  AddGlobalOptions(program.get());
  for (auto add : {AddInfo,      AddModels,    AddLoad,    AddUnload,   AddCorpora,  AddActivations, AddNext,
                   AddIntervene, AddTrain,     AddCollect, AddAnalyze,  AddEvaluate, AddMidcoders,   AddHistory,
                   AddSnapshots, AddFactorize, AddExplain, AddSpectrum, AddWhiten,   AddGram,        AddFactorizations,
                   AddTensor,    AddTokenize,  AddJobs,    AddJob,      AddWatch,    AddCancel,      AddDelete}) {
    add(&app, &program->action);
  }
  for (CLI::App* verb : app.get_subcommands({})) verb->group("Verbs");
  return program;
}

ExitCode Run(const Program& program, Terminal* terminal) {
  Session session(program.options, terminal);
  absl::StatusOr<ExitCode> code = program.action(session);
  if (code.ok()) return *code;
  session.ReportError(code.status());
  return ExitCodeOf(code.status());
}

}  // namespace

int RunCli(const std::vector<std::string>& arguments, Terminal* terminal) {
  std::unique_ptr<Program> program = MakeProgram();
  try {
    // CLI11 takes the arguments last first.
    program->app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    int code = program->app.exit(error, terminal->out, terminal->err);
    return static_cast<int>(code == 0 ? ExitCode::kOk : ExitCode::kUsage);
  }
  return static_cast<int>(Run(*program, terminal));
}

}  // namespace superpose::cli
