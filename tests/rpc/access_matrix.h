// Calls every method of a server as everyone who could call it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/access/token.h"

namespace inferon::rpc {

// Who should be let through to a method. Written apart from the servers' own rules.
struct AccessRow {
  const char* method;  // "ExperimentService.GetJob"
  char least;          // 'v'iewer, 's'ubmitter, 'o'perator; 'w'orkers only.
  const char* field;   // Path of the field that says what it is about; empty: the whole node.
  const char* own;     // What this field says: something of the project lab, or the worker chip-1.
};

// One row for each method of the API.
const std::vector<AccessRow>& AccessRows();

// A file of tokens for the callers of the matrix.
void WriteMatrixTokens(const std::filesystem::path& file);

// Calls each method of these services ("ExperimentService") at the address without a token, with
// bad ones and with one of each role, for the own and for another project; expects that those who
// should pass do, and that the others are refused with the right status and details.
void ExpectAccess(const std::string& address, const std::vector<std::string>& services);

}  // namespace inferon::rpc
