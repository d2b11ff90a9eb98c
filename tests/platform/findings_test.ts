import assert from "@std/assert";
import type { Evidence } from "../../src/platform/evidence.ts";
import { findingsOf, rules } from "../../src/platform/findings.ts";
import type { MetricsReport } from "../../src/platform/metrics.ts";
import { judge } from "../../src/platform/verdict.ts";
import type { Pod, WorkloadReport } from "../../src/platform/workload.ts";
import type { PodStatus } from "../../src/kubernetes/pod_status.ts";

const now = Date.UTC(2026, 0, 2, 3, 4, 5);

function pod(name: string, status: Partial<PodStatus> = {}): Pod {
  return {
    namespace: "shop",
    name,
    node: "node-1",
    container: "app",
    status: {
      status: "Running",
      readyContainers: 1,
      containers: 1,
      restarts: 0,
      lastRestart: undefined,
      lastEnding: undefined,
      healthy: true,
      message: undefined,
      ...status,
    },
  };
}

function workload(pods: readonly Pod[], more: Partial<WorkloadReport> = {}): WorkloadReport {
  const ready = pods.filter(({ status }) => status.healthy).length;
  return {
    context: "test",
    namespace: undefined,
    workloads: [{
      kind: "StatefulSet",
      namespace: "shop",
      name: "api",
      desired: pods.length,
      ready,
      rollout: undefined,
      changed: undefined,
    }],
    pods,
    by: "the selector of the workload",
    errors: [],
    unseen: [],
    ...more,
  };
}

/** Requests a second and the ratio that fails; the fields that no rule reads are left out. */
function requests(requestsPerSecond: number, ratio: number): MetricsReport["requests"] {
  return {
    rates: { requestsPerSecond, errorsPerSecond: ratio * requestsPerSecond, ratio },
    passedOver: [],
  } as unknown as MetricsReport["requests"];
}

function metrics(more: Partial<MetricsReport>): MetricsReport {
  return {
    service: { text: 'job="api"' } as MetricsReport["service"],
    window: 900,
    instances: undefined,
    requests: undefined,
    dayBefore: undefined,
    latency: undefined,
    alerts: { firing: [], notes: [] },
    failures: [],
    warnings: [],
    unseen: [],
    notes: [],
    ...more,
  };
}

const notAsked = { state: "not_asked", why: "not configured" } as const;

function evidence(more: Partial<Evidence>): Evidence {
  return {
    service: "api",
    namespace: undefined,
    window: 900,
    now,
    cluster: notAsked,
    metrics: notAsked,
    activity: notAsked,
    database: notAsked,
    ...more,
  };
}

const seen = <Value>(value: Value) => ({ state: "seen", value }) as const;

const crashing = pod("api-1", {
  status: "CrashLoopBackOff",
  healthy: false,
  readyContainers: 0,
  restarts: 12,
  lastEnding: {
    container: "app",
    reason: "Error",
    exitCode: 1,
    signal: undefined,
    finished: now - 60_000,
    message: undefined,
  },
});
const exhausted = {
  pod: "api-1",
  previous: true,
  lines: [{ text: "FATAL: remaining connection slots are reserved", count: 42 }],
};

/** What was seen, what must be found in that order, and the verdict. */
const cases: readonly {
  readonly name: string;
  readonly evidence: Partial<Evidence>;
  readonly found: readonly string[];
  readonly verdict: string;
}[] = [
  {
    name: "nothing configured is unknown",
    evidence: {},
    found: [],
    verdict: "unknown",
  },
  {
    name: "requests that succeed and pods that are ready are healthy",
    evidence: { cluster: seen(workload([pod("a")])), metrics: seen(metrics({ requests: requests(10, 0) })) },
    found: [],
    verdict: "healthy",
  },
  {
    name: "the same without a word from Prometheus is unknown",
    evidence: { cluster: seen(workload([pod("a")])), metrics: { state: "unseen", why: "down" } },
    found: [],
    verdict: "unknown",
  },
  {
    name: "ready pods that nothing counts the requests of are unknown",
    evidence: { cluster: seen(workload([pod("a")])), metrics: seen(metrics({})) },
    found: [],
    verdict: "unknown",
  },
  {
    name: "no traffic is unknown, not healthy",
    evidence: { cluster: seen(workload([pod("a")])), metrics: seen(metrics({ requests: requests(0, NaN) })) },
    found: [],
    verdict: "unknown",
  },
  {
    name: "the cause in the log stands before the crash and the errors that it makes",
    evidence: {
      cluster: seen(workload([crashing, pod("api-2")], { errors: [exhausted] })),
      metrics: seen(metrics({ requests: requests(20, 0.3), dayBefore: requests(20, 0.001) })),
    },
    found: ["database_connections", "crash_loop", "not_ready", "errors"],
    verdict: "degraded",
  },
  {
    name: "all pods crashing is down",
    evidence: { cluster: seen(workload([crashing])) },
    found: ["crash_loop", "not_ready"],
    verdict: "down",
  },
  {
    name: "a database that refuses our own connection is a finding",
    evidence: {
      activity: { state: "unseen", why: "Cannot connect: sorry, too many clients already" },
      metrics: seen(metrics({ requests: requests(5, 0) })),
    },
    found: ["database_connections"],
    verdict: "degraded",
  },
  {
    name: "killed for memory is not called a crash loop",
    evidence: {
      cluster: seen(workload([
        pod("a", {
          status: "CrashLoopBackOff",
          healthy: false,
          restarts: 4,
          lastEnding: {
            container: "app",
            reason: "OOMKilled",
            exitCode: 137,
            signal: undefined,
            finished: now,
            message: undefined,
          },
        }),
        pod("b"),
      ])),
    },
    found: ["out_of_memory", "not_ready"],
    verdict: "degraded",
  },
  {
    name: "twice the traffic is a coincidence, and no verdict",
    evidence: {
      cluster: seen(workload([pod("a")])),
      metrics: seen(metrics({ requests: requests(20, 0), dayBefore: requests(9, 0) })),
    },
    found: ["more_traffic"],
    verdict: "healthy",
  },
  {
    name: "nine of ten requests failing is down",
    evidence: { metrics: seen(metrics({ requests: requests(20, 0.95), dayBefore: requests(20, 0.94) })) },
    found: ["errors"],
    verdict: "down",
  },
  {
    name: "alerts that could not be read are not none",
    evidence: {
      cluster: seen(workload([pod("a")])),
      metrics: seen(metrics({
        requests: requests(10, 0),
        alerts: undefined,
        failures: ["alerts: refused"],
        unseen: ["alerts: refused"],
      })),
    },
    found: [],
    verdict: "unknown",
  },
  {
    name: "a service without samples is down where nothing says that it serves",
    evidence: {
      metrics: seen(
        metrics({ service: { text: 'job="api"', goneSince: now / 1000 } as MetricsReport["service"] }),
      ),
    },
    found: ["gone"],
    verdict: "down",
  },
  {
    name: "errors below five in a hundred that are no more than the day before speak against nothing",
    evidence: { metrics: seen(metrics({ requests: requests(20, 0.03), dayBefore: requests(20, 0.029) })) },
    found: [],
    verdict: "healthy",
  },
  {
    name: "events that stopped are told, and judge nothing",
    evidence: { activity: seen({ table: "events", events: 0, before: 40, lastMs: 1_000_000 }) },
    found: ["activity_stopped"],
    verdict: "unknown",
  },
];

for (const { name, evidence: parts, found, verdict } of cases) {
  Deno.test(`findings: ${name}`, () => {
    const whole = evidence(parts);
    const findings = findingsOf(whole);
    assert.deepEqual(findings.map(({ rule }) => rule), found);
    assert.equal(judge(whole, findings).verdict, verdict);
  });
}

Deno.test("findings: instances that can't be scraped are down only where nothing says that they serve", () => {
  const instance = {
    name: "10.0.0.1:80",
    state: "DOWN",
    lastSeen: 0,
    since: undefined,
    failures: 0,
  } as const;
  const instances = { all: [instance], interval: 15, window: 3600, query: "up", unread: 0 };
  const dark = evidence({ metrics: seen(metrics({ instances })) });
  assert.equal(judge(dark, findingsOf(dark)).verdict, "down");
  const ready = evidence({
    cluster: seen(workload([pod("a")])),
    metrics: seen(metrics({ instances, requests: requests(3, 0) })),
  });
  assert.equal(judge(ready, findingsOf(ready)).verdict, "degraded");
});

Deno.test("findings: every rule has a name of its own and says when it applies", () => {
  assert.equal(new Set(rules.map(({ name }) => name)).size, rules.length);
  for (const { when, explains } of rules) assert.ok(when.length > 10 && explains > 0 && explains <= 100);
});

Deno.test("findings: a correlation is called one", () => {
  const whole = evidence({
    metrics: seen(metrics({ requests: requests(20, 0), dayBefore: requests(9, 0) })),
  });
  for (const { severity, text } of findingsOf(whole)) {
    if (severity === "coincidence") assert.match(text, /at the same time/i);
  }
});
