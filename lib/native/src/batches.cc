// Many records by one call. The addon crosses between JavaScript and C++ for each record, its headers and
// its delivery report: on the hot paths that costs more than Kafka does. Here a batch crosses once, as one
// block of bytes and one list of lengths, with the same clients: theirs are the connection, the settings,
// rebalances and everything else. See ../batches.ts for the JavaScript side of the formats.

#include <cmath>
#include <thread>
#include <unordered_map>

#include "node.h"
#include "src/kafka-consumer.h"
#include "src/producer.h"

namespace {

using NodeKafka::Connection;
using NodeKafka::KafkaConsumer;
using NodeKafka::Producer;

typedef const Nan::FunctionCallbackInfo<v8::Value> &Info;

// The addon lets nobody else at a client's lock and settings, which keep a client from being closed in
// the middle of a call. A pointer to a member reaches them.
struct Inside : Connection {
  static uv_rwlock_t &Lock(Connection *client) { return client->*(&Inside::m_connection_lock); }
  static RdKafka::Conf *Settings(Connection *client) { return client->*(&Inside::m_gconfig); }
};

double NumberAt(const double *numbers, size_t count, size_t at) {
  if (at >= count) throw std::out_of_range("the list of lengths is too short");
  return numbers[at];
}

// --- sending

struct Failure {
  size_t index;
  RdKafka::ErrorCode code;
  bool by_broker;
};

// Records on their way: lives until the last of them is settled, and the thread that hands them over is done.
struct Sending {
  bridge::Runtime *runtime;
  Producer *producer;
  std::string topic;
  const double *lengths;  // of each record: key, value, number of headers; of each header: name, value
  size_t numbers;
  char *bytes;
  size_t size;
  bridge::Strong client, block, list, done;  // kept alive meanwhile
  std::atomic<size_t> open;
  std::mutex mutex;
  std::vector<Failure> failures;

  // What librdkafka gives back with each record.
  struct Mark {
    Sending *batch;
    size_t index;
  };
  std::vector<Mark> marks;

  void Fail(const Failure &failure) {
    std::lock_guard<std::mutex> lock(mutex);
    failures.push_back(failure);
  }
  // The last one to call this must not touch the batch any more.
  void Settle() {
    if (open.fetch_sub(1, std::memory_order_acq_rel) == 1) bridge::Post(runtime, {Done, this});
  }

  static void Done(void *subject);
};

// In the place of the addon's, which makes an object for each report. Called by whatever thread polls.
class Reports : public RdKafka::DeliveryReportCb {
 public:
  void dr_cb(RdKafka::Message &message) override {
    const auto *mark = static_cast<Sending::Mark *>(message.msg_opaque());
    if (!mark) return;
    if (message.err() != RdKafka::ERR_NO_ERROR) mark->batch->Fail({mark->index, message.err(), true});
    mark->batch->Settle();
  }
} reports;

struct Reader {
  Sending *batch;
  size_t at = 0, byte = 0;

  double Next() { return NumberAt(batch->lengths, batch->numbers, at++); }
  // A length of -1 is nothing, which is not the same as empty.
  void *Bytes(double length, size_t *size) {
    *size = length > 0 ? static_cast<size_t>(length) : 0;
    if (byte + *size > batch->size) throw std::out_of_range("the block of bytes is too short");
    char *from = batch->bytes + byte;
    byte += *size;
    return length < 0 ? nullptr : from;
  }
};

// A record as its parts, found without copying.
struct Record {
  void *key, *value;
  size_t key_size, value_size;
  std::vector<std::pair<std::pair<void *, size_t>, std::pair<void *, size_t>>> headers;

  void Read(Reader *from) {
    const double key_length = from->Next(), value_length = from->Next(), count = from->Next();
    headers.clear();
    key = from->Bytes(key_length, &key_size);
    value = from->Bytes(value_length, &value_size);
    for (double i = 0; i < count; i++) {
      const double name_length = from->Next(), length = from->Next();
      size_t name_size, size;
      void *name = from->Bytes(name_length, &name_size);
      void *content = from->Bytes(length, &size);
      headers.push_back({{name, name_size}, {content, size}});
    }
  }
};

rd_kafka_resp_err_t Enqueue(rd_kafka_t *client, rd_kafka_topic_t *topic, const Record &record, void *mark) {
  rd_kafka_headers_t *headers = nullptr;
  if (!record.headers.empty()) {
    headers = rd_kafka_headers_new(record.headers.size());
    for (const auto &[name, content] : record.headers)
      rd_kafka_header_add(headers, static_cast<char *>(name.first), static_cast<ssize_t>(name.second), content.first,
                          static_cast<ssize_t>(content.second));
  }
  const rd_kafka_resp_err_t error = rd_kafka_producev(
      client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(record.key, record.key_size),
      RD_KAFKA_V_VALUE(record.value, record.value_size), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(mark),
      RD_KAFKA_V_END);
  if (error && headers) rd_kafka_headers_destroy(headers);  // else they are librdkafka's now
  return error;
}

constexpr std::chrono::milliseconds kFull{2};

// A full queue is back-pressure: waited for here, without the lock, so that the client can be closed meanwhile.
void HandOver(Sending *batch) {
  Reader reader{batch};
  Record record;
  size_t next = 0;
  bool have = false;
  try {
    while (next < batch->marks.size()) {
      {
        NodeKafka::scoped_shared_read_lock lock(Inside::Lock(batch->producer));
        if (!batch->producer->IsConnected()) break;
        rd_kafka_t *client = batch->producer->GetClient()->c_ptr();
        rd_kafka_topic_t *topic = rd_kafka_topic_new(client, batch->topic.c_str(), nullptr);
        for (; topic && next < batch->marks.size(); next++, have = false) {
          if (!have) record.Read(&reader);
          have = true;
          const rd_kafka_resp_err_t error = Enqueue(client, topic, record, &batch->marks[next]);
          if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) break;
          if (!error) continue;
          batch->Fail({next, static_cast<RdKafka::ErrorCode>(error), false});
          batch->Settle();
        }
        if (!topic) break;
        rd_kafka_topic_destroy(topic);
      }
      if (next < batch->marks.size()) std::this_thread::sleep_for(kFull);
    }
  } catch (const std::exception &) {
    // The lists do not fit together: what is left is failed as invalid.
  }
  for (; next < batch->marks.size(); next++) {
    batch->Fail({next, batch->producer->IsConnected() ? RdKafka::ERR__INVALID_ARG : RdKafka::ERR__STATE, false});
    batch->Settle();
  }
}

// The batches of each producer that wait to be handed over: one after the other, for the order of records is theirs.
struct Lanes {
  std::mutex mutex;
  std::unordered_map<Producer *, std::deque<Sending *>> of;
} lanes;

// On a thread of the pool, one for each producer that has batches waiting.
void Drain(void *subject) {
  Producer *producer = static_cast<Producer *>(subject);
  for (bool more = true; more;) {
    Sending *batch;
    {
      std::lock_guard<std::mutex> lock(lanes.mutex);
      batch = lanes.of[producer].front();
    }
    HandOver(batch);
    {
      std::lock_guard<std::mutex> lock(lanes.mutex);
      lanes.of[producer].pop_front();
      more = !lanes.of[producer].empty();
      if (!more) lanes.of.erase(producer);
    }
    batch->Settle();  // which may end the batch, and then the producer
  }
}

void Queue(Sending *batch) {
  std::lock_guard<std::mutex> lock(lanes.mutex);
  std::deque<Sending *> &lane = lanes.of[batch->producer];
  // The first one starts the thread, before it is there to be found, for that can fail.
  if (lane.empty()) bridge::Pool::Get().Submit({Drain, {[](void *) {}, batch->producer}, batch->runtime});
  lane.push_back(batch);
}

// done(failures): [index, code, 1 if the broker refused it, …] of those that are not acknowledged.
void Sending::Done(void *subject) {
  std::unique_ptr<Sending> batch(static_cast<Sending *>(subject));
  bridge::ReleaseLoop(bridge::here);
  const napi_env env = bridge::Env();
  napi_value done = batch->done.Get(), failures = nullptr, receiver = nullptr;
  napi_create_array_with_length(env, batch->failures.size() * 3, &failures);
  uint32_t at = 0;
  for (const Failure &failure : batch->failures) {
    for (const double number : {static_cast<double>(failure.index), static_cast<double>(failure.code),
                                failure.by_broker ? 1.0 : 0.0}) {
      napi_value value = nullptr;
      napi_create_double(env, number, &value);
      napi_set_element(env, failures, at++, value);
    }
  }
  for (bridge::Strong *strong : {&batch->client, &batch->block, &batch->list, &batch->done}) strong->Reset();
  batch.reset();
  napi_get_global(env, &receiver);
  napi_call_function(env, receiver, done, 1, &failures, nullptr);
}

// batchReports(client): before it connects. Its reports go to batches only.
void BatchReports(Info info) {
  Producer *producer = Nan::ObjectWrap::Unwrap<Producer>(info[0].As<v8::Object>());
  std::string error;
  if (Inside::Settings(producer)->set("dr_cb", &reports, error) != RdKafka::Conf::CONF_OK)
    return Nan::ThrowError(error.c_str());
}

bool DoublesOf(napi_value array, double **data, size_t *count) {
  napi_typedarray_type type;
  void *raw = nullptr;
  if (napi_get_typedarray_info(bridge::Env(), array, &type, count, &raw, nullptr, nullptr) != napi_ok) return false;
  *data = static_cast<double *>(raw);
  return type == napi_float64_array;
}

// sendBatch(client, topic, count, lengths: Float64Array, bytes: Buffer, done). The two must stay as they are until done.
void SendBatch(Info info) {
  if (info.Length() != 6) return Nan::ThrowTypeError("client, topic, count, lengths, bytes and done are needed");
  Producer *producer = Nan::ObjectWrap::Unwrap<Producer>(info[0].As<v8::Object>());
  auto batch = std::make_unique<Sending>();
  double *lengths = nullptr;
  void *bytes = nullptr;
  double count = 0;
  const napi_env env = bridge::Env();
  if (!DoublesOf(info[3].raw(), &lengths, &batch->numbers) || napi_get_value_double(env, info[2].raw(), &count) != napi_ok ||
      napi_get_buffer_info(env, info[4].raw(), &bytes, &batch->size) != napi_ok || !info[5]->IsFunction() || count < 1)
    return Nan::ThrowTypeError("a batch is a count, a Float64Array, a Buffer and a function");
  batch->runtime = bridge::here;
  batch->producer = producer;
  batch->topic = *Nan::Utf8String(info[1]);
  batch->lengths = lengths;
  batch->bytes = static_cast<char *>(bytes);
  batch->client.Set(info[0].raw());
  batch->list.Set(info[3].raw());
  batch->block.Set(info[4].raw());
  batch->done.Set(info[5].raw());
  const size_t records = static_cast<size_t>(count);
  batch->open = records + 1;  // one for the thread that hands them over
  for (size_t i = 0; i < records; i++) batch->marks.push_back({batch.get(), i});
  Queue(batch.get());
  batch.release();
  bridge::HoldLoop(bridge::here);
}

// purgeBatches(client): what is not acknowledged by now fails, and its batches are done.
void PurgeBatches(Info info) {
  Producer *producer = Nan::ObjectWrap::Unwrap<Producer>(info[0].As<v8::Object>());
  NodeKafka::scoped_shared_read_lock lock(Inside::Lock(producer));
  if (producer->IsConnected())
    rd_kafka_purge(producer->GetClient()->c_ptr(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

// --- receiving

struct Receiving {
  bridge::Runtime *runtime;
  KafkaConsumer *consumer;
  size_t most;
  int timeout_ms;
  bridge::Strong client, done;
  std::vector<rd_kafka_message_t *> messages;
  std::vector<double> ends;     // partition, offset
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::vector<double> numbers;  // of each record: partition, offset, time, key, value, number of headers; of each header: name, value
  std::string bytes;

  ~Receiving() {
    for (rd_kafka_message_t *message : messages) rd_kafka_message_destroy(message);
  }

  void Take(rd_kafka_message_t *message) {
    if (!message->err) {
      messages.push_back(message);
      return;
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      ends.push_back(message->partition);
      ends.push_back(static_cast<double>(message->offset));
    } else {
      error = message->err;
    }
    rd_kafka_message_destroy(message);
  }

  void TakeWhatIsThere(rd_kafka_t *client) {
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
    if (!queue) return;
    std::vector<rd_kafka_message_t *> there(most - messages.size());
    const ssize_t count = rd_kafka_consume_batch_queue(queue, 0, there.data(), there.size());
    for (ssize_t i = 0; i < count; i++) Take(there[i]);
    rd_kafka_queue_destroy(queue);
  }

  void Add(const void *data, size_t size) {
    numbers.push_back(data ? static_cast<double>(size) : -1);
    if (data) bytes.append(static_cast<const char *>(data), size);
  }

  void Pack() {
    size_t total = 0;
    for (const rd_kafka_message_t *message : messages) total += message->key_len + message->len + 128;
    bytes.reserve(total);
    numbers.reserve(messages.size() * 16);
    for (rd_kafka_message_t *message : messages) {
      rd_kafka_timestamp_type_t type;
      const int64_t time = rd_kafka_message_timestamp(message, &type);
      numbers.insert(numbers.end(), {static_cast<double>(message->partition), static_cast<double>(message->offset),
                                     type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : static_cast<double>(time)});
      Add(message->key, message->key_len);
      Add(message->payload, message->len);
      rd_kafka_headers_t *headers = nullptr;
      const bool has = rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR;
      const size_t count = has ? rd_kafka_header_cnt(headers) : 0;
      numbers.push_back(static_cast<double>(count));
      for (size_t i = 0; i < count; i++) {
        const char *name;
        const void *value;
        size_t size;
        if (rd_kafka_header_get_all(headers, i, &name, &value, &size)) break;
        Add(name, strlen(name));
        Add(value, size);
      }
      rd_kafka_message_destroy(message);
    }
    messages.clear();
  }
};

// On a thread of the pool: waits for the first record, then takes what is there, by one call: a call for each record
// takes its queue's lock each time.
void Receive(void *subject) {
  Receiving *batch = static_cast<Receiving *>(subject);
  {
    NodeKafka::scoped_shared_read_lock lock(Inside::Lock(batch->consumer));
    if (batch->consumer->IsConnected()) {
      rd_kafka_t *client = batch->consumer->GetClient()->c_ptr();
      rd_kafka_message_t *first = rd_kafka_consumer_poll(client, batch->timeout_ms);
      if (first) batch->Take(first);
      if (first && batch->most > 1) batch->TakeWhatIsThere(client);
    } else {
      batch->error = RD_KAFKA_RESP_ERR__STATE;
    }
  }
  batch->Pack();
}

// done(code, numbers: Float64Array, bytes: Buffer, ends: Float64Array): a code other than 0 comes after what was
// received before the error.
void Received(void *subject) {
  std::unique_ptr<Receiving> batch(static_cast<Receiving *>(subject));
  bridge::ReleaseLoop(bridge::here);
  const napi_env env = bridge::Env();
  const auto doubles = [env](const std::vector<double> &from) {
    void *data = nullptr;
    napi_value buffer = nullptr, array = nullptr;
    napi_create_arraybuffer(env, from.size() * sizeof(double), &data, &buffer);
    if (!from.empty()) memcpy(data, from.data(), from.size() * sizeof(double));
    napi_create_typedarray(env, napi_float64_array, from.size(), buffer, 0, &array);
    return array;
  };
  napi_value arguments[4] = {}, receiver = nullptr, done = batch->done.Get();
  napi_create_int32(env, batch->error, &arguments[0]);
  arguments[1] = doubles(batch->numbers);
  napi_create_buffer_copy(env, batch->bytes.size(), batch->bytes.data(), nullptr, &arguments[2]);
  arguments[3] = doubles(batch->ends);
  batch->client.Reset();
  batch->done.Reset();
  batch.reset();
  napi_get_global(env, &receiver);
  napi_call_function(env, receiver, done, 4, arguments, nullptr);
}

// receiveBatch(client, most, timeoutMs, done)
void ReceiveBatch(Info info) {
  if (info.Length() != 4) return Nan::ThrowTypeError("client, most, timeoutMs and done are needed");
  auto batch = std::make_unique<Receiving>();
  batch->consumer = Nan::ObjectWrap::Unwrap<KafkaConsumer>(info[0].As<v8::Object>());
  double most = 0, timeout_ms = 0;
  const napi_env env = bridge::Env();
  if (napi_get_value_double(env, info[1].raw(), &most) != napi_ok || most < 1 ||
      napi_get_value_double(env, info[2].raw(), &timeout_ms) != napi_ok || timeout_ms < 0 || !info[3]->IsFunction())
    return Nan::ThrowTypeError("a number of records, a number of milliseconds and a function are needed");
  batch->runtime = bridge::here;
  batch->most = static_cast<size_t>(most);
  batch->timeout_ms = static_cast<int>(timeout_ms);
  batch->client.Set(info[0].raw());
  batch->done.Set(info[3].raw());
  bridge::Pool::Get().Submit({Receive, {Received, batch.get()}, bridge::here});
  batch.release();
  bridge::HoldLoop(bridge::here);
}

void Export(const v8::Local<v8::Object> &to, const char *name, Nan::FunctionCallback function) {
  Nan::Set(to, Nan::New(name).ToLocalChecked(),
           Nan::GetFunction(Nan::New<v8::FunctionTemplate>(function)).ToLocalChecked());
}

}  // namespace

namespace bridge {

void AddBatches(v8::Local<v8::Object> exports) {
  Export(exports, "batchReports", BatchReports);
  Export(exports, "sendBatch", SendBatch);
  Export(exports, "purgeBatches", PurgeBatches);
  Export(exports, "receiveBatch", ReceiveBatch);
}

}  // namespace bridge
