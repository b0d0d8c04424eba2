// The part of Node's Buffer interface that the Kafka client's addon uses.
#pragma once

#include "bridge/runtime.h"
#include "v8.h"

namespace node {
inline namespace bridged {
namespace Buffer {

inline bool HasInstance(const v8::Local<v8::Value> &value) {
  bool is = false;
  return value.raw() && napi_is_buffer(bridge::Env(), value.raw(), &is) == napi_ok && is;
}

// Never null: the addon tells an empty buffer from no value by the pointer.
inline char *Data(const v8::Local<v8::Value> &buffer) {
  static char nothing[1];
  void *data = nullptr;
  size_t size = 0;
  if (napi_get_buffer_info(bridge::Env(), buffer.raw(), &data, &size) != napi_ok) throw bridge::Unwind();
  return size > 0 && data ? static_cast<char *>(data) : nothing;
}

inline size_t Length(const v8::Local<v8::Value> &buffer) {
  void *data = nullptr;
  size_t size = 0;
  if (napi_get_buffer_info(bridge::Env(), buffer.raw(), &data, &size) != napi_ok) throw bridge::Unwind();
  return size;
}

}  // namespace Buffer
}  // namespace bridged
}  // namespace node
