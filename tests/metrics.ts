/** Prometheus' text format as a test reads it. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}
export interface Sample {
  /** With what histograms add to theirs: `_bucket`, `_sum`, `_count`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Throws where a line is none of the format, or a sample stands outside of its metric. */
export function readMetrics(text: string): readonly Metric[] {
  return text.split(/\n(?=# HELP )/).map((block) => {
    const [help = "", type = "", ...samples] = block.trimEnd().split("\n").filter(Boolean);
    const [, name = "", about = ""] = /^# HELP (\S+) (.+)$/.exec(help) ?? [];
    const [, typed, kind = ""] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(type) ?? [];
    if (name === "" || typed !== name) throw new Error(`no metric: ${block}`);
    return { name, help: about, type: kind, samples: samples.map((line) => sampleOf(line, name)) };
  });
}

/** The names of its labels, but the one that every histogram has. */
export function labelsOf({ samples }: Metric): readonly string[] {
  const names = samples.flatMap(({ labels }) => Object.keys(labels));
  return [...new Set(names)].filter((name) => name !== "le").toSorted();
}

/** The value of a sample; undefined where there is none with just these labels. */
export function sampleValue(
  metrics: readonly Metric[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const wanted = JSON.stringify(Object.entries(labels).toSorted());
  return metrics
    .flatMap(({ samples }) => samples)
    .find(
      (sample) =>
        sample.name === name && JSON.stringify(Object.entries(sample.labels).toSorted()) === wanted,
    )?.value;
}

function sampleOf(line: string, metric: string): Sample {
  const [, name = "", labels = "", value = ""] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (!name.startsWith(metric)) throw new Error(`no sample of ${metric}: ${line}`);
  const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)/g)];
  if (pairs.map(([all]) => all).join("") !== labels) throw new Error(`not labels: ${labels}`);
  const number = value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value);
  if (Number.isNaN(number)) throw new Error(`not a number: ${line}`);
  return {
    ...{ name, value: number },
    labels: Object.fromEntries(pairs.map(([, name = "", value = ""]) => [name, value])),
  };
}
