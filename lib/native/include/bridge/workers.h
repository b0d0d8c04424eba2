// Threads for blocking work.
#pragma once

#include <condition_variable>
#include <system_error>
#include <thread>

#include "bridge/runtime.h"

namespace bridge {

struct Job {
  void (*run)(void *);   // on a thread of the pool
  Task after;            // then, on the JavaScript thread
  Runtime *runtime;
};

// Grows with the work waiting: librdkafka's calls block for seconds, and forty consumers waiting for
// records must not stall a forty-first that wants to connect. Idle threads end after a while. One
// pool serves all JavaScript threads; it is never destroyed, its threads outlive main().
class Pool {
 public:
  static Pool &Get() {
    static Pool *pool = new Pool;
    return *pool;
  }

  // Throws std::system_error when the system gives no thread and none is there to take the job.
  void Submit(const Job &job) {
    std::unique_lock<std::mutex> lock(mutex_);
    jobs_.push_back(job);
    if (jobs_.size() <= idle_ || threads_ >= kMostThreads) {
      lock.unlock();
      waiting_.notify_one();
      return;
    }
    try {
      std::thread([this] { Run(); }).detach();
      threads_++;
    } catch (const std::system_error &) {
      if (threads_ > 0) return;  // a busy thread will come to it
      jobs_.pop_back();
      throw;
    }
  }

 private:
  static constexpr size_t kMostThreads = 128;  // each reserves 8 MiB of address space, uses some KiB
  static constexpr std::chrono::seconds kIdle{30};

  void Run() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      idle_++;
      const bool found = waiting_.wait_for(lock, kIdle, [this] { return !jobs_.empty(); });
      idle_--;
      if (!found) break;
      const Job job = jobs_.front();
      jobs_.pop_front();
      lock.unlock();
      job.run(job.after.subject);
      Post(job.runtime, job.after);
      lock.lock();
    }
    threads_--;
  }

  std::mutex mutex_;
  std::condition_variable waiting_;
  std::deque<Job> jobs_;
  size_t idle_ = 0, threads_ = 0;
};

}  // namespace bridge
