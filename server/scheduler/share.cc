#include "server/scheduler/share.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace inferon::scheduler {

std::vector<std::string> RankByShare(std::span<const ShareEntry> entries) {
  std::vector<const ShareEntry*> order;
  for (const ShareEntry& entry : entries) {
    if (!entry.over_quota) order.push_back(&entry);
  }
  const auto key = [](const ShareEntry* entry) {
    return std::make_tuple((entry->charged + entry->cost) / entry->weight, entry->last_turn,
                           std::string_view(entry->project));
  };
  std::sort(order.begin(), order.end(),
            [&](const ShareEntry* a, const ShareEntry* b) { return key(a) < key(b); });
  std::vector<std::string> projects;
  projects.reserve(order.size());
  for (const ShareEntry* entry : order) projects.push_back(entry->project);
  return projects;
}

double Decayed(double seconds, std::chrono::duration<double> age,
               std::chrono::duration<double> half_life) {
  return seconds * std::exp2(-std::max(0.0, age / half_life));
}

}  // namespace inferon::scheduler
