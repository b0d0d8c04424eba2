// Objects made lazily, in one call.
//
// Setting nine properties of a record one by one through Node-API costs more than all the rest of
// the record. So `Nan::New<v8::Object>()` makes only a draft: properties set under literal names are
// noted down, and when the object is first used a JavaScript function `(a0,a1)=>({topic:a0,...})`,
// made once for each list of names, turns the draft into an object in one call.
#pragma once

#include "bridge/runtime.h"
#include "bridge/strong.h"

namespace bridge {

// A string literal used as a property name, known by its address.
struct Key {
  const char *literal;
  std::string text;
  bool plain;  // may stand unquoted in the source of a factory, with no meaning of its own
};

// Drafts not made yet always belong to the innermost scope: opening a scope makes all that are
// pending (see HandleScope in nan.h). So the handle of an object never belongs to a scope that ends
// before that of its draft.
struct Draft {
  static constexpr int kMost = 14;  // delivery reports and records have at most 10 properties
  napi_value made;
  int count;
  Key *keys[kMost];
  napi_value values[kMost];
};

struct Factory {
  uint64_t hash;
  std::vector<Key *> keys;
  Strong function;
};

struct DraftTable {
  static constexpr size_t kBlock = 64;
  static constexpr size_t kKeySlots = 512;   // the addon has about 100 names
  static constexpr size_t kMostFactories = 128;

  std::vector<std::unique_ptr<Draft[]>> blocks;
  std::unique_ptr<Key> keys[kKeySlots];
  std::vector<std::unique_ptr<Factory>> factories;

  Draft &at(size_t i) { return blocks[i / kBlock][i % kBlock]; }
};

constexpr uint64_t kMix = 0x9E3779B97F4A7C15ull;  // 2^64 / golden ratio: spreads pointers

inline bool PlainName(const char *name, size_t length) {
  if (length == 0 || length >= 64) return false;
  for (size_t i = 0; i < length; i++) {
    const char c = name[i];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')) return false;
  }
  return std::string(name, length) != "__proto__";
}

// Null when the table is crowded, or when something that is not a literal shows another text at an
// address seen before: the caller then makes an ordinary string.
inline Key *KeyOf(const char *literal, size_t length) {
  DraftTable &table = *here->drafts;
  size_t slot = (reinterpret_cast<uintptr_t>(literal) * kMix) >> 55;  // 9 bits: kKeySlots
  for (int probes = 0; probes < 8; probes++, slot = (slot + 1) % DraftTable::kKeySlots) {
    std::unique_ptr<Key> &key = table.keys[slot];
    if (!key) key.reset(new Key{literal, std::string(literal, length), PlainName(literal, length)});
    if (key->literal == literal)
      return key->text.size() == length && memcmp(key->text.data(), literal, length) == 0 ? key.get() : nullptr;
  }
  return nullptr;
}

inline napi_value CompileFactory(const Draft &draft) {
  std::string parameters, properties;
  for (int i = 0; i < draft.count; i++) {
    const std::string name = "a" + std::to_string(i);
    parameters += (i ? "," : "") + name;
    properties += (i ? "," : "") + draft.keys[i]->text + ":" + name;
  }
  const std::string source = "(function(" + parameters + "){'use strict';return{" + properties + "}})";
  napi_value code, function = nullptr;
  if (napi_create_string_utf8(Env(), source.data(), source.size(), &code) != napi_ok ||
      napi_run_script(Env(), code, &function) != napi_ok)
    return nullptr;
  return function;
}

inline Factory *FactoryFor(const Draft &draft) {
  auto &factories = here->drafts->factories;
  uint64_t hash = draft.count;
  for (int i = 0; i < draft.count; i++) hash = (hash ^ reinterpret_cast<uintptr_t>(draft.keys[i])) * kMix;
  for (size_t i = 0; i < factories.size(); i++) {
    Factory *factory = factories[i].get();
    if (factory->hash != hash || factory->keys.size() != static_cast<size_t>(draft.count) ||
        memcmp(factory->keys.data(), draft.keys, draft.count * sizeof(Key *)) != 0)
      continue;
    if (i > 0) factories[i].swap(factories[i - 1]);  // the popular drift to the front
    return factory;
  }
  if (factories.size() >= DraftTable::kMostFactories) return nullptr;
  napi_value function = CompileFactory(draft);
  if (!function) return nullptr;
  factories.emplace_back(new Factory{hash, std::vector<Key *>(draft.keys, draft.keys + draft.count), {}});
  factories.back()->function.Set(function);
  return factories.back().get();
}

inline napi_value Make(Draft *draft) {
  if (draft->made) return draft->made;
  if (draft->count >= 3) {  // below, setting one by one is as fast
    if (Factory *factory = FactoryFor(*draft)) {
      napi_value undefined;
      napi_get_undefined(Env(), &undefined);
      if (napi_call_function(Env(), undefined, factory->function.Get(), draft->count, draft->values, &draft->made) == napi_ok)
        return draft->made;
    }
  }
  // Few properties, or an error is pending and JavaScript cannot run now.
  draft->made = nullptr;
  napi_create_object(Env(), &draft->made);
  for (int i = 0; i < draft->count; i++)
    napi_set_named_property(Env(), draft->made, draft->keys[i]->text.c_str(), draft->values[i]);
  return draft->made;
}

inline Draft *NewDraft() {
  DraftTable &table = *here->drafts;
  const size_t i = here->draft_top++;
  if (i / DraftTable::kBlock >= table.blocks.size()) table.blocks.emplace_back(new Draft[DraftTable::kBlock]);
  Draft *draft = &table.at(i);
  draft->made = nullptr;
  draft->count = 0;
  return draft;
}

// False when it does not fit: the caller makes the object and sets the property on it.
inline bool Note(Draft *draft, Key *key, napi_value value) {
  if (draft->made || !key->plain || !value) return false;
  int i = 0;
  while (i < draft->count && draft->keys[i] != key) i++;
  if (i == Draft::kMost) return false;
  draft->keys[i] = key;
  draft->values[i] = value;
  if (i == draft->count) draft->count++;
  return true;
}

inline void MakePending(Runtime *runtime) {
  for (size_t i = runtime->draft_base; i < runtime->draft_top; i++) Make(&runtime->drafts->at(i));
  runtime->draft_base = runtime->draft_top;
}

// The string of `text` in the innermost scope. A batch repeats few strings (its topic, the names of
// its headers), so the last handles are kept; reusing one also spares the engine hashing it again.
inline napi_value RecentString(const std::string &text) {
  napi_value value = nullptr;
  const size_t size = text.size();
  if (size == 0 || size > 64) {
    napi_create_string_utf8(Env(), text.data(), size, &value);
    return value;
  }
  const size_t slot = (size * 7 + static_cast<unsigned char>(text[0]) + static_cast<unsigned char>(text[size - 1]) * 3) % Runtime::kRecent;
  Recent &recent = here->recent[slot];
  if (recent.scope == here->scope && recent.text == text) return recent.value;
  napi_create_string_utf8(Env(), text.data(), size, &value);
  recent.scope = here->scope;
  recent.value = value;
  recent.text = text;
  return value;
}

}  // namespace bridge
