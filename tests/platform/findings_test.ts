import assert from "@std/assert";
import type { Evidence } from "../../src/platform/evidence.ts";
import { findingsOf, rules } from "../../src/platform/findings.ts";
import type { MetricsReport } from "../../src/platform/metrics.ts";
import { withPodAlerts } from "../../src/platform/pod_alerts.ts";
import { evidenceLines } from "../../src/platform/report_lines.ts";
import { judge } from "../../src/platform/verdict.ts";
import type { Pod, WorkloadReport } from "../../src/platform/workload.ts";
import type { Examination } from "../../src/postgres/health/examination.ts";
import type { PodStatus } from "../../src/kubernetes/pod_status.ts";

const now = Date.UTC(2026, 0, 2, 3, 4, 5);
const seen = <Value>(value: Value) => ({ state: "seen", value }) as const;

function pod(name: string, status: Partial<PodStatus> = {}, more: Partial<Pod> = {}): Pod {
  return {
    namespace: "shop",
    name,
    node: "node-1",
    created: now - 86_400_000,
    container: "app",
    cause: undefined,
    status: {
      status: "Running",
      readyContainers: 1,
      containers: 1,
      restarts: 0,
      lastRestart: undefined,
      lastEnding: undefined,
      healthy: true,
      message: undefined,
      phase: "Running",
      ready: (status.status ?? "Running") === "Running" &&
        (status.readyContainers ?? 1) === (status.containers ?? 1),
      ...status,
    },
    ...more,
  };
}

/** How a container ended `ago` milliseconds before. */
function ended(reason: string, exitCode: number, ago: number): PodStatus["lastEnding"] {
  return { container: "app", reason, exitCode, signal: undefined, finished: now - ago, message: undefined };
}

const minute = 60_000;
const hour = 60 * minute;
/** Ready, and killed for its memory ten days ago. */
const survivor = pod("a", { restarts: 1, lastEnding: ended("OOMKilled", 137, 240 * hour) });
/** A pod that has failed for good, and that others have replaced. */
const leftover = pod("old", {
  status: "Error",
  healthy: false,
  readyContainers: 0,
  lastEnding: ended("Error", 1, 240 * hour),
});

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
      before: undefined,
      selector: "app=api",
    }],
    pods,
    by: "the selector of the workload",
    services: [],
    autoscalers: [],
    hosts: { found: [], total: 0, notes: [] },
    held: [],
    errors: [],
    unseen: [],
    notes: [],
    ...more,
  };
}

/** An examination with one section that is not well. */
function examined(
  name: string,
  verdict: "critical" | "warning",
  text: string,
  parties: readonly string[] = [],
  isTheirsAlone = false,
): Evidence["database"] {
  const section = { name, verdict, summary: text, findings: [{ verdict, text, parties, isTheirsAlone }] };
  // The fields that no rule reads are left out.
  return seen({ sections: [section] } as unknown as Parameters<typeof seen<Examination>>[0]);
}

/** Requests a second and the ratio that fails; the fields that no rule reads are left out. */
function requests(requestsPerSecond: number, ratio: number): MetricsReport["requests"] {
  return {
    rates: { requestsPerSecond, errorsPerSecond: ratio * requestsPerSecond, ratio },
    beside: [],
    passedOver: [],
  } as unknown as MetricsReport["requests"];
}

function metrics(more: Partial<MetricsReport>): MetricsReport {
  return {
    service: { text: 'job="api"' } as MetricsReport["service"],
    time: now / 1000,
    window: 900,
    instances: undefined,
    requests: undefined,
    dayBefore: undefined,
    recent: undefined,
    missed: undefined,
    outliers: { errors: undefined, latency: undefined },
    episodes: { errors: undefined, latency: undefined },
    latency: undefined,
    recentLatency: undefined,
    vanished: [],
    alerts: { firing: [], ofObjects: [], unevaluated: [], notes: [] },
    failures: [],
    leftOut: [],
    warnings: [],
    infos: [],
    unseen: [],
    notes: [],
    ...more,
  };
}

/** One instance in that state. */
function instances(state: "UP" | "DOWN" | "STALE", failures = 0): MetricsReport["instances"] {
  const instance = { name: "10.0.0.1:80", state, since: undefined, failures };
  return { all: [instance], interval: 15, window: 3600, query: "up", unread: 0 };
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
    usage: notAsked,
    ...more,
  };
}

/** One that wants more pods than it may have. */
const limited: WorkloadReport["autoscalers"][number] = {
  namespace: "shop",
  name: "api",
  target: { kind: "Deployment", name: "api" },
  current: 10,
  least: 2,
  most: 10,
  limited: { since: now - hour, message: "TooManyReplicas" },
  blocked: undefined,
  exceeded: [{ name: "cpu", current: "183%", target: "70%" }],
};

/** A node that is well, but for what is given. */
function host(more: Partial<WorkloadReport["hosts"]["found"][number]>): WorkloadReport["hosts"] {
  const well = { name: "node-1", exists: true, ready: true, unschedulable: false, troubles: [] };
  return { found: [{ ...well, pods: 1, sick: 0, ...more }], total: 1, notes: [] };
}
const pressure = { what: "MemoryPressure", since: now - minute, message: "" };

/** The 95th percentile of the window, and that of a day before. */
function latency(value: number, dayBefore: number): MetricsReport["latency"] {
  const quantile = { quantile: 0.95, value, dayBefore };
  // The fields that no rule reads are left out.
  return {
    unit: "s",
    observationsPerSecond: 5,
    quantiles: [quantile],
  } as unknown as MetricsReport["latency"];
}

const crashing = pod("api-1", {
  status: "CrashLoopBackOff",
  healthy: false,
  readyContainers: 0,
  restarts: 12,
  lastEnding: ended("Error", 1, minute),
});
const exhausted = {
  pod: "api-1",
  previous: true,
  kind: "trouble" as const,
  lines: [{ text: "FATAL: remaining connection slots are reserved", count: 42, last: undefined }],
};

function said(text: string) {
  return {
    pod: "api-1",
    previous: false,
    kind: "trouble" as const,
    lines: [{ text, count: 3, last: undefined }],
  };
}

/** Ten times as slow as a day before; the fields that no rule reads are left out. */
const slow = {
  unit: "s",
  observationsPerSecond: 10,
  quantiles: [{ quantile: 0.95, value: 2, dayBefore: 0.2 }],
} as unknown as MetricsReport["latency"];

/** A stateful set in a rollout that may take one pod at a time: the new one of `age` milliseconds is not ready. */
function rollingOut(age: number): WorkloadReport {
  const fresh = pod("api-1", { healthy: false, ready: false, readyContainers: 0 }, { created: now - age });
  const report = workload([pod("api-0"), fresh]);
  const rolling = { updated: 1, desired: 2, mayMiss: 1 };
  return { ...report, workloads: report.workloads.map((one) => ({ ...one, rolling })) };
}

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
    name: "what is to have no pods comes before what Prometheus has of it no more",
    evidence: {
      cluster: seen(workload([])),
      metrics: seen(metrics({
        service: { text: 'job="api"', name: "api", goneSince: now / 1000 - 900 } as MetricsReport["service"],
        instances: instances("STALE"),
      })),
    },
    found: ["scaled_to_zero", "gone", "instances_down"],
    verdict: "down",
  },
  {
    name: "pods that are not ready come before what Prometheus has of them no more",
    evidence: {
      cluster: seen(workload([pod("a", { healthy: false, readyContainers: 0, status: "Init:0/1" })])),
      metrics: seen(metrics({
        service: { text: 'job="api"', name: "api", goneSince: now / 1000 - 900 } as MetricsReport["service"],
        instances: instances("DOWN"),
      })),
    },
    found: ["not_ready", "gone", "instances_down"],
    verdict: "down",
  },
  {
    name: "a login that the database refuses stands before the crash that it makes",
    evidence: {
      cluster: seen(workload([crashing], {
        errors: [said('FATAL: password authentication failed for user "api"')],
      })),
    },
    found: ["database_login", "crash_loop", "not_ready"],
    verdict: "down",
  },
  {
    name: "a table that does not exist is no login",
    evidence: {
      cluster: seen(workload([crashing], { errors: [said('ERROR: relation "users" does not exist')] })),
    },
    found: ["crash_loop", "last_words", "not_ready"],
    verdict: "down",
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
          lastEnding: ended("OOMKilled", 137, minute),
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
    name: "killed for memory long ago and ready since is no fault, and is told with its age",
    evidence: { cluster: seen(workload([survivor])), metrics: seen(metrics({ requests: requests(10, 0) })) },
    found: ["earlier_out_of_memory"],
    verdict: "healthy",
  },
  {
    name: "killed for memory long ago is not what ails a pod that is not ready today",
    evidence: {
      cluster: seen(workload([
        pod("a", {
          healthy: false,
          readyContainers: 0,
          restarts: 5,
          lastEnding: ended("OOMKilled", 137, 3 * hour),
        }),
      ])),
    },
    found: ["not_ready", "earlier_out_of_memory"],
    verdict: "down",
  },
  {
    name: "killed for memory a moment ago and ready again is degraded, not down",
    evidence: {
      cluster: seen(
        workload([pod("a", { healthy: false, restarts: 1, lastEnding: ended("OOMKilled", 137, minute) })], {
          workloads: [],
        }),
      ),
    },
    found: ["out_of_memory"],
    verdict: "degraded",
  },
  {
    name: "a pod that crashed again and again and is ready now is degraded, not down",
    evidence: {
      cluster: seen(
        workload([pod("a", { healthy: false, restarts: 4, lastEnding: ended("Error", 1, minute) })], {
          workloads: [],
        }),
      ),
    },
    found: ["crash_loop"],
    verdict: "degraded",
  },
  {
    name: "restarts of last week are no crash loop",
    evidence: {
      cluster: seen(workload([
        pod("a", {
          healthy: false,
          readyContainers: 0,
          restarts: 7,
          lastEnding: ended("Error", 1, 160 * hour),
        }),
        pod("b"),
      ])),
    },
    found: ["not_ready"],
    verdict: "degraded",
  },
  {
    name: "a pod that failed for good long ago and was replaced speaks against nothing",
    evidence: {
      cluster: seen(workload([pod("a"), leftover], {
        workloads: [{
          kind: "Deployment",
          namespace: "shop",
          name: "api",
          desired: 1,
          ready: 1,
          rollout: undefined,
          changed: undefined,
          before: undefined,
          selector: "app=api",
        }],
      })),
      metrics: seen(metrics({ requests: requests(10, 0) })),
    },
    found: ["pods_not_well"],
    verdict: "healthy",
  },
  {
    name: "a Service without a pod says nothing more of a workload that is to have none",
    evidence: {
      cluster: seen(workload([], {
        services: [{
          namespace: "shop",
          name: "api",
          ready: 0,
          problem: "selects nothing: no pod has a label app",
          lacksPort: false,
        }],
      })),
    },
    found: ["scaled_to_zero"],
    verdict: "down",
  },
  {
    name: "a rollout with no more pods missing than may be is no fault",
    evidence: {
      cluster: seen(rollingOut(5 * minute)),
      metrics: seen(metrics({ requests: requests(10, 0) })),
    },
    found: ["rolling"],
    verdict: "healthy",
  },
  {
    name: "one whose pod has not become ready for long is",
    evidence: {
      cluster: seen(rollingOut(20 * minute)),
      metrics: seen(metrics({ requests: requests(10, 0) })),
    },
    found: ["not_ready"],
    verdict: "degraded",
  },
  {
    name: "a pod that the scheduler has not looked at yet is not unschedulable",
    evidence: {
      cluster: seen(workload([
        pod("a"),
        pod("b", { status: "Pending", healthy: false, readyContainers: 0 }, {
          node: undefined,
          created: now - 2_000,
        }),
      ])),
    },
    found: ["not_ready"],
    verdict: "degraded",
  },
  {
    name: "one that no node has room for is",
    evidence: {
      cluster: seen(workload([
        pod("b", {
          status: "Pending",
          healthy: false,
          readyContainers: 0,
          message: "0/2 nodes are available: 2 Insufficient cpu",
        }, { node: undefined, created: now - 2_000 }),
      ])),
    },
    found: ["unschedulable", "not_ready"],
    verdict: "down",
  },
  {
    name: "scaled to zero is down, and says so",
    evidence: {
      cluster: seen(workload([])),
      metrics: seen(metrics({ requests: requests(0, NaN), dayBefore: requests(0, NaN) })),
    },
    found: ["scaled_to_zero"],
    verdict: "down",
  },
  {
    name: "a single request that failed is too few to call it down",
    evidence: { metrics: seen(metrics({ requests: requests(1 / 900, 1) })) },
    found: ["errors"],
    verdict: "degraded",
  },
  {
    name: "the database's trouble with the connections of others is a coincidence",
    evidence: {
      metrics: seen(metrics({ requests: requests(10, 0) })),
      database: examined("connections", "critical", "48 of the 50 connections are taken", ["billing"]),
    },
    found: ["database_connections"],
    verdict: "healthy",
  },
  {
    name: "the own limit of another role explains less than the errors",
    evidence: {
      metrics: seen(metrics({ requests: requests(10, 0.2), dayBefore: requests(10, 0) })),
      database: examined("connections", "critical", "role batch has 5 of the 5", ["batch"], true),
    },
    found: ["errors", "database_other"],
    verdict: "degraded",
  },
  {
    name: "unless the service's log names that role",
    evidence: {
      cluster: seen(
        workload([pod("api-1")], { errors: [said('too many connections for role "batch"')] }),
      ),
      metrics: seen(metrics({ requests: requests(10, 0.2), dayBefore: requests(10, 0) })),
      database: examined("connections", "critical", "role batch has 5 of the 5", ["batch"], true),
    },
    found: ["database_connections", "errors"],
    verdict: "degraded",
  },
  {
    name: "with those of a role of its own name it is a finding",
    evidence: {
      metrics: seen(metrics({ requests: requests(10, 0) })),
      database: examined("connections", "warning", "role API has 10 of the 12 connections of its limit", [
        "API",
      ]),
    },
    found: ["database_connections"],
    verdict: "degraded",
  },
  {
    name: "a mere warning about others' connections explains less than the errors",
    evidence: {
      metrics: seen(metrics({ requests: requests(10, 0.2), dayBefore: requests(10, 0) })),
      database: examined("connections", "warning", "40 of 50 are taken"),
    },
    found: ["errors", "database_other"],
    verdict: "degraded",
  },
  {
    name: "nor does it explain an alert alone, or a pod that has never run",
    evidence: {
      cluster: seen(workload([pod("a", { status: "Pending", healthy: false }, { container: undefined })])),
      metrics: seen(metrics({ requests: requests(10, 0), dayBefore: requests(10, 0) })),
      database: examined("connections", "warning", "40 of 50 are taken"),
    },
    found: ["not_ready"],
    verdict: "down",
  },
  {
    name: "a pod that ran and is not ready it may",
    evidence: {
      cluster: seen(workload([pod("a", { healthy: false, readyContainers: 0 })])),
      database: examined("connections", "warning", "40 of 50 are taken"),
    },
    found: ["not_ready", "database_other"],
    verdict: "down",
  },
  ...([
    [
      "database_unwritable",
      'ERROR: could not extend file "base/1/2": No space left on device (SQLSTATE 53100)',
    ],
    ["database_unwritable", "ERROR: cannot execute INSERT in a read-only transaction"],
    ["database_away", "FATAL: the database system is shutting down"],
    ["database_away", "dial tcp 10.0.0.7:5432: i/o timeout"],
    ["database_away", 'connection to server at "db" (10.0.0.7), port 5432 failed: Connection refused'],
    ["database_away", "Error: connect ECONNREFUSED 10.0.0.7:5432"],
  ] as const).map(([rule, line]) => ({
    name: `a log that tells of its database stands before the errors: ${line.slice(0, 60)}`,
    evidence: {
      cluster: seen(workload([pod("api-1")], { errors: [said(line)] })),
      metrics: seen(metrics({ requests: requests(10, 0.2), dayBefore: requests(10, 0) })),
    },
    found: [rule, "errors"],
    verdict: "degraded",
  })),
  ...["ERROR: canceling statement due to statement timeout at db:5432 (statement_timeout=3s)"].map((
    line,
  ) => ({
    name: `what does not tell that it is absent: ${line.slice(0, 60)}`,
    evidence: {
      cluster: seen(workload([pod("api-1")], { errors: [said(line)] })),
      metrics: seen(metrics({ requests: requests(10, 0.2), dayBefore: requests(10, 0) })),
    },
    found: ["errors", "said"],
    verdict: "degraded",
  })),
  {
    name: "a pool without a connection for Hikari's own time",
    evidence: {
      cluster: seen(workload([pod("api-1")], {
        errors: [said("HikariPool-1 - Connection is not available, request timed out after 30000ms")],
      })),
      metrics: seen(metrics({ requests: requests(10, 0.2), dayBefore: requests(10, 0) })),
    },
    found: ["database_connections", "errors"],
    verdict: "degraded",
  },
  {
    name: "locks that others wait for long explain more than latency, and are called a coincidence",
    evidence: {
      metrics: seen(metrics({ requests: requests(10, 0.2), dayBefore: requests(10, 0) })),
      database: examined("blocking", "critical", "3 sessions wait behind pid 17 (billing)"),
    },
    found: ["database_locks", "errors"],
    verdict: "degraded",
  },
  {
    name: "locks that its own sessions wait for are a finding, whoever holds them",
    evidence: {
      metrics: seen(metrics({ requests: requests(10, 0.2), dayBefore: requests(10, 0) })),
      database: examined("blocking", "warning", "pid 17, batch; it blocks 3 sessions", ["batch", "the_api"]),
    },
    found: ["database_locks", "errors"],
    verdict: "degraded",
  },
  {
    name: "a statement that names a table like the service is no role of its",
    evidence: {
      metrics: seen(metrics({ requests: requests(10, 0) })),
      database: examined("blocking", "critical", "pid 17, batch, last ran: update api set n = 1", ["batch"]),
    },
    found: ["database_locks"],
    verdict: "healthy",
  },
  {
    name: "what the database warns of came at the same time as the latency",
    evidence: {
      metrics: seen(metrics({ requests: requests(10, 0), latency: slow })),
      database: examined("vacuum", "warning", "public.stock has 9 dead beside 1 live rows"),
    },
    found: ["latency", "database_slow"],
    verdict: "degraded",
  },
  {
    name: "without latency a warning about dead rows is left to database_health",
    evidence: {
      metrics: seen(metrics({ requests: requests(10, 0.2), dayBefore: requests(10, 0) })),
      database: examined("vacuum", "warning", "public.stock has 9 dead beside 1 live rows"),
    },
    found: ["errors"],
    verdict: "degraded",
  },
  {
    name: "what pods that serve log stands behind the errors that it may explain",
    evidence: {
      cluster: seen(workload([pod("api-1")], { errors: [said("ERROR disk is full")] })),
      metrics: seen(metrics({ requests: requests(10, 0.2), dayBefore: requests(10, 0) })),
    },
    found: ["errors", "said"],
    verdict: "degraded",
  },
  {
    name: "the last words of a crash are told, whatever they are",
    evidence: {
      cluster: seen(workload([crashing], { errors: [{ ...said("line 14: no key"), kind: "last words" }] })),
    },
    found: ["crash_loop", "last_words", "not_ready"],
    verdict: "down",
  },
  {
    name:
      "requests that succeed, of a service that the cluster does not have, are healthy while an instance is up",
    evidence: {
      cluster: { state: "not_found", why: "no workload", near: undefined },
      metrics: seen(metrics({ requests: requests(10, 0), instances: instances("UP") })),
    },
    found: [],
    verdict: "healthy",
  },
  {
    name: "without an instance that is up they are unknown: the workload may have been deleted a minute ago",
    evidence: {
      cluster: { state: "not_found", why: "no workload", near: undefined },
      metrics: seen(metrics({ requests: requests(10, 0) })),
    },
    found: [],
    verdict: "unknown",
  },
  {
    name: "instances that all have gone are down, whatever the requests of the window were",
    evidence: { metrics: seen(metrics({ requests: requests(10, 0), instances: instances("STALE") })) },
    found: ["instances_down"],
    verdict: "down",
  },
  {
    name: "an instance that goes down and up again is degraded",
    evidence: { metrics: seen(metrics({ requests: requests(10, 0), instances: instances("UP", 3) })) },
    found: ["instances_flap"],
    verdict: "degraded",
  },
  {
    name: "ready pods that Prometheus does not know are unknown",
    evidence: {
      cluster: seen(workload([pod("a")])),
      metrics: { state: "not_found", why: "no such service", near: undefined },
    },
    found: [],
    verdict: "unknown",
  },
  {
    name: "two events that are none now are chance",
    evidence: { activity: seen({ table: "events", events: 0, before: 2, lastMs: 1_000_000 }) },
    found: [],
    verdict: "unknown",
  },
  {
    name: "a setting of the database explains nothing that came lately",
    evidence: {
      metrics: seen(metrics({ requests: requests(0, NaN), dayBefore: requests(10, 0) })),
      database: examined("settings", "critical", "fsync is off"),
    },
    found: ["no_traffic"],
    verdict: "degraded",
  },
  {
    name: "an autoscaler at its maximum stands before the latency that it may explain",
    evidence: {
      cluster: seen(workload([pod("a")], { autoscalers: [limited] })),
      metrics: seen(metrics({ requests: requests(10, 0), latency: latency(0.9, 0.1) })),
    },
    found: ["autoscaler", "latency"],
    verdict: "degraded",
  },
  {
    name: "one at its maximum where nobody feels it is of note",
    evidence: {
      cluster: seen(workload([pod("a")], { autoscalers: [limited] })),
      metrics: seen(metrics({ requests: requests(10, 0) })),
    },
    found: ["autoscaler"],
    verdict: "healthy",
  },
  {
    name: "a node that is not ready speaks against the service, ready as its pods may still be called",
    evidence: {
      cluster: seen(workload([pod("a")], { hosts: host({ ready: false }) })),
      metrics: seen(metrics({ requests: requests(10, 0) })),
    },
    found: ["node_not_ready"],
    verdict: "degraded",
  },
  {
    name: "a node that lacks memory is of note while its pods are well",
    evidence: {
      cluster: seen(workload([pod("a")], { hosts: host({ troubles: [pressure] }) })),
      metrics: seen(metrics({ requests: requests(10, 0) })),
    },
    found: ["node_of_note"],
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
  const down = instances("DOWN");
  const dark = evidence({ metrics: seen(metrics({ instances: down })) });
  assert.equal(judge(dark, findingsOf(dark)).verdict, "down");
  const ready = evidence({
    cluster: seen(workload([pod("a")])),
    metrics: seen(metrics({ instances: down, requests: requests(3, 0) })),
  });
  assert.equal(judge(ready, findingsOf(ready)).verdict, "degraded");
});

Deno.test("verdict: of two things of one name, ready pods vouch for the one that is judged, and nothing else does", () => {
  const pick = { matchers: [], text: 'service="api"', series: 2 };
  const service = { text: 'job="api"', rivals: [pick] } as unknown as MetricsReport["service"];
  const ambiguous = evidence({ metrics: seen(metrics({ service, requests: requests(10, 0) })) });
  assert.equal(judge(ambiguous, []).verdict, "unknown");
  const ready = { ...ambiguous, cluster: seen(workload([pod("a")])) };
  assert.deepEqual(judge(ready, []), {
    verdict: "healthy",
    because: '100% of the requests of job="api" succeed and its pods are ready',
  });
});

const episode = { began: now / 1000 - 1500, ended: now / 1000 - 600, times: 1, looked: 3600 };
const alert = { name: "Expires", severity: "warning", since: "", summary: "", labels: {}, matters: true };
const failed = { requests: requests(10, 0.1), dayBefore: requests(10, 0) };
/** Degraded, and what is said of it at the top. */
const degraded: readonly (readonly [what: string, metrics: Partial<MetricsReport>, because: RegExp])[] = [
  [
    "an alert alone does not say that it serves badly",
    { requests: requests(10, 0), alerts: { firing: [alert], ofObjects: [], unevaluated: [], notes: [] } },
    /^an alert about it fires, and nothing else that was seen points to a problem$/,
  ],
  [
    "what is over is told as that",
    { ...failed, episodes: { errors: episode, latency: undefined } },
    /^it had problems until 10m ago$/,
  ],
  [
    "nor does a probe",
    { requests: requests(10, 0), probes: { text: "Its probe from outside fails: api:80", query: "up" } },
    /^a probe from outside fails, and nothing else that was seen points to a problem$/,
  ],
  ["what goes on is not", failed, /^it serves, but not well$/],
  [
    "nor where something else goes on",
    { ...failed, latency: slow, episodes: { errors: episode, latency: undefined } },
    /^it serves, but not well$/,
  ],
];
for (const [what, more, because] of degraded) {
  Deno.test(`verdict: ${what}`, () => {
    const of = evidence({ metrics: seen(metrics(more)) });
    const judged = judge(of, findingsOf(of));
    assert.equal(judged.verdict, "degraded");
    assert.match(judged.because, because);
  });
}

Deno.test("findings: every rule has a name of its own and says when it applies", () => {
  assert.equal(new Set(rules.map(({ name }) => name)).size, rules.length);
  for (const { when, explains } of rules) assert.ok(when.length > 10 && explains > 0 && explains <= 100);
});

Deno.test("findings: what is told of an old ending says how old it is", () => {
  const [found] = findingsOf(evidence({ cluster: seen(workload([survivor])) }));
  assert.match(found?.text ?? "", /\b10d ago$/);
});

Deno.test("findings: the pods to list next are those of the workload, and not all of its namespace", () => {
  const found = findingsOf(evidence({ cluster: seen(workload([crashing])) }));
  const calls = found.flatMap(({ next }) => next).filter(({ tool }) => tool === "get_pods");
  assert.deepEqual(calls.map(({ arguments: args }) => args), [
    { namespace: "shop", status: "unhealthy", label_selector: "app=api" },
  ]);
});

Deno.test("findings: what is called is to be looked at next where a host is a service of the cluster", () => {
  const next = (name: string, more: Partial<Evidence> = {}) => {
    const failing = { name, text: "90% of its calls fail", isDatabase: false, isNew: true };
    const report = metrics({ dependencies: { failing } as unknown as MetricsReport["dependencies"] });
    return findingsOf(evidence({ ...more, metrics: seen(report) }))
      .flatMap(({ next }) => next).map(({ arguments: args }) => args);
  };
  assert.deepEqual(next("pricing:8080"), [{ service: "pricing" }]);
  assert.deepEqual(next("pricing.shop:8080"), [{ service: "pricing", namespace: "shop" }]);
  assert.deepEqual(next("partner.com"), []);
  assert.deepEqual(next("payments.partner.com"), []);
  // A namespace may be called as a country is.
  const inQa = [{ service: "pricing", namespace: "qa" }];
  assert.deepEqual(next("pricing.qa"), []);
  assert.deepEqual(next("pricing.qa.svc.cluster.local"), inQa);
  assert.deepEqual(next("pricing.qa", { namespace: "qa" }), inQa);
  const own = workload([pod("a")]);
  const workloads = own.workloads.map((one) => ({ ...one, namespace: "qa" }));
  assert.deepEqual(next("pricing.qa", { cluster: seen({ ...own, workloads }) }), inQa);
});

Deno.test("findings: an alert about a pod fires, however unsure it is whether others do", () => {
  const about = { ...alert, labels: { namespace: "shop", pod: "api-1" } };
  const alerts = { firing: [], ofObjects: [about], unsure: "no rules", unevaluated: [], notes: [] };
  const found = withPodAlerts(seen(metrics({ alerts })), seen(workload([pod("api-1")])));
  assert.deepEqual(findingsOf(evidence({ metrics: found })).map(({ rule }) => rule), ["alerts"]);
  const lines = evidenceLines(evidence({ metrics: found }), 20).flatMap(({ lines }) => lines);
  assert.deepEqual(lines.filter((line) => line.startsWith("alerts")), ["alerts firing: Expires (warning)"]);
});

Deno.test("findings: killed for memory comes with the limit that it was killed for", () => {
  const status = {
    status: "OOMKilled",
    healthy: false,
    readyContainers: 0,
    lastEnding: ended("OOMKilled", 137, minute),
  };
  const told = (memoryLimits: Pod["memoryLimits"] & object) =>
    findingsOf(evidence({ cluster: seen(workload([pod("a", status, { memoryLimits })])) }))[0]?.text;
  assert.match(
    told(new Map([["app", 268_435_456]])) ?? "",
    /exit code 137 \(OOMKilled\), its limit is 256 MB$/,
  );
  assert.match(told(new Map([["app", undefined]])) ?? "", /, without a limit of its own$/);
});

Deno.test("findings: pods that fail since a rollout made them speak against it, and others do not", () => {
  const failing = (created: number) => ({ ...crashing, created });
  const told = (pods: readonly Pod[], changed: number) => {
    const report = workload(pods);
    const workloads = report.workloads.map((one) => ({ ...one, changed, before: ["api:1"] }));
    return findingsOf(evidence({ cluster: seen({ ...report, workloads }) }))
      .find(({ rule }) => rule === "rollout_before" || rule === "recent_rollout")?.text ?? "";
  };
  const suspected = /^The pods that fail were all created after revision \? of shop\/api was rolled out, /;
  assert.match(told([failing(now - 5 * minute), pod("b")], now - 6 * minute), suspected);
  assert.match(told([failing(now - 5 * minute)], now - 6 * minute), suspected);
  // An hour ago, but the pods of before are well.
  assert.match(told([failing(now - 59 * minute), pod("b")], now - hour), suspected);
  assert.match(told([failing(now - 59 * minute)], now - hour), /^At the same time: revision/);
  assert.match(told([failing(now - 2 * hour)], now - 6 * minute), /^At the same time: revision/);
  assert.match(told([pod("b")], now - 6 * minute), /^At the same time: revision/);
});

Deno.test("findings: by a clock that is ahead of ours a rollout is of now", () => {
  const report = workload([pod("a")]);
  const workloads = report.workloads.map((one) => ({ ...one, changed: now + 5 * minute }));
  const [found] = findingsOf(evidence({ cluster: seen({ ...report, workloads }) }));
  assert.match(found?.text ?? "", /was rolled out 0s ago/);
});

Deno.test("findings: a correlation is called one", () => {
  const whole = evidence({
    metrics: seen(metrics({ requests: requests(20, 0), dayBefore: requests(9, 0) })),
  });
  for (const { severity, text } of findingsOf(whole)) {
    if (severity === "coincidence") assert.match(text, /at the same time/i);
  }
});

Deno.test("findings: a rollout is a likely cause of what began right after it, and of nothing that began before", () => {
  /** Minutes since the rollout of a second revision, and since errors and slowness began. */
  const told = (rolledOut: number, errors: number | undefined, slowness?: number, revision = "2") => {
    const began = (ago: number | undefined) =>
      ago === undefined
        ? undefined
        : { began: (now - ago * minute) / 1000, ended: undefined, times: 1, looked: 3600 };
    const report = workload([pod("a")]);
    // The fields that no rule reads are left out.
    const rollout = {
      revision,
      images: ["api:2"],
    } as unknown as WorkloadReport["workloads"][number]["rollout"];
    const workloads = report.workloads.map((one) => ({
      ...one,
      rollout,
      changed: now - rolledOut * minute,
      before: ["api:1"],
    }));
    const findings = findingsOf(evidence({
      cluster: seen({ ...report, workloads }),
      metrics: seen(metrics({
        requests: requests(20, 0.3),
        episodes: { errors: began(errors), latency: began(slowness) },
      })),
    }));
    return findings.map(({ rule, text }) => rule === "errors" ? rule : `${rule}: ${text}`);
  };
  const images = "(api:1 before, now api:2)";
  const before = (what: string, ago: string) =>
    `rollout_before: ${what} began about when revision 2 of shop/api was rolled out, ${ago} ago ${images}`;
  const beside = (ago: string) =>
    `recent_rollout: At the same time: revision 2 of shop/api was rolled out ${ago} ago ${images}`;
  assert.deepEqual(told(12, 10), [before("Errors", "12m"), "errors"]);
  // The moment at which something began is not known to the minute.
  assert.deepEqual(told(9, 10), [before("Errors", "9m"), "errors"]);
  assert.deepEqual(told(12, 5, 11), [before("Slowness", "12m"), "errors"]);
  assert.deepEqual(told(50, 10), ["errors", beside("50m")]);
  assert.deepEqual(told(5, 10), ["errors", `${beside("5m")}; errors had begun before that`]);
  assert.deepEqual(told(5, undefined), ["errors", beside("5m")]);
  assert.deepEqual(told(12, 10, undefined, "1"), ["errors"]);
});
