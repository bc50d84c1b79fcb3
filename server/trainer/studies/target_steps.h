// The target observation, what the posteriors say about it, and the posterior predictive check.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "server/trainer/queries/posterior.h"
#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/study_context.h"

namespace inferon::trainer {

// Chooses theta_T and runs its trials; leaves target.choice.json and data set "target", whose first
// row is the target observation x_T.
Status RunTarget(const StudyContext& study, std::stop_token stop);

// Where the target comes from, for people: "validation row 17 (12 spikes)".
Result<std::string> TargetChoice(const StudyContext& study);

// Draws and most probable parameter sets of one model: posterior.<input>.codes.npy u2 [n,d],
// posterior.<input>.log_density.npy f8 [n], posterior.<input>.maps.npy u2 [1 + v,d] (the target's,
// then those of the figure-4 observations) and, last, posterior.<input>.json.
Status DrawPosterior(const StudyContext& study, const std::string& input, std::stop_token stop);

// Runs the draws and most probable sets again: data set "check-<input>", rows in the order of
// codes, then maps.
Status RunCheck(const StudyContext& study, const std::string& input, std::stop_token stop);

// Rows of the validation set that figure 4 shows: random, ascending, each once.
std::vector<std::uint64_t> FigureRows(const StudyContext& study, const DataSet& validation);

struct PosteriorFiles {
  MappedArray<std::uint16_t> codes;
  MappedArray<double> log_density;
  MappedArray<std::uint16_t> maps;
  double acceptance = 0;  // Of the estimator's draws for x_T.
};
Result<PosteriorFiles> ReadPosterior(const StudyContext& study, const std::string& input);

}  // namespace inferon::trainer
