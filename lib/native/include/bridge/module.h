// Loading the addon in a JavaScript thread, running what was posted to that thread, and its end.
#pragma once

#include <openssl/crypto.h>

#include "bridge/functions.h"
#include "bridge/runtime.h"
#include "nan.h"

namespace bridge {

inline void RunTask(Runtime *runtime, const Task &task) {
  Nan::HandleScope scope;
  try {
    task.run(task.subject);
  } catch (const Unwind &) {
  }
  ReportPending(runtime->env);
}

// Called by the event loop after a wake. Runs what was waiting then, and no more: tasks may post
// themselves again, and timers and promises want their turn.
inline void Drain(napi_env env, napi_value, void *context, void *) {
  Runtime *runtime = static_cast<Runtime *>(context);
  if (!env) return;  // torn down
  std::vector<Task> tasks;
  std::vector<napi_ref> orphans;
  tasks.swap(runtime->spare);  // for its memory: it is empty
  {
    std::lock_guard<std::mutex> lock(runtime->mutex);
    runtime->woken = false;
    tasks.swap(runtime->tasks);
    orphans.swap(runtime->orphans);
  }
  Enter enter(runtime);
  Frame frame(runtime, false, nullptr);
  for (napi_ref orphan : orphans) napi_delete_reference(env, orphan);
  for (const Task &task : tasks) RunTask(runtime, task);
  tasks.clear();
  runtime->spare.swap(tasks);
}

// At the end of the JavaScript thread. The Runtime itself stays, some hundred bytes: threads of
// librdkafka may still post to it.
inline void Close(void *context) {
  Runtime *runtime = static_cast<Runtime *>(context);
  {
    std::lock_guard<std::mutex> lock(runtime->mutex);
    runtime->closed = true;
    runtime->tasks.clear();
    runtime->orphans.clear();
  }
  runtime->drafts.reset();
  runtime->templates.clear();
  runtime->wrapped.clear();
  if (here == runtime) here = nullptr;
}

inline Runtime *Open(napi_env env) {
  auto runtime = std::make_unique<Runtime>();
  runtime->env = env;
  napi_value name;
  if (napi_create_string_utf8(env, "kafka", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, runtime.get(), Drain,
                                      &runtime->wake) != napi_ok ||
      napi_unref_threadsafe_function(env, runtime->wake) != napi_ok ||
      napi_set_instance_data(env, runtime.get(), nullptr, nullptr) != napi_ok ||
      napi_add_env_cleanup_hook(env, Close, runtime.get()) != napi_ok)
    return nullptr;
  return runtime.release();
}

template <class Init>
inline napi_value Load(napi_env env, napi_value exports, Init init) {
  // The addon's constructors are static: two Workers must not fill them at the same time.
  static std::mutex loading;
  std::lock_guard<std::mutex> lock(loading);
  // A process may exit while librdkafka's threads are inside OpenSSL, so it must not free its tables then.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  Runtime *runtime = Open(env);
  if (!runtime) {
    ThrowUnlessPending(env, "Node-API gives no thread-safe function");
    return nullptr;
  }
  Enter enter(runtime);
  Frame frame(runtime, true, nullptr);
  try {
    init(v8::Local<v8::Object>(exports), v8::Local<v8::Value>(), nullptr);
  } catch (const Unwind &) {
    ThrowUnlessPending(env, "the Kafka client's addon could not be initialized");
  }
  return exports;
}

}  // namespace bridge
