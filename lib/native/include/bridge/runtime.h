// What one JavaScript thread and one loading of this addon share: the queue of work waiting for
// that thread, what keeps its event loop alive, and where in the native call stack it is.
//
// Everything that must run on the JavaScript thread (uv_async callbacks, uv_close callbacks,
// finished workers) goes through ONE thread-safe function. It is referenced only while an async
// handle is open or a worker is busy, so that a process with nothing left to do ends by itself.
#pragma once

#ifndef NAPI_VERSION
#define NAPI_VERSION 8
#endif
#include <node_api.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace bridge {

struct Draft;
struct DraftTable;
struct Template;

// Something to do on the JavaScript thread.
struct Task {
  void (*run)(void *);
  void *subject;
};

// A handle that was closed, and when: see Bury() in uv.h.
struct Buried {
  std::chrono::steady_clock::time_point since;
  Task close;
};

// A name met lately and its JavaScript string, valid in one scope only: see RecentString().
struct Recent {
  uint64_t scope = 0;
  napi_value value = nullptr;
  std::string text;
};

struct Runtime {
  // --- any thread, under `mutex`
  std::mutex mutex;
  std::vector<Task> tasks;
  std::vector<napi_ref> orphans;  // references given up on another thread
  bool woken = false;
  bool closed = false;
  napi_threadsafe_function wake = nullptr;

  // --- the JavaScript thread only
  napi_env env = nullptr;
  std::vector<Task> spare;
  int busy = 0;                        // open async handles and unfinished workers
  std::deque<Buried> buried;
  std::unordered_set<void *> wrapped;  // the addon's objects that belong to JavaScript objects
  void *last_wrapped = nullptr;
  std::vector<std::unique_ptr<Template>> templates;
  std::unique_ptr<DraftTable> drafts;

  // --- the native frame now running: saved and restored by Frame and Mark
  bool called_by_js = false;       // else by the event loop
  bool threw = false;              // this frame has thrown a JavaScript error, see Unwrap()
  int scopes = 0;                  // open Nan scopes in this frame
  napi_value receiver = nullptr;   // `this` of the JavaScript call
  size_t draft_base = 0, draft_top = 0;  // drafts of the innermost scope: [base, top)
  uint64_t scope = 0, last_scope = 0;    // number of the innermost scope

  static constexpr size_t kRecent = 16;
  Recent recent[kRecent];

  Runtime();
  ~Runtime();

  // Whether an object of this addon, and so what kind, is behind a wrapped pointer.
  bool Owns(void *pointer) {
    if (pointer == last_wrapped) return pointer != nullptr;
    if (wrapped.count(pointer) == 0) return false;
    last_wrapped = pointer;
    return true;
  }
  void Disown(void *pointer) {
    wrapped.erase(pointer);
    if (last_wrapped == pointer) last_wrapped = nullptr;
  }
};

// The runtime whose code this thread is running; null on all other threads.
inline thread_local Runtime *here = nullptr;

inline napi_env Env() { return here->env; }

// Thrown where an empty handle is used, which aborts the process under V8. It ends the native call;
// the JavaScript error that emptied the handle stays pending, or is reported if the loop called.
struct Unwind {};

inline bool ErrorPending(napi_env env) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  return pending;
}

// For errors no JavaScript frame below us can catch: they go to 'uncaughtException'.
inline void ReportPending(napi_env env) {
  napi_value error;
  if (ErrorPending(env) && napi_get_and_clear_last_exception(env, &error) == napi_ok)
    napi_fatal_exception(env, error);
}

// --- work for the JavaScript thread

inline void WakeLocked(Runtime *to) {
  if (to->woken || to->closed) return;
  const napi_status status = napi_call_threadsafe_function(to->wake, nullptr, napi_tsfn_nonblocking);
  if (status == napi_ok) to->woken = true;
  if (status == napi_closing) to->closed = true;  // must not be called again, says Node-API
}

// From any thread. What comes after the end of the JavaScript thread is dropped.
inline void Post(Runtime *to, Task task) {
  std::lock_guard<std::mutex> lock(to->mutex);
  if (to->closed) return;
  to->tasks.push_back(task);
  WakeLocked(to);
}

inline void HoldLoop(Runtime *runtime) {
  if (runtime->busy++ == 0) napi_ref_threadsafe_function(runtime->env, runtime->wake);
}

inline void ReleaseLoop(Runtime *runtime) {
  if (--runtime->busy == 0) napi_unref_threadsafe_function(runtime->env, runtime->wake);
}

// --- where in the native stack we are

// Makes `runtime` current. The last one stays current after the outermost call, which spares the
// next call a look-up; Close() in module.h takes it away.
class Enter {
 public:
  explicit Enter(Runtime *runtime) : before_(here) { here = runtime; }
  ~Enter() {
    if (before_) here = before_;
  }
  Enter(const Enter &) = delete;
  Enter &operator=(const Enter &) = delete;

 private:
  Runtime *before_;
};

// The extent of a scope: drafts and recent strings made inside are forgotten at its end, as V8's
// rule for handles has it.
class Mark {
 public:
  explicit Mark(Runtime *runtime)
      : runtime_(runtime), base_(runtime->draft_base), top_(runtime->draft_top), scope_(runtime->scope) {
    runtime->draft_base = runtime->draft_top;
    runtime->scope = ++runtime->last_scope;
  }
  ~Mark() {
    runtime_->draft_base = base_;
    runtime_->draft_top = top_;
    runtime_->scope = scope_;
  }
  Mark(const Mark &) = delete;
  Mark &operator=(const Mark &) = delete;
  Runtime *runtime() const { return runtime_; }

 private:
  Runtime *runtime_;
  size_t base_, top_;
  uint64_t scope_;
};

// A call into the addon, by JavaScript (with its `this`) or by the event loop (without).
class Frame {
 public:
  Frame(Runtime *runtime, bool by_js, napi_value receiver)
      : mark_(runtime),
        called_by_js_(runtime->called_by_js),
        threw_(runtime->threw),
        scopes_(runtime->scopes),
        receiver_(runtime->receiver) {
    runtime->called_by_js = by_js;
    runtime->threw = false;
    runtime->scopes = 0;
    runtime->receiver = receiver;
  }
  ~Frame() {
    Runtime *runtime = mark_.runtime();
    runtime->called_by_js = called_by_js_;
    runtime->threw = threw_;
    runtime->scopes = scopes_;
    runtime->receiver = receiver_;
  }

 private:
  Mark mark_;
  bool called_by_js_, threw_;
  int scopes_;
  napi_value receiver_;
};

}  // namespace bridge
