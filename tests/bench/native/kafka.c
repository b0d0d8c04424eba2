/*
 * The limit of the topic: librdkafka as it is in the addon, without JavaScript.
 *
 *   kafka produce TOPIC FILE WARM COUNT name=value …
 *   kafka consume TOPIC WARM COUNT name=value …
 *
 * Sends or reads COUNT records after WARM others, then prints one line of JSON. FILE is what
 * records.ts writes; its records are sent again from the first one when there are no more.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "rdkafka.h"

struct text {
  char *at;
  uint32_t length;
};

struct record {
  struct text key;
  struct text value;
  rd_kafka_headers_t *headers;
};

struct window {
  double seconds;
  double cpu_seconds;
};

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static struct window now(void) {
  struct timespec wall;
  struct rusage used;
  clock_gettime(CLOCK_MONOTONIC, &wall);
  getrusage(RUSAGE_SELF, &used);
  struct window at;
  at.seconds = wall.tv_sec + wall.tv_nsec / 1e9;
  at.cpu_seconds = used.ru_utime.tv_sec + used.ru_stime.tv_sec +
                   (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  return at;
}

/* The most that was ever resident; the limit of getrusage is also that of who started this. */
static double peak_mb(void) {
  char line[256];
  double kb = 0;
  FILE *status = fopen("/proc/self/status", "r");
  if (status == NULL) return 0;
  while (fgets(line, sizeof line, status) != NULL) sscanf(line, "VmHWM: %lf", &kb);
  fclose(status);
  return kb / 1024;
}

static void tell(struct window from, long records) {
  struct window to = now();
  printf("{\"records\":%ld,\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"peakMb\":%.1f}\n", records,
         to.seconds - from.seconds, to.cpu_seconds - from.cpu_seconds, peak_mb());
}

static uint32_t number(const char **at) {
  uint32_t value;
  memcpy(&value, *at, 4);
  *at += 4;
  return value;
}

static struct text text(const char **at) {
  struct text found;
  found.length = number(at);
  found.at = (char *)*at;
  *at += found.length;
  return found;
}

static struct record *read_records(const char *path, long *count) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail(path, "cannot be read");
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  char *bytes = malloc(size);
  if (bytes == NULL || fread(bytes, 1, size, file) != (size_t)size) fail(path, "is cut short");
  fclose(file);
  struct record *records = NULL;
  const char *at = bytes;
  for (*count = 0; at < bytes + size; (*count)++) {
    if ((*count & (*count - 1)) == 0) {
      records = realloc(records, (*count ? 2 * *count : 1) * sizeof *records);
      if (records == NULL) fail(path, "is too large");
    }
    struct record *record = &records[*count];
    record->key = text(&at);
    record->value = text(&at);
    uint32_t headers = number(&at);
    record->headers = rd_kafka_headers_new(headers);
    for (uint32_t i = 0; i < headers; i++) {
      struct text name = text(&at);
      struct text value = text(&at);
      rd_kafka_header_add(record->headers, name.at, name.length, value.at, value.length);
    }
  }
  return records;
}

static rd_kafka_conf_t *configured(int count, char **settings) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  char why[512];
  for (int i = 0; i < count; i++) {
    char *value = strchr(settings[i], '=');
    if (value == NULL) fail(settings[i], "expected name=value");
    *value++ = '\0';
    if (rd_kafka_conf_set(conf, settings[i], value, why, sizeof why) != RD_KAFKA_CONF_OK) {
      fail("setting", why);
    }
  }
  return conf;
}

static long acknowledged;

static void on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
  (void)client;
  (void)opaque;
  if (message->err) fail("not delivered", rd_kafka_err2str(message->err));
  acknowledged++;
}

static void send_records(rd_kafka_t *client, const char *topic, const struct record *records,
                         long held, long from, long to) {
  for (long i = from; i < to; i++) {
    const struct record *record = &records[i % held];
    rd_kafka_headers_t *headers = rd_kafka_headers_copy(record->headers);
    rd_kafka_resp_err_t error;
    while ((error = rd_kafka_producev(
                client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                RD_KAFKA_V_KEY(record->key.at, record->key.length),
                RD_KAFKA_V_VALUE(record->value.at, record->value.length),
                RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(client, 5);
    }
    if (error) fail("not sent", rd_kafka_err2str(error));
    if (i % 1000 == 0) rd_kafka_poll(client, 0);
  }
  while (acknowledged < to) rd_kafka_poll(client, 100);
}

static void produce(const char *topic, const char *path, long warm, long count,
                    rd_kafka_conf_t *conf) {
  char why[512];
  long held;
  struct record *records = read_records(path, &held);
  rd_kafka_conf_set_dr_msg_cb(conf, on_report);
  rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (client == NULL) fail("producer", why);
  send_records(client, topic, records, held, 0, warm);
  struct window from = now();
  send_records(client, topic, records, held, warm, warm + count);
  tell(from, count);
  rd_kafka_destroy(client);
}

enum { batch = 1000, idle_ms = 30000 };

static long bytes_seen;

/* Reads until there are at least as many; the last batch counts whole. */
static long read_until(rd_kafka_queue_t *queue, long seen, long wanted) {
  static rd_kafka_message_t *messages[batch];
  while (seen < wanted) {
    ssize_t got = rd_kafka_consume_batch_queue(queue, idle_ms, messages, batch);
    if (got <= 0) fail("read", "no record came for half a minute");
    for (ssize_t i = 0; i < got; i++) {
      if (!messages[i]->err) {
        seen++;
        bytes_seen += messages[i]->key_len + messages[i]->len;
      }
      rd_kafka_message_destroy(messages[i]);
    }
  }
  return seen;
}

static void consume(const char *topic, long warm, long count, rd_kafka_conf_t *conf) {
  char why[512];
  rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  if (client == NULL) fail("consumer", why);
  rd_kafka_poll_set_consumer(client);
  rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  if (rd_kafka_subscribe(client, topics)) fail("subscribe", topic);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
  long first = read_until(queue, 0, warm);
  struct window from = now();
  long last = read_until(queue, first, warm + count);
  tell(from, last - first);
  /* Closing is no part of it. */
  exit(bytes_seen > 0 ? 0 : 1);
}

int main(int count, char **given) {
  if (count > 5 && strcmp(given[1], "produce") == 0) {
    produce(given[2], given[3], atol(given[4]), atol(given[5]), configured(count - 6, given + 6));
  } else if (count > 4 && strcmp(given[1], "consume") == 0) {
    consume(given[2], atol(given[3]), atol(given[4]), configured(count - 5, given + 5));
  } else {
    fail("usage", "kafka produce|consume …, see kafka.c");
  }
  return 0;
}
