// Calls from JavaScript into the addon, and the classes that JavaScript sees.
#pragma once

#include <exception>

#include "bridge/runtime.h"
#include "bridge/strong.h"
#include "v8.h"

namespace Nan {
inline namespace bridged {

class ReturnValue {
 public:
  explicit ReturnValue(napi_value *slot) : slot_(slot) {}
  // Makes a draft now: its scope may end before the value is handed over.
  template <class T>
  void Set(const v8::Local<T> &value) const {
    *slot_ = value.raw();
  }

 private:
  napi_value *slot_;
};

template <class T>
class FunctionCallbackInfo {
 public:
  FunctionCallbackInfo(napi_env env, napi_callback_info info, void **data) : info_(info) {
    napi_get_cb_info(env, info, &count_, first_, &this_, data);
    if (count_ <= kFirst) return;
    more_.resize(count_);
    all_ = more_.data();
    napi_get_cb_info(env, info, &count_, all_, nullptr, nullptr);
  }

  // The addon asks the type of one argument again and again: remembered.
  v8::Local<v8::Value> operator[](int i) const {
    if (i < 0 || static_cast<size_t>(i) >= count_) {
      napi_value undefined = nullptr;
      napi_get_undefined(bridge::Env(), &undefined);
      return v8::Local<v8::Value>(undefined);
    }
    v8::Local<v8::Value> argument(all_[i]);
    if (i < static_cast<int>(kFirst)) {
      if (types_[i] == kUnknown) types_[i] = argument->type();
      argument->Know(types_[i]);
    }
    return argument;
  }

  int Length() const { return static_cast<int>(count_); }
  v8::Local<v8::Object> This() const { return v8::Local<v8::Object>(this_); }
  v8::Local<v8::Object> Holder() const { return This(); }
  bool IsConstructCall() const {
    napi_value target = nullptr;
    napi_get_new_target(bridge::Env(), info_, &target);
    return target != nullptr;
  }
  ReturnValue GetReturnValue() const { return ReturnValue(&returned_); }
  napi_value returned() const { return returned_; }

 private:
  static constexpr size_t kFirst = 8;  // produce() takes 7
  static constexpr napi_valuetype kUnknown = static_cast<napi_valuetype>(-1);

  napi_callback_info info_;
  size_t count_ = kFirst;
  napi_value first_[kFirst];
  napi_value *all_ = first_;
  std::vector<napi_value> more_;
  napi_value this_ = nullptr;
  mutable napi_value returned_ = nullptr;
  mutable napi_valuetype types_[kFirst] = {kUnknown, kUnknown, kUnknown, kUnknown,
                                           kUnknown, kUnknown, kUnknown, kUnknown};
};

typedef void (*FunctionCallback)(const FunctionCallbackInfo<v8::Value> &);

}  // namespace bridged
}  // namespace Nan

namespace bridge {

inline void ThrowUnlessPending(napi_env env, const char *message) {
  if (!ErrorPending(env)) napi_throw_error(env, nullptr, message);
}

// The function Node-API calls for each of the addon's; which one is in `data`.
inline napi_value CallAddon(napi_env env, napi_callback_info cb_info) {
  void *data = nullptr;
  Nan::FunctionCallbackInfo<v8::Value> info(env, cb_info, &data);
  void *runtime = here;
  if (!here || here->env != env) {
    if (napi_get_instance_data(env, &runtime) != napi_ok || !runtime) return nullptr;
  }
  Enter enter(static_cast<Runtime *>(runtime));
  Frame frame(here, true, info.This().raw());
  try {
    reinterpret_cast<Nan::FunctionCallback>(data)(info);
  } catch (const Unwind &) {
    ThrowUnlessPending(env, "an argument is missing or not of the type expected");
  } catch (const std::exception &error) {
    ThrowUnlessPending(env, error.what());
  }
  return info.returned();
}

// A function or class on its way to JavaScript; owned by its Runtime.
struct Template {
  Nan::FunctionCallback callback;
  std::string name;
  bool is_class = false;
  std::vector<std::pair<std::string, Nan::FunctionCallback>> methods;
  Strong function;

  napi_value GetFunction() {
    if (!function.empty()) return function.Get();
    napi_value made = nullptr;
    void *data = reinterpret_cast<void *>(callback);
    if (is_class) {
      std::vector<napi_property_descriptor> properties;
      const auto attributes = static_cast<napi_property_attributes>(napi_writable | napi_enumerable | napi_configurable);
      for (auto &[method_name, method] : methods)
        properties.push_back({method_name.c_str(), nullptr, CallAddon, nullptr, nullptr, nullptr, attributes,
                              reinterpret_cast<void *>(method)});
      napi_define_class(Env(), name.c_str(), name.size(), CallAddon, data, properties.size(), properties.data(), &made);
    } else {
      napi_create_function(Env(), name.c_str(), name.size(), CallAddon, data, &made);
    }
    function.Set(made);
    return made;
  }
};

inline Runtime::Runtime() : drafts(new DraftTable) {}
inline Runtime::~Runtime() = default;

}  // namespace bridge

namespace v8 {
inline namespace bridged {

class ObjectTemplate : public Data {
 public:
  void SetInternalFieldCount(int) {}
};

class FunctionTemplate {
 public:
  void Be(bridge::Template *made) { template_ = made; }
  bool empty() const { return !template_; }
  bridge::Template *made() const { return template_; }
  void SetClassName(const Local<String> &name);
  // Asked for by classes only.
  Local<ObjectTemplate> InstanceTemplate() const {
    template_->is_class = true;
    return Local<ObjectTemplate>();
  }
  MaybeLocal<Function> GetFunction(const Local<Context> &) const { return Local<Function>(template_->GetFunction()); }

 private:
  bridge::Template *template_ = nullptr;
};

}  // namespace bridged
}  // namespace v8
