// The part of Node's interface that the Kafka client's addon uses: constants and the module itself.
#pragma once

#include "bridge/module.h"
#include "nan.h"

namespace bridge {
// Ours, beside what the addon exports: see ../src/batches.cc.
void AddBatches(v8::Local<v8::Object> exports);
}  // namespace bridge

#define NODE_DEFINE_CONSTANT(target, constant)                                                         \
  do {                                                                                                 \
    const napi_property_descriptor property = {                                                        \
        #constant, nullptr, nullptr, nullptr, nullptr,                                                 \
        Nan::New<v8::Number>(static_cast<double>(constant)).raw(), napi_enumerable, nullptr};          \
    napi_define_properties(bridge::Env(), (target).raw(), 1, &property);                               \
  } while (0)

#define NODE_MODULE(name, init)                                                                        \
  extern "C" __attribute__((visibility("default"))) int32_t node_api_module_get_api_version_v1(void) { \
    return NAPI_VERSION;                                                                               \
  }                                                                                                    \
  extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(                \
      napi_env env, napi_value exports) {                                                              \
    return bridge::Load(env, exports, [](v8::Local<v8::Object> to, v8::Local<v8::Value> module, void *) { \
      init(to, module, nullptr);                                                                       \
      bridge::AddBatches(to);                                                                          \
    });                                                                                                \
  }
