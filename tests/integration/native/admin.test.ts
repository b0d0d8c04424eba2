import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type {
  DeleteGroupsResult,
  DeleteRecordsResult,
  GroupDescriptions,
  GroupResults,
  ListOffsetsResult,
  TopicDescription,
} from "@confluentinc/kafka-javascript";
import { loadKafkaClient } from "../../../lib/native/load.ts";
import {
  call,
  failureOf,
  openAdmin,
  openConsumer,
  openProducer,
  openTopic,
  uniqueName,
} from "../../kafka-clients.ts";
import { testKafka } from "../../servers.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

const timeout = 30_000;
let brokers: string;
beforeAll(async () => {
  brokers = await testKafka();
});

test("a topic is created once, described, given more partitions and deleted", async () => {
  using admin = await openAdmin(brokers);
  const name = uniqueName("topic");
  const topic = {
    topic: name,
    num_partitions: 2,
    replication_factor: 1,
    config: { "retention.ms": "1000" },
  };
  const create = () => call((done) => admin.client.createTopic(topic, timeout, done as () => void));
  const names = () => call<string[]>((done) => admin.client.listTopics({ timeout }, done));
  await create();
  expect(await failureOf(create)).toMatchObject({ code: 36 }); // TOPIC_ALREADY_EXISTS
  const describe = () =>
    call<TopicDescription[]>((done) => admin.client.describeTopics([name], { timeout }, done));
  const [described] = await describe();
  expect(described).toMatchObject({ name, isInternal: false });
  expect(typeof described?.topicId.mostSignificantBits).toBe("bigint");
  expect(described?.partitions.map(({ partition }) => partition)).toEqual([0, 1]);
  const [host, port] = brokers.split(":");
  expect(described?.partitions[0]?.leader).toMatchObject({ host, port: Number(port) });
  await call((done) => admin.client.createPartitions(name, 3, timeout, done as () => void));
  await until(async () => (await describe())[0]?.partitions.length === 3);
  expect(await names()).toContain(name);
  await call((done) => admin.client.deleteTopic(name, timeout, done as () => void));
  await until(async () => !(await names()).includes(name));
});

test("groups are listed and described, their offsets told, and they are deleted", async () => {
  await using topic = await openTopic(brokers);
  using admin = await openAdmin(brokers);
  const group = uniqueName("group");
  const describe = async () =>
    (
      await call<GroupDescriptions>((done) =>
        admin.client.describeGroups([group], { timeout }, done),
      )
    ).groups[0];
  {
    await using consumer = await openConsumer(brokers, { "group.id": group, "client.id": "me" });
    consumer.client.subscribe([topic.name]);
    await until(async () => {
      await call((done) => consumer.client.consume(1, done));
      return consumer.client.assignments().length === 1;
    });
    consumer.client.commitSync([{ topic: topic.name, partition: 0, offset: 7, metadata: "m" }]);
    const described = await describe();
    expect(described).toMatchObject({ groupId: group, protocol: "range", state: 3 });
    expect(described?.members[0]).toMatchObject({
      clientId: "me",
      assignment: { topicPartitions: [{ topic: topic.name, partition: 0 }] },
    });
  }
  expect(await describe()).toMatchObject({ state: 5, members: [] });
  const listed = await call<{ groups: { groupId: string }[] }>((done) =>
    admin.client.listGroups({ timeout }, done),
  );
  expect(listed.groups.map(({ groupId }) => groupId)).toContain(group);
  const [offsets] = await call<GroupResults[]>((done) =>
    admin.client.listConsumerGroupOffsets([{ groupId: group }], { timeout }, done),
  );
  expect(offsets?.partitions).toMatchObject([
    { topic: topic.name, partition: 0, offset: 7, metadata: "m" },
  ]);
  const remove = () =>
    call<DeleteGroupsResult[]>((done) => admin.client.deleteGroups([group], { timeout }, done));
  expect(await remove()).toMatchObject([{ groupId: group, errorCode: 0 }]);
  expect(await describe()).toMatchObject({ state: 4 });
});

test("the ends of a partition are listed, and records before an offset deleted", async () => {
  await using topic = await openTopic(brokers);
  await using producer = await openProducer(brokers);
  await producer.send(topic.name, [{}, {}, {}]);
  using admin = await openAdmin(brokers);
  const { OffsetSpec } = (await loadKafkaClient()).RdKafka as unknown as {
    OffsetSpec: typeof import("@confluentinc/kafka-javascript").OffsetSpec;
  };
  const at = { topic: topic.name, partition: 0 };
  const ends = () =>
    Promise.all(
      [OffsetSpec.EARLIEST, OffsetSpec.LATEST].map((offset) =>
        call<ListOffsetsResult[]>((done) =>
          admin.client.listOffsets([{ ...at, offset }], { timeout }, done),
        ),
      ),
    );
  expect(await ends()).toMatchObject([[{ ...at, offset: 0 }], [{ ...at, offset: 3 }]]);
  const removed = await call<DeleteRecordsResult[]>((done) =>
    admin.client.deleteRecords([{ ...at, offset: 2 }], { timeout }, done),
  );
  expect(removed).toMatchObject([{ ...at, lowWatermark: 2 }]);
  expect(await ends()).toMatchObject([[{ ...at, offset: 2 }], [{ ...at, offset: 3 }]]);
});

test("an admin client made from a producer uses its connection", async () => {
  await using producer = await openProducer(brokers);
  const { AdminClient } = await loadKafkaClient();
  const admin = AdminClient.createFrom(producer.client);
  expect(await call<string[]>((done) => admin.listTopics({ timeout }, done))).toBeArray();
  admin.disconnect();
  await using topic = await openTopic(brokers);
  expect((await producer.send(topic.name, [{}])).length).toBe(1);
});
