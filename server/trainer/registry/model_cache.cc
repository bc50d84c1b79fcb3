#include "server/trainer/registry/model_cache.h"

#include <algorithm>

namespace inferon::trainer {

Result<SharedModel> ModelCache::Get(const std::string& id) {
  std::unique_lock lock(mu_);
  const auto found =
      std::ranges::find_if(recent_, [&](const auto& model) { return model->record.id == id; });
  if (found != recent_.end()) {
    recent_.splice(recent_.begin(), recent_, found);
    return recent_.front();
  }
  if (const auto other = reading_.find(id); other != reading_.end()) {
    const std::shared_ptr<Reading> reading = other->second;
    read_done_.wait(lock, [&] { return reading->outcome.has_value(); });
    return *reading->outcome;
  }
  return ReadHere(id, lock);
}

Result<SharedModel> ModelCache::ReadHere(const std::string& id,
                                         std::unique_lock<std::mutex>& lock) {
  const auto reading = std::make_shared<Reading>();
  reading_[id] = reading;
  lock.unlock();
  Result<SharedModel> outcome = [&]() -> Result<SharedModel> {
    try {
      return read_(id);
    } catch (const std::exception& error) {  // Those who wait must hear of it, too.
      return Fail(ErrorCode::kInternal, error.what());
    }
  }();
  lock.lock();
  reading->outcome = outcome;
  if (!reading->dropped) reading_.erase(id);
  if (outcome && !reading->dropped) {
    recent_.push_front(*outcome);
    if (recent_.size() > capacity_) recent_.pop_back();
  }
  read_done_.notify_all();
  return outcome;
}

void ModelCache::Drop(const std::string& id) {
  const std::lock_guard lock(mu_);
  std::erase_if(recent_, [&](const auto& model) { return model->record.id == id; });
  if (const auto found = reading_.find(id); found != reading_.end()) {
    found->second->dropped = true;
    reading_.erase(found);
  }
}

std::size_t ModelCache::size() const {
  const std::lock_guard lock(mu_);
  return recent_.size();
}

}  // namespace inferon::trainer
