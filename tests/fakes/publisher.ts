import type { Event } from "../../lib/domain/event.ts";
import type { Publisher, Refused } from "../../lib/flow/raw-to-topic.ts";

export interface FakePublisher extends Publisher {
  readonly published: readonly Event[];
}

/** Refuses records larger than Kafka's default, and no others. */
export function createFakePublisher(): FakePublisher {
  const published: Event[] = [];
  return {
    published,
    async publish(events) {
      const refused: Refused[] = [];
      for (const [index, event] of events.entries()) {
        if (event.value.length < 1_048_576) published.push(event);
        else refused.push({ index, rejection: { path: "", reason: "record: too large" } });
      }
      return refused;
    },
  };
}
