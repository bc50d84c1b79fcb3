// History of the schema of scheduler.db. Steps that were released are never edited.
#pragma once

#include <vector>

#include "common/sqlite/sqlite.h"

namespace inferon::scheduler {

const std::vector<sqlite::Migration>& SchemaHistory();

}  // namespace inferon::scheduler
