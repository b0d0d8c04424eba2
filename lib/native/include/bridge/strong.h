// A JavaScript value kept alive from C++, whatever its type.
#pragma once

#include "bridge/runtime.h"

namespace bridge {

// Before version 10, Node-API refers only to objects and functions. Numbers, booleans, null and
// undefined are kept by value (a record's opaque is often a number: no reference to make); strings,
// symbols and bigints in a one-element array.
class Strong {
 public:
  Strong() = default;
  // No destructor that resets: the addon has static ones, destroyed after the engine is gone.
  Strong(const Strong &) = delete;
  Strong &operator=(const Strong &) = delete;

  bool empty() const { return kind_ == Kind::kEmpty; }

  void Set(napi_value value) {
    Reset();
    napi_valuetype type;
    if (!value || napi_typeof(Env(), value, &type) != napi_ok) return;
    owner_ = here;
    bool truth = false;
    switch (type) {
      case napi_object:
      case napi_function: Refer(value, Kind::kReference); break;
      case napi_number:
        napi_get_value_double(Env(), value, &content_.number);
        kind_ = Kind::kNumber;
        break;
      case napi_boolean:
        napi_get_value_bool(Env(), value, &truth);
        kind_ = truth ? Kind::kTrue : Kind::kFalse;
        break;
      case napi_null: kind_ = Kind::kNull; break;
      case napi_undefined: kind_ = Kind::kUndefined; break;
      default: {
        napi_value box;
        if (napi_create_array_with_length(Env(), 1, &box) == napi_ok &&
            napi_set_element(Env(), box, 0, value) == napi_ok)
          Refer(box, Kind::kBoxed);
      }
    }
  }

  // Null when empty, or when asked for on another thread than the value's own: the addon's
  // constructors are static, so a Worker's loading replaces those of the main thread.
  napi_value Get() const {
    napi_value value = nullptr, box = nullptr;
    if (owner_ != here) return nullptr;
    switch (kind_) {
      case Kind::kEmpty: break;
      case Kind::kReference: napi_get_reference_value(Env(), content_.reference, &value); break;
      case Kind::kBoxed:
        if (napi_get_reference_value(Env(), content_.reference, &box) == napi_ok && box)
          napi_get_element(Env(), box, 0, &value);
        break;
      case Kind::kNumber: napi_create_double(Env(), content_.number, &value); break;
      case Kind::kTrue: napi_get_boolean(Env(), true, &value); break;
      case Kind::kFalse: napi_get_boolean(Env(), false, &value); break;
      case Kind::kNull: napi_get_null(Env(), &value); break;
      case Kind::kUndefined: napi_get_undefined(Env(), &value); break;
    }
    return value;
  }

  void Reset() {
    if (kind_ == Kind::kReference || kind_ == Kind::kBoxed) {
      if (owner_ == here) napi_delete_reference(Env(), content_.reference);
      else HandBack();
    }
    kind_ = Kind::kEmpty;
  }

 private:
  enum class Kind : uint8_t { kEmpty, kReference, kBoxed, kNumber, kTrue, kFalse, kNull, kUndefined };

  void Refer(napi_value object, Kind kind) {
    if (napi_create_reference(Env(), object, 1, &content_.reference) == napi_ok) kind_ = kind;
  }

  // References belong to their thread, which deletes this one when it next runs our code. After
  // that thread's end they are gone with it.
  void HandBack() {
    std::lock_guard<std::mutex> lock(owner_->mutex);
    if (owner_->closed) return;
    owner_->orphans.push_back(content_.reference);
    WakeLocked(owner_);
  }

  Kind kind_ = Kind::kEmpty;
  union {
    napi_ref reference;
    double number;
  } content_{};
  Runtime *owner_ = nullptr;
};

}  // namespace bridge
