// The part of V8's C++ interface that the Kafka client's addon uses, on Node-API.
//
// Everything is in an inline namespace, so that no name here is one of the host program's own V8.
#pragma once

#include <cmath>
#include <type_traits>

#include "bridge/drafts.h"
#include "bridge/runtime.h"
#include "bridge/strong.h"

namespace v8 {
inline namespace bridged {

class Array;
class Context;
class Function;
class Object;

class Isolate {
 public:
  static Isolate *GetCurrent() {
    static Isolate only;
    return &only;
  }
};

template <class T>
class Maybe {
 public:
  Maybe() : just_(false), value_() {}
  explicit Maybe(const T &value) : just_(true), value_(value) {}
  bool IsNothing() const { return !just_; }
  bool IsJust() const { return just_; }
  T FromJust() const {
    if (!just_) throw bridge::Unwind();
    return value_;
  }
  T ToChecked() const { return FromJust(); }
  T FromMaybe(const T &otherwise) const { return just_ ? value_ : otherwise; }

 private:
  bool just_;
  T value_;
};
template <class T>
inline Maybe<T> Just(const T &value) {
  return Maybe<T>(value);
}
template <class T>
inline Maybe<T> Nothing() {
  return Maybe<T>();
}

// What a Local refers to: a handle of the engine, or what becomes one when it is needed. Small and
// trivially copied, so that it travels in registers.
class Data {
 public:
  Data() = default;
  void Be(napi_value handle) { Be(kHandle, handle); }
  void Be(bridge::Key *key) { Be(kKey, key); }
  void Be(bridge::Draft *draft) { Be(kDraft, draft); }
  void Be(const Data &other) { *this = other; }

  bool empty() const { return !pointer_; }
  bridge::Key *key() const { return kind_ == kKey ? static_cast<bridge::Key *>(pointer_) : nullptr; }
  bridge::Draft *draft() const { return kind_ == kDraft ? static_cast<bridge::Draft *>(pointer_) : nullptr; }

  // Null when empty.
  napi_value raw() const {
    if (kind_ == kHandle) return static_cast<napi_value>(pointer_);
    if (kind_ == kDraft) return bridge::Make(draft());
    napi_value string = nullptr;
    napi_create_string_utf8(bridge::Env(), key()->text.data(), key()->text.size(), &string);
    return string;
  }

  // Set where the type is known without asking the engine.
  void Know(napi_valuetype type) { type_ = static_cast<int8_t>(type); }
  napi_valuetype type() const {
    if (type_ >= 0) return static_cast<napi_valuetype>(type_);
    napi_valuetype type = napi_undefined;
    if (napi_value value = raw()) napi_typeof(bridge::Env(), value, &type);
    return type;
  }

 private:
  enum Kind : uint8_t { kHandle, kKey, kDraft };
  void Be(Kind kind, void *pointer) {
    pointer_ = pointer;
    kind_ = kind;
    type_ = -1;
  }
  void *pointer_ = nullptr;
  Kind kind_ = kHandle;
  int8_t type_ = -1;
};

// The object behind `->` is inside the Local itself; V8's classes here add methods to Data, no state.
template <class T>
class Local {
 public:
  Local() = default;
  template <class Made, class = std::enable_if_t<std::is_pointer<Made>::value>>
  explicit Local(Made made) {
    to_.Be(made);
  }
  template <class S, class = std::enable_if_t<std::is_base_of<T, S>::value && !std::is_same<T, S>::value>>
  Local(const Local<S> &other) {  // to a base class, implicitly
    to_.Be(**other);
  }
  bool IsEmpty() const { return to_.empty(); }
  T *operator->() const { return const_cast<T *>(&to_); }
  T *operator*() const { return const_cast<T *>(&to_); }
  template <class S>
  Local<S> As() const {
    Local<S> same;
    (*same)->Be(to_);
    return same;
  }
  template <class S>
  static Local<T> Cast(const Local<S> &other) {
    return other.template As<T>();
  }
  template <class S>
  bool operator==(const Local<S> &other) const {
    napi_value mine = to_.raw(), theirs = (*other)->raw();
    bool same = false;
    if (!mine || !theirs) return mine == theirs;
    napi_strict_equals(bridge::Env(), mine, theirs, &same);
    return same;
  }
  template <class S>
  bool operator!=(const Local<S> &other) const {
    return !(*this == other);
  }
  napi_value raw() const { return to_.raw(); }

 private:
  T to_;
};

template <class T>
class MaybeLocal {
 public:
  MaybeLocal() = default;
  template <class S>
  MaybeLocal(const Local<S> &local) : local_(local) {}
  bool IsEmpty() const { return local_.IsEmpty(); }
  Local<T> ToLocalChecked() const {
    if (local_.IsEmpty()) throw bridge::Unwind();
    return local_;
  }
  template <class S>
  bool ToLocal(Local<S> *out) const {
    *out = local_;
    return !local_.IsEmpty();
  }
  Local<T> FromMaybe(const Local<T> &otherwise) const { return local_.IsEmpty() ? otherwise : local_; }

 private:
  Local<T> local_;
};

class Value : public Data {
 public:
  bool IsUndefined() const { return type() == napi_undefined; }
  bool IsNull() const { return type() == napi_null; }
  bool IsNullOrUndefined() const { return IsNull() || IsUndefined(); }
  bool IsBoolean() const { return type() == napi_boolean; }
  bool IsNumber() const { return type() == napi_number; }
  bool IsString() const { return type() == napi_string; }
  bool IsFunction() const { return type() == napi_function; }
  bool IsObject() const { return type() == napi_object || type() == napi_function || type() == napi_external; }
  bool IsArray() const {
    bool is = false;
    napi_value value = raw();
    return value && napi_is_array(bridge::Env(), value, &is) == napi_ok && is;
  }
  // -0 is neither, as under V8.
  bool IsInt32() const {
    double number;
    return Number(&number) && number >= -2147483648.0 && number <= 2147483647.0 &&
           number == static_cast<int32_t>(number) && !(number == 0 && std::signbit(number));
  }
  bool IsUint32() const {
    double number;
    return Number(&number) && number >= 0 && number <= 4294967295.0 &&
           number == static_cast<uint32_t>(number) && !std::signbit(number);
  }
  bool IsRegExp() const {
    napi_value global, constructor;
    bool is = false;
    if (!IsObject()) return false;
    if (napi_get_global(bridge::Env(), &global) == napi_ok &&
        napi_get_named_property(bridge::Env(), global, "RegExp", &constructor) == napi_ok)
      napi_instanceof(bridge::Env(), raw(), constructor, &is);
    return is;
  }
  Maybe<int32_t> Int32Value(const Local<Context> &) const;
  Maybe<uint32_t> Uint32Value(const Local<Context> &) const;
  MaybeLocal<Object> ToObject(const Local<Context> &) const;

 private:
  bool Number(double *number) const {
    napi_value value = raw();
    return value && napi_get_value_double(bridge::Env(), value, number) == napi_ok;
  }
};

class Context : public Data {};
class Primitive : public Value {};
class Boolean : public Primitive {};
class Number : public Primitive {};
class Integer : public Number {};
class Int32 : public Integer {};
class Uint32 : public Integer {};
class Name : public Primitive {};
class String : public Name {};

class BigInt : public Primitive {
 public:
  static Local<BigInt> New(Isolate *, int64_t number) {
    napi_value value = nullptr;
    napi_create_bigint_int64(bridge::Env(), number, &value);
    return Local<BigInt>(value);
  }
};

class Object : public Value {
 public:
  // Own, enumerable, no symbols; array indices stay numbers: V8's defaults.
  MaybeLocal<Array> GetOwnPropertyNames(const Local<Context> &) const;
};

class Array : public Object {
 public:
  // 0 for what is no array: the addon casts a null to Array and asks its length.
  uint32_t Length() const {
    uint32_t length = 0;
    if (napi_value value = raw()) napi_get_array_length(bridge::Env(), value, &length);
    return length;
  }
};

class Function : public Object {};

class RegExp : public Object {
 public:
  Local<String> GetSource() const {
    napi_value source = nullptr;
    napi_get_named_property(bridge::Env(), raw(), "source", &source);
    return Local<String>(source);
  }
};

inline MaybeLocal<Object> Value::ToObject(const Local<Context> &) const {
  napi_value value = raw(), object = nullptr;
  if (IsObject()) object = value;
  else if (value) napi_coerce_to_object(bridge::Env(), value, &object);
  return Local<Object>(object);
}

inline MaybeLocal<Array> Object::GetOwnPropertyNames(const Local<Context> &) const {
  napi_value names = nullptr;
  if (napi_value value = raw())
    napi_get_all_property_names(bridge::Env(), value, napi_key_own_only,
                                static_cast<napi_key_filter>(napi_key_enumerable | napi_key_skip_symbols),
                                napi_key_keep_numbers, &names);
  return Local<Array>(names);
}

// The addon declares members of this type and never uses them.
template <class T>
class Persistent {};

}  // namespace bridged
}  // namespace v8
