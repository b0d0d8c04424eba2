/**
 * The partition of a key, as Java's clients and the producer's `murmur2_random` choose it. A topic
 * that has got more partitions since has older records of the key elsewhere.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7f_ff_ff_ff) % partitions;
}

/** Kafka's variant: its seed and constants are those of org.apache.kafka.common.utils.Utils. */
export function murmur2(data: Buffer): number {
  const mix = 0x5b_d1_e9_95;
  const scrambled = (word: number) => {
    const times = Math.imul(word, mix);
    return Math.imul(times ^ (times >>> 24), mix);
  };
  const rest = data.length % 4;
  const end = data.length - rest;
  let hash = 0x97_47_b2_8c ^ data.length;
  for (let at = 0; at < end; at += 4) {
    hash = Math.imul(hash, mix) ^ scrambled(data.readInt32LE(at));
  }
  if (rest > 0) hash = Math.imul(hash ^ data.readUIntLE(end, rest), mix);
  hash = Math.imul(hash ^ (hash >>> 13), mix);
  return hash ^ (hash >>> 15);
}
