// Reading connections, opened when first needed, lent for one short read at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "server/scheduler/store.h"

namespace inferon::scheduler {

// Thread-safe. Waits where max_readers reads are under way.
class ReaderPool {
 public:
  ReaderPool(Store& store, std::uint32_t max_readers) : store_(store), left_(max_readers) {}

  template <typename Body>
  auto Read(Body&& body) {
    const Loan loan(*this);
    return body(*loan.reader);
  }

 private:
  struct Loan {
    explicit Loan(ReaderPool& pool_in) : pool(pool_in), reader(pool_in.Take()) {}
    ~Loan() { pool.Return(std::move(reader)); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ReaderPool& pool;
    std::unique_ptr<StoreReader> reader;
  };

  std::unique_ptr<StoreReader> Take() {
    std::unique_lock lock(mu_);
    returned_.wait(lock, [&] { return !idle_.empty() || left_ > 0; });
    if (idle_.empty()) {
      std::unique_ptr<StoreReader> reader = store_.OpenReader();
      --left_;
      return reader;
    }
    std::unique_ptr<StoreReader> reader = std::move(idle_.back());
    idle_.pop_back();
    return reader;
  }

  void Return(std::unique_ptr<StoreReader> reader) {
    {
      std::lock_guard lock(mu_);
      idle_.push_back(std::move(reader));
    }
    returned_.notify_one();
  }

  Store& store_;
  std::mutex mu_;
  std::condition_variable returned_;
  std::uint32_t left_;                              // Not opened yet. Guarded by mu_.
  std::vector<std::unique_ptr<StoreReader>> idle_;  // Guarded by mu_.
};

}  // namespace inferon::scheduler
