// The part of NAN that the Kafka client's addon uses, on Node-API: scopes, values, conversions,
// properties, errors, callbacks, wrapped objects, workers.
#pragma once

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <typeinfo>

#include "bridge/functions.h"
#include "bridge/workers.h"
#include "node_buffer.h"
#include "uv.h"
#include "v8.h"

// Where the addon asks which Node it is compiled for, it wants to know that it is a recent one.
#define NODE_MAJOR_VERSION 20
#define NAN_INLINE inline
#define NAN_METHOD(name) void name(const Nan::FunctionCallbackInfo<v8::Value> &info)
#define NAUV_WORK_CB(name) void name(uv_async_t *async)

namespace Nan {
inline namespace bridged {

using bridge::Env;
using v8::Just;
using v8::Local;
using v8::Maybe;
using v8::MaybeLocal;
using v8::Nothing;

inline Local<v8::Context> GetCurrentContext() { return Local<v8::Context>(); }

// --- scopes

// Opening one makes all drafts of the scope around it, see Draft.
class Scope {
 public:
  Scope(const Scope &) = delete;
  Scope &operator=(const Scope &) = delete;

 protected:
  Scope() : mark_(WithDraftsMade(bridge::here)) { mark_.runtime()->scopes++; }
  ~Scope() { mark_.runtime()->scopes--; }
  bridge::Runtime *runtime() const { return mark_.runtime(); }

 private:
  static bridge::Runtime *WithDraftsMade(bridge::Runtime *runtime) {
    bridge::MakePending(runtime);
    return runtime;
  }
  bridge::Mark mark_;
};

// In a call from JavaScript the outermost scope opens none of its own: the engine's scope around the
// call serves. That is cheaper, and it keeps a value given to GetReturnValue() valid after the scope.
class HandleScope : Scope {
 public:
  HandleScope() {
    if (!runtime()->called_by_js || runtime()->scopes > 1) napi_open_handle_scope(runtime()->env, &scope_);
  }
  ~HandleScope() {
    if (scope_) napi_close_handle_scope(runtime()->env, scope_);
  }

 private:
  napi_handle_scope scope_ = nullptr;
};

class EscapableHandleScope : Scope {
 public:
  EscapableHandleScope() { napi_open_escapable_handle_scope(runtime()->env, &scope_); }
  ~EscapableHandleScope() { napi_close_escapable_handle_scope(runtime()->env, scope_); }
  template <class T>
  Local<T> Escape(const Local<T> &local) {
    napi_value inner = local.raw(), outer = nullptr;
    if (inner) napi_escape_handle(Env(), scope_, inner, &outer);
    return Local<T>(outer);
  }

 private:
  napi_escapable_handle_scope scope_ = nullptr;
};

// Not reset by its destructor, as in NAN: the addon has static ones.
template <class T>
class Persistent {
 public:
  Persistent() = default;
  template <class S>
  explicit Persistent(const Local<S> &local) {
    strong_.Set(local.raw());
  }
  bool IsEmpty() const { return strong_.empty(); }
  void Reset() { strong_.Reset(); }
  template <class S>
  void Reset(const Local<S> &local) {
    strong_.Set(local.raw());
  }
  napi_value raw() const { return strong_.Get(); }

 private:
  bridge::Strong strong_;
};

// --- values

inline Local<v8::String> MakeString(const char *text, size_t size) {
  napi_value value = nullptr;
  napi_create_string_utf8(Env(), text, size, &value);
  return Local<v8::String>(value);
}

template <class T>
struct Maker;

template <>
struct Maker<v8::String> {
  template <size_t N>
  static MaybeLocal<v8::String> Make(const char (&literal)[N]) {
    if (strlen(literal) == N - 1)  // else an array that holds less than its size, so no literal
      if (bridge::Key *key = bridge::KeyOf(literal, N - 1)) return Local<v8::String>(key);
    return MakeString(literal, strlen(literal));
  }
  template <size_t N>
  static MaybeLocal<v8::String> Make(char (&text)[N]) {
    return MakeString(text, strlen(text));
  }
  template <class C, class = std::enable_if_t<std::is_same<C, const char *>::value || std::is_same<C, char *>::value>>
  static MaybeLocal<v8::String> Make(C text) {
    return text ? MakeString(text, strlen(text)) : Local<v8::String>();
  }
  static MaybeLocal<v8::String> Make(const char *text, size_t size) { return MakeString(text, size); }
  static MaybeLocal<v8::String> Make(const std::string &text) {
    return Local<v8::String>(bridge::RecentString(text));
  }
};

template <>
struct Maker<v8::Int32> {
  static Local<v8::Int32> Make(int32_t number) {
    napi_value value = nullptr;
    napi_create_int32(Env(), number, &value);
    return Local<v8::Int32>(value);
  }
};

template <>
struct Maker<v8::Number> {
  template <class N>
  static Local<v8::Number> Make(N number) {
    if (number >= std::numeric_limits<int32_t>::min() && number <= std::numeric_limits<int32_t>::max() &&
        std::is_integral<N>::value)
      return Maker<v8::Int32>::Make(static_cast<int32_t>(number));
    napi_value value = nullptr;
    napi_create_double(Env(), static_cast<double>(number), &value);
    return Local<v8::Number>(value);
  }
  template <class E>
  static Local<v8::Number> MakeEnum(E number) {
    return Make(static_cast<int64_t>(number));
  }
};

template <>
struct Maker<v8::Boolean> {
  static Local<v8::Boolean> Make(bool truth) {
    napi_value value = nullptr;
    napi_get_boolean(Env(), truth, &value);
    return Local<v8::Boolean>(value);
  }
};

template <>
struct Maker<v8::Object> {
  static Local<v8::Object> Make() { return Local<v8::Object>(bridge::NewDraft()); }
};

template <>
struct Maker<v8::Array> {
  static Local<v8::Array> Make() {
    napi_value value = nullptr;
    napi_create_array(Env(), &value);
    return Local<v8::Array>(value);
  }
  static Local<v8::Array> Make(int length) {
    napi_value value = nullptr;
    napi_create_array_with_length(Env(), length, &value);
    return Local<v8::Array>(value);
  }
};

template <>
struct Maker<v8::FunctionTemplate> {
  static Local<v8::FunctionTemplate> Make(FunctionCallback callback) {
    auto &templates = bridge::here->templates;
    templates.emplace_back(new bridge::Template{callback, "", false, {}, {}});
    return Local<v8::FunctionTemplate>(templates.back().get());
  }
};

template <>
struct Maker<v8::Function> {
  static Local<v8::Function> Make(const Persistent<v8::Function> &persistent) {
    return Local<v8::Function>(persistent.raw());
  }
};

template <class T, class... Arguments>
inline auto New(Arguments &&...arguments) {
  if constexpr (std::is_same<T, v8::Number>::value && (std::is_enum<std::decay_t<Arguments>>::value && ...))
    return Maker<v8::Number>::MakeEnum(arguments...);
  else
    return Maker<T>::Make(std::forward<Arguments>(arguments)...);
}
template <size_t N>
inline MaybeLocal<v8::String> New(const char (&literal)[N]) {
  return Maker<v8::String>::Make(literal);
}
template <size_t N>
inline MaybeLocal<v8::String> New(char (&text)[N]) {
  return Maker<v8::String>::Make(text);
}
template <class C, class = std::enable_if_t<std::is_same<C, const char *>::value || std::is_same<C, char *>::value>>
inline MaybeLocal<v8::String> New(C text) {
  return Maker<v8::String>::Make(text);
}
inline MaybeLocal<v8::String> New(const std::string &text) { return Maker<v8::String>::Make(text); }
inline Local<v8::Int32> New(int32_t number) { return Maker<v8::Int32>::Make(number); }
inline Local<v8::Number> New(uint32_t number) { return Maker<v8::Number>::Make(number); }
inline Local<v8::Number> New(double number) { return Maker<v8::Number>::Make(number); }
inline Local<v8::Boolean> New(bool truth) { return Maker<v8::Boolean>::Make(truth); }
template <class T>
inline Local<T> New(const Persistent<T> &persistent) {
  return Local<T>(persistent.raw());
}

inline Local<v8::Primitive> Undefined() {
  napi_value value = nullptr;
  napi_get_undefined(Env(), &value);
  return Local<v8::Primitive>(value);
}
inline Local<v8::Primitive> Null() {
  napi_value value = nullptr;
  napi_get_null(Env(), &value);
  return Local<v8::Primitive>(value);
}
inline Local<v8::Boolean> True() { return New(true); }
inline Local<v8::Boolean> False() { return New(false); }

// --- conversions: empty or nothing when JavaScript throws, with its error pending

template <class T>
struct Converter;

// `read` fails for what is not a number, which is then made one.
template <class N, napi_status (*read)(napi_env, napi_value, N *)>
struct NumberConverter {
  static Maybe<N> To(napi_value value) {
    N number;
    if (!value) return Nothing<N>();
    if (read(Env(), value, &number) == napi_ok) return Just(number);
    if (napi_coerce_to_number(Env(), value, &value) == napi_ok && read(Env(), value, &number) == napi_ok)
      return Just(number);
    return Nothing<N>();
  }
};
template <>
struct Converter<int32_t> : NumberConverter<int32_t, napi_get_value_int32> {};
template <>
struct Converter<uint32_t> : NumberConverter<uint32_t, napi_get_value_uint32> {};
template <>
struct Converter<int64_t> : NumberConverter<int64_t, napi_get_value_int64> {};
template <>
struct Converter<double> : NumberConverter<double, napi_get_value_double> {};

template <>
struct Converter<bool> {
  static Maybe<bool> To(napi_value value) {
    bool truth;
    if (!value || napi_coerce_to_bool(Env(), value, &value) != napi_ok ||
        napi_get_value_bool(Env(), value, &truth) != napi_ok)
      return Nothing<bool>();
    return Just(truth);
  }
};

template <>
struct Converter<v8::String> {
  static MaybeLocal<v8::String> To(napi_value value) {
    napi_value string = nullptr;
    if (!value || napi_coerce_to_string(Env(), value, &string) != napi_ok) return MaybeLocal<v8::String>();
    return Local<v8::String>(string);
  }
};

template <>
struct Converter<v8::Object> {
  static MaybeLocal<v8::Object> To(napi_value value) {
    return Local<v8::Value>(value)->ToObject(GetCurrentContext());
  }
};

template <class T, class S>
inline auto To(const Local<S> &local) {
  if constexpr (std::is_same<T, v8::String>::value) {
    if (local->type() == napi_string) return MaybeLocal<v8::String>(local.template As<v8::String>());
  }
  return Converter<T>::To(local.raw());
}

// `*text` is a std::string, not NAN's char *: the addon makes a std::string of it each time, which
// from a char * would end at the first zero byte of a key or a header.
class Utf8String {
 public:
  template <class S>
  explicit Utf8String(const Local<S> &local) {
    napi_value value = local.raw();
    if (!value) return;
    char first[512];
    size_t size = 0;
    napi_status status = napi_get_value_string_utf8(Env(), value, first, sizeof first, &size);
    if (status == napi_string_expected) {
      if (napi_coerce_to_string(Env(), value, &value) != napi_ok) return;
      status = napi_get_value_string_utf8(Env(), value, first, sizeof first, &size);
    }
    if (status != napi_ok) return;
    if (size < sizeof first - 4) {  // shorter than a cut string can be: characters have up to 4 bytes
      text_.assign(first, size);
      return;
    }
    napi_get_value_string_utf8(Env(), value, nullptr, 0, &size);
    text_.resize(size);
    napi_get_value_string_utf8(Env(), value, text_.data(), size + 1, &size);
  }
  Utf8String(const Utf8String &) = delete;
  Utf8String &operator=(const Utf8String &) = delete;
  const std::string &operator*() const { return text_; }
  int length() const { return static_cast<int>(text_.size()); }

 private:
  std::string text_;
};

// --- properties

// An own property whatever its name. A record's header may be called __proto__, and must not become
// the prototype of the object that holds it.
inline bool DefineProperty(napi_value object, napi_value name, napi_value value) {
  const auto attributes = static_cast<napi_property_attributes>(napi_writable | napi_enumerable | napi_configurable);
  const napi_property_descriptor property = {nullptr, name, nullptr, nullptr, nullptr, value, attributes, nullptr};
  return napi_define_properties(Env(), object, 1, &property) == napi_ok;
}

template <class O, class K, class V>
inline Maybe<bool> Set(const Local<O> &object, const Local<K> &name, const Local<V> &to) {
  napi_value value = to.raw();
  if (bridge::Key *key = name->key()) {
    bridge::Draft *draft = object->draft();
    if (draft && bridge::Note(draft, key, value)) return Just(true);
    const bool done = napi_set_named_property(Env(), object.raw(), key->text.c_str(), value) == napi_ok;
    return done ? Just(true) : Nothing<bool>();
  }
  const bool done = object->draft() ? DefineProperty(object.raw(), name.raw(), value)
                                    : napi_set_property(Env(), object.raw(), name.raw(), value) == napi_ok;
  return done ? Just(true) : Nothing<bool>();
}
template <class O, class V>
inline Maybe<bool> Set(const Local<O> &array, uint32_t index, const Local<V> &value) {
  return napi_set_element(Env(), array.raw(), index, value.raw()) == napi_ok ? Just(true) : Nothing<bool>();
}
template <class O, class K>
inline MaybeLocal<v8::Value> Get(const Local<O> &object, const Local<K> &name) {
  napi_value value = nullptr;
  const napi_status status =
      name->key() ? napi_get_named_property(Env(), object.raw(), name->key()->text.c_str(), &value)
                  : napi_get_property(Env(), object.raw(), name.raw(), &value);
  return status == napi_ok ? Local<v8::Value>(value) : Local<v8::Value>();
}
template <class O>
inline MaybeLocal<v8::Value> Get(const Local<O> &array, uint32_t index) {
  napi_value value = nullptr;
  return napi_get_element(Env(), array.raw(), index, &value) == napi_ok ? Local<v8::Value>(value) : Local<v8::Value>();
}
template <class O, class K>
inline Maybe<bool> Has(const Local<O> &object, const Local<K> &name) {
  bool has = false;
  return napi_has_property(Env(), object.raw(), name.raw(), &has) == napi_ok ? Just(has) : Nothing<bool>();
}
inline MaybeLocal<v8::Array> GetOwnPropertyNames(const Local<v8::Object> &object) {
  return object->GetOwnPropertyNames(GetCurrentContext());
}

// --- errors

inline Local<v8::Value> Error(const Local<v8::String> &message) {
  napi_value error = nullptr;
  napi_create_error(Env(), nullptr, message.raw(), &error);
  return Local<v8::Value>(error);
}
inline Local<v8::Value> Error(const char *message) { return Error(MakeString(message, strlen(message))); }

// Where an error is pending already, that one stays.
template <class T>
inline void ThrowError(const Local<T> &error) {
  bridge::here->threw = true;
  napi_throw(Env(), error.raw());
}
inline void ThrowError(const char *message) {
  bridge::here->threw = true;
  napi_throw_error(Env(), nullptr, message);
}
inline void ThrowTypeError(const char *message) {
  bridge::here->threw = true;
  napi_throw_type_error(Env(), nullptr, message);
}

// --- calls into JavaScript

inline MaybeLocal<v8::Object> NewInstance(const Local<v8::Function> &constructor, int count, Local<v8::Value> *arguments) {
  napi_value made = nullptr;
  std::vector<napi_value> values;
  for (int i = 0; i < count; i++) values.push_back(arguments[i].raw());
  if (napi_new_instance(Env(), constructor.raw(), count, values.data(), &made) != napi_ok) made = nullptr;
  return Local<v8::Object>(made);
}
inline MaybeLocal<v8::Function> GetFunction(const Local<v8::FunctionTemplate> &made) {
  return made->GetFunction(GetCurrentContext());
}
inline void SetPrototypeMethod(const Local<v8::FunctionTemplate> &made, const char *name, FunctionCallback callback) {
  made->made()->methods.emplace_back(name, callback);
}

class Callback {
 public:
  Callback() = default;
  explicit Callback(const Local<v8::Function> &function) : function_(function) {}
  ~Callback() { function_.Reset(); }
  Callback(const Callback &) = delete;
  Callback &operator=(const Callback &) = delete;
  Local<v8::Function> GetFunction() const { return New(function_); }
  bool IsEmpty() const { return function_.IsEmpty(); }
  Local<v8::Value> Call(int count, Local<v8::Value> *arguments) const { return Invoke(nullptr, count, arguments); }
  // NAN's old form of a call. The addon uses it by mistake, to set its partitioner: that has no
  // function yet, so nothing is called.
  Local<v8::Value> operator()(const Local<v8::Object> &target, int count = 0, Local<v8::Value> *arguments = nullptr) const {
    return Invoke(target.raw(), count, arguments);
  }

 private:
  static constexpr int kMost = 8;  // the addon passes up to 4

  Local<v8::Value> Invoke(napi_value target, int count, Local<v8::Value> *arguments) const {
    napi_value function = function_.raw(), result = nullptr, values[kMost];
    if (!function || count > kMost) return Local<v8::Value>();
    if (!target) napi_get_global(Env(), &target);
    for (int i = 0; i < count; i++) {
      values[i] = arguments[i].raw();
      if (!values[i]) napi_get_undefined(Env(), &values[i]);
    }
    if (napi_call_function(Env(), target, function, count, values, &result) != napi_ok) {
      result = nullptr;
      if (!bridge::here->called_by_js) bridge::ReportPending(Env());
    }
    return Local<v8::Value>(result);
  }

  Persistent<v8::Function> function_;
};

// --- buffers

enum Encoding { ASCII, UTF8, BASE64, UCS2, BINARY, HEX, BUFFER };

inline MaybeLocal<v8::Object> CopyBuffer(const char *data, size_t size) {
  napi_value buffer = nullptr;
  if (napi_create_buffer_copy(Env(), size, data, nullptr, &buffer) != napi_ok) buffer = nullptr;
  return Local<v8::Object>(buffer);
}
// Takes memory from malloc(). It is copied: for the size of records that is cheaper than an external
// buffer with its finalizer, and not every runtime allows those.
inline MaybeLocal<v8::Object> NewBuffer(char *data, uint32_t size) {
  MaybeLocal<v8::Object> buffer = CopyBuffer(data, size);
  free(data);
  return buffer;
}
// The addon encodes to nothing but BUFFER.
inline Local<v8::Value> Encode(const void *data, size_t size, Encoding = BUFFER) {
  return CopyBuffer(static_cast<const char *>(data), size).FromMaybe(Local<v8::Object>());
}

// --- the addon's objects inside JavaScript's

// Destroyed when the JavaScript object is collected. What is left at the end of the process or of a
// Worker is not: its threads may be using it.
class ObjectWrap {
 public:
  ObjectWrap() = default;
  virtual ~ObjectWrap() = default;
  ObjectWrap(const ObjectWrap &) = delete;
  ObjectWrap &operator=(const ObjectWrap &) = delete;

  // On a wrong receiver a TypeError; NAN aborts or takes foreign memory for a T. And where the method
  // has thrown for a wrong argument, it ends here: some of the addon's forget to return, so that
  // produce() would send the record whose header it has just refused.
  template <class T>
  static T *Unwrap(const Local<v8::Object> &object) {
    bridge::Runtime *runtime = bridge::here;
    if (runtime->threw) throw bridge::Unwind();
    void *pointer = nullptr;
    if (object.raw() && napi_unwrap(Env(), object.raw(), &pointer) == napi_ok && runtime->Owns(pointer)) {
      ObjectWrap *wrapped = static_cast<ObjectWrap *>(pointer);
      if (typeid(*wrapped) == typeid(T)) return static_cast<T *>(wrapped);
      if (T *derived = dynamic_cast<T *>(wrapped)) return derived;
    }
    ThrowTypeError("Illegal invocation");
    throw bridge::Unwind();
  }

 protected:
  void Wrap(const Local<v8::Object> &object) {
    bridge::Runtime *runtime = bridge::here;
    if (napi_wrap(Env(), object.raw(), this, Collected, runtime, nullptr) != napi_ok) {
      delete this;  // the object has one already
      ThrowTypeError("Illegal constructor call");
      throw bridge::Unwind();
    }
    runtime->wrapped.insert(this);
  }

 private:
  static void Collected(napi_env, void *data, void *hint) {
    bridge::Runtime *runtime = static_cast<bridge::Runtime *>(hint);
    if (runtime->closed) return;
    runtime->Disown(data);
    bridge::Enter enter(runtime);
    delete static_cast<ObjectWrap *>(data);
  }
};

// --- workers

class AsyncWorker {
 public:
  explicit AsyncWorker(Callback *done, const char * = nullptr) : callback(done) {}
  virtual ~AsyncWorker() {
    delete callback;
    client_.Reset();
  }
  AsyncWorker(const AsyncWorker &) = delete;
  AsyncWorker &operator=(const AsyncWorker &) = delete;

  virtual void Execute() = 0;
  virtual void WorkComplete() {
    HandleScope scope;
    if (failed_) HandleErrorCallback();
    else HandleOKCallback();
    delete callback;
    callback = nullptr;
  }
  virtual void Destroy() { delete this; }

 protected:
  Callback *callback;

  virtual void HandleOKCallback() {
    HandleScope scope;
    callback->Call(0, nullptr);
  }
  virtual void HandleErrorCallback() {
    HandleScope scope;
    Local<v8::Value> arguments[] = {Error(ErrorMessage())};
    callback->Call(1, arguments);
  }
  void SetErrorMessage(const char *message) {
    error_ = message;
    failed_ = true;
  }
  const char *ErrorMessage() const { return error_.c_str(); }

 private:
  friend void AsyncQueueWorker(AsyncWorker *);

  // A worker holds a bare pointer to the client whose method started it; this keeps the client from
  // being collected meanwhile.
  bridge::Strong client_;
  std::string error_;
  bool failed_ = false;

  static void Run(void *subject) {
    AsyncWorker *worker = static_cast<AsyncWorker *>(subject);
    try {
      worker->Execute();
    } catch (const std::exception &error) {
      worker->SetErrorMessage(error.what());
    }
  }
  static void Finish(void *subject) {
    AsyncWorker *worker = static_cast<AsyncWorker *>(subject);
    bridge::ReleaseLoop(bridge::here);
    try {
      worker->WorkComplete();
    } catch (const bridge::Unwind &) {
      worker->Destroy();
      throw;
    }
    worker->Destroy();
  }
};

inline void AsyncQueueWorker(AsyncWorker *worker) {
  bridge::Runtime *runtime = bridge::here;
  worker->client_.Set(runtime->receiver);
  try {
    bridge::Pool::Get().Submit({AsyncWorker::Run, {AsyncWorker::Finish, worker}, runtime});
  } catch (const std::exception &) {
    worker->Destroy();
    throw;
  }
  bridge::HoldLoop(runtime);  // before the thread's answer can be seen: that needs this thread
}

}  // namespace bridged
}  // namespace Nan

namespace v8 {
inline namespace bridged {

inline Maybe<int32_t> Value::Int32Value(const Local<Context> &) const { return Nan::Converter<int32_t>::To(raw()); }
inline Maybe<uint32_t> Value::Uint32Value(const Local<Context> &) const { return Nan::Converter<uint32_t>::To(raw()); }
inline void FunctionTemplate::SetClassName(const Local<String> &name) { template_->name = *Nan::Utf8String(name); }

}  // namespace bridged
}  // namespace v8

#include "node.h"
