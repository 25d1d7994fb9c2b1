// Every verb: adds itself to the program, and sets `action` when the command line names it.
#pragma once

#include <CLI/App.hpp>

#include "client/cli/session.h"

namespace superpose::cli {

void AddInfo(CLI::App* app, Action* action);
void AddModels(CLI::App* app, Action* action);
void AddCorpora(CLI::App* app, Action* action);
void AddActivations(CLI::App* app, Action* action);
void AddNext(CLI::App* app, Action* action);
void AddIntervene(CLI::App* app, Action* action);
void AddTrain(CLI::App* app, Action* action);
void AddCollect(CLI::App* app, Action* action);
void AddAnalyze(CLI::App* app, Action* action);
void AddEvaluate(CLI::App* app, Action* action);
void AddLoad(CLI::App* app, Action* action);
void AddUnload(CLI::App* app, Action* action);
void AddMidcoders(CLI::App* app, Action* action);
void AddHistory(CLI::App* app, Action* action);
void AddSnapshots(CLI::App* app, Action* action);
void AddFactorize(CLI::App* app, Action* action);
void AddExplain(CLI::App* app, Action* action);
void AddSpectrum(CLI::App* app, Action* action);
void AddWhiten(CLI::App* app, Action* action);
void AddGram(CLI::App* app, Action* action);
void AddFactorizations(CLI::App* app, Action* action);
void AddTensor(CLI::App* app, Action* action);
void AddTokenize(CLI::App* app, Action* action);
void AddJobs(CLI::App* app, Action* action);
void AddJob(CLI::App* app, Action* action);
void AddWatch(CLI::App* app, Action* action);
void AddCancel(CLI::App* app, Action* action);
void AddDelete(CLI::App* app, Action* action);

}  // namespace superpose::cli
