// The part of libuv that the Kafka client's addon uses: async handles, locks, threads. No call here
// reaches a libuv of the host program: these are C++ functions, with names of their own to the linker.
#pragma once

#include <pthread.h>
#include <cstdlib>

#include "bridge/runtime.h"
#include "bridge/strong.h"

struct uv_handle_t;
struct uv_async_t;
typedef void (*uv_async_cb)(uv_async_t *);
typedef void (*uv_close_cb)(uv_handle_t *);
typedef void (*uv_thread_cb)(void *);

namespace bridge {

// Apart from its handle, which the addon frees in the close callback.
struct Async {
  Runtime *runtime;
  uv_async_t *handle;
  uv_async_cb on_send;
  uv_close_cb on_close = nullptr;
  std::atomic<bool> sent{false}, closing{false};
  // The object whose method opened the handle. An open handle points into that object's memory, so
  // the object must not be collected before it is closed.
  Strong opener;
};

}  // namespace bridge

struct uv_loop_t {};
struct uv_handle_t {
  void *data;
  bridge::Async *async;
};
struct uv_async_t : uv_handle_t {};

namespace bridge {

// A thread of librdkafka may have read the addon's pointer to a handle just before the addon closed
// it, and send on it just after. So a closed handle is kept for some seconds before the addon's close
// callback frees it.
constexpr std::chrono::seconds kGrace{5};

inline void Free(void *subject) {
  Async *async = static_cast<Async *>(subject);
  if (async->on_close) async->on_close(async->handle);
  delete async;
}

inline void Bury(Runtime *runtime, Async *async) {
  const auto now = std::chrono::steady_clock::now();
  if (async) runtime->buried.push_back({now, {Free, async}});
  while (!runtime->buried.empty() && runtime->buried.front().since + kGrace < now) {
    const Task close = runtime->buried.front().close;
    runtime->buried.pop_front();
    close.run(close.subject);
  }
}

inline void OnSend(void *subject) {
  Async *async = static_cast<Async *>(subject);
  if (async->closing.load(std::memory_order_acquire)) return;
  async->sent.store(false, std::memory_order_release);
  async->on_send(async->handle);
}

inline void OnClose(void *subject) {
  Async *async = static_cast<Async *>(subject);
  ReleaseLoop(async->runtime);
  async->opener.Reset();
  Bury(async->runtime, async);
}

}  // namespace bridge

inline uv_loop_t *uv_default_loop() {
  static uv_loop_t loop;
  return &loop;
}

// On the JavaScript thread only.
inline int uv_async_init(uv_loop_t *, uv_async_t *handle, uv_async_cb on_send) {
  bridge::Runtime *runtime = bridge::here;
  if (!runtime) abort();
  handle->async = new bridge::Async{runtime, handle, on_send};
  handle->async->opener.Set(runtime->receiver);
  bridge::HoldLoop(runtime);
  bridge::Bury(runtime, nullptr);
  return 0;
}

// From any thread. Several sends before the callback runs give one callback.
inline int uv_async_send(uv_async_t *handle) {
  bridge::Async *async = handle->async;
  if (async->closing.load(std::memory_order_acquire)) return 0;
  if (!async->sent.exchange(true, std::memory_order_acq_rel)) bridge::Post(async->runtime, {bridge::OnSend, async});
  return 0;
}

// From any thread: the addon closes handles in a worker too, when connecting an admin client fails.
inline void uv_close(uv_handle_t *handle, uv_close_cb on_close) {
  bridge::Async *async = handle->async;
  if (async->closing.exchange(true)) return;
  async->on_close = on_close;
  bridge::Post(async->runtime, {bridge::OnClose, async});
}

// --- locks and threads

typedef pthread_mutex_t uv_mutex_t;
typedef pthread_t uv_thread_t;

inline int uv_mutex_init(uv_mutex_t *mutex) { return -pthread_mutex_init(mutex, nullptr); }
inline void uv_mutex_destroy(uv_mutex_t *mutex) { pthread_mutex_destroy(mutex); }
inline void uv_mutex_lock(uv_mutex_t *mutex) {
  if (pthread_mutex_lock(mutex) != 0) abort();
}
inline void uv_mutex_unlock(uv_mutex_t *mutex) {
  if (pthread_mutex_unlock(mutex) != 0) abort();
}

// The addon copies a lock by value, to share that of another client, and destroys it with the first
// client while the second may still be using it. So copies share one lock, which lives as long as the last.
struct uv_rwlock_t {
  std::shared_ptr<pthread_rwlock_t> lock;
};

inline int uv_rwlock_init(uv_rwlock_t *lock) {
  auto made = std::make_unique<pthread_rwlock_t>();
  if (const int error = pthread_rwlock_init(made.get(), nullptr)) return -error;
  lock->lock = std::shared_ptr<pthread_rwlock_t>(made.release(), [](pthread_rwlock_t *last) {
    pthread_rwlock_destroy(last);
    delete last;
  });
  return 0;
}
inline void uv_rwlock_destroy(uv_rwlock_t *lock) { lock->lock.reset(); }
inline void uv_rwlock_rdlock(uv_rwlock_t *lock) {
  if (pthread_rwlock_rdlock(lock->lock.get()) != 0) abort();
}
inline void uv_rwlock_wrlock(uv_rwlock_t *lock) {
  if (pthread_rwlock_wrlock(lock->lock.get()) != 0) abort();
}
inline void uv_rwlock_rdunlock(uv_rwlock_t *lock) {
  if (pthread_rwlock_unlock(lock->lock.get()) != 0) abort();
}
inline void uv_rwlock_wrunlock(uv_rwlock_t *lock) { uv_rwlock_rdunlock(lock); }

inline int uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *argument) {
  struct Start {
    uv_thread_cb entry;
    void *argument;
  };
  Start *start = new Start{entry, argument};
  const int error = pthread_create(
      thread, nullptr,
      [](void *given) -> void * {
        const Start copy = *static_cast<Start *>(given);
        delete static_cast<Start *>(given);
        copy.entry(copy.argument);
        return nullptr;
      },
      start);
  if (error != 0) delete start;
  return -error;
}
inline int uv_thread_join(uv_thread_t *thread) { return -pthread_join(*thread, nullptr); }
