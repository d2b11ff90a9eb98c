/** The verdict on what was read. */
import assert from "@std/assert";
import type { Latency, Quantile } from "../../src/prometheus/latency.ts";
import type { RequestRates } from "../../src/prometheus/requests.ts";
import { judge } from "../../src/prometheus/service_health.ts";
import type { Symptoms } from "../../src/prometheus/symptoms.ts";

/** The fields that no rule reads are left out. */
const rates = (requestsPerSecond: number, ratio = 0) =>
  ({
    requestsPerSecond,
    errorsPerSecond: ratio * requestsPerSecond,
    ratio,
    refusedPerSecond: 0,
    untoldPerSecond: 0,
    brokenCodes: [] as readonly string[],
  }) as RequestRates;
const uncounted = { rates: undefined, beside: [], passedOver: [] };
const requests = (...of: Parameters<typeof rates>) => ({ ...uncounted, rates: rates(...of) });

function latency(p95: Partial<Quantile>): Latency {
  const quantile = { quantile: 0.95, value: 0.1, bucket: undefined, dayBefore: 0.1, ...p95 };
  return { unit: "s", observationsPerSecond: 5, quantiles: [quantile] } as unknown as Latency;
}
const lastBucket = { lower: 1, upper: Infinity };

const well: Symptoms = {
  service: { metrics: new Map() } as unknown as Symptoms["service"],
  time: 0,
  window: 300,
  instances: {
    all: [{ name: "a", state: "UP", since: undefined, failures: 0 }],
    interval: 15,
    window: 3600,
    query: "",
    unread: 0,
  },
  requests: requests(10),
  dayBefore: requests(10),
  recent: undefined,
  missed: undefined,
  latency: latency({}),
  recentLatency: undefined,
  vanished: [],
  alerts: { firing: [], ofObjects: [], unevaluated: [], notes: [] },
  episodes: { errors: undefined, latency: undefined },
  failures: [],
  leftOut: [],
  warnings: [],
  infos: [],
};

const nothingMissing: readonly string[] = [];
const cases: readonly (readonly [
  what: string,
  symptoms: Partial<Symptoms>,
  verdict: string,
  reasons: readonly string[],
  missing: readonly string[],
])[] = [
  ["all is known and well", {}, "healthy", [], nothingMissing],
  ["no latency", { latency: undefined }, "healthy", [], ["latency: nothing that measures it was found"]],
  [
    "no latency now",
    { latency: { ...latency({}), observationsPerSecond: NaN } },
    "healthy",
    [],
    ["latency: no request was measured"],
  ],
  [
    "an average alone",
    { latency: { ...latency({}), quantiles: [] } },
    "healthy",
    [],
    ["latency: there is no p95"],
  ],
  [
    "p95 without a day before",
    { latency: latency({ dayBefore: NaN }) },
    "healthy",
    [],
    ["latency: no day before to compare p95 with"],
  ],
  [
    "p95 in the last bucket, as a day before",
    { latency: latency({ value: 1, dayBefore: 1, bucket: lastBucket }) },
    "healthy",
    [],
    ["latency: p95 is beyond the last bucket, above 1 s"],
  ],
  [
    "p95 in the last bucket, whose bound is twice what it was",
    { latency: latency({ value: 1, dayBefore: 0.4, bucket: lastBucket }) },
    "degraded",
    ["p95 latency is above 1 s, a day before 400 ms"],
    nothingMissing,
  ],
  [
    "no requests a day before",
    { dayBefore: uncounted },
    "healthy",
    [],
    ["change since a day before: no requests were counted then"],
  ],
  [
    "requests could not be asked for, and there were many a day before",
    { requests: undefined, failures: ["requests: Cannot run this query"] },
    "unknown",
    [],
    ["requests: Cannot run this query"],
  ],
  [
    "requests are counted no more",
    { requests: uncounted },
    "degraded",
    ["traffic fell from 10/s a day before to nothing that is counted"],
    [
      "errors: nothing that counts its requests by status was found; that it is scraped does not say that it works",
    ],
  ],
  [
    "Prometheus warned",
    { warnings: ["half of it"] },
    "unknown",
    [],
    ["parts of answers: Prometheus warns: half of it"],
  ],
];

for (const [what, symptoms, verdict, reasons, missing] of cases) {
  Deno.test(`the verdict when ${what}: ${verdict}`, () => {
    const judged = judge({ ...well, ...symptoms });
    assert.deepEqual([judged.verdict, judged.reasons, judged.missing], [verdict, reasons, missing]);
  });
}

Deno.test("healthy is said with what it does not speak of", () => {
  const { notJudged } = judge({ ...well, latency: undefined, dayBefore: undefined });
  assert.deepEqual(notJudged, ["latency", "change since a day before"]);
  assert.deepEqual(judge(well).notJudged, []);
});
