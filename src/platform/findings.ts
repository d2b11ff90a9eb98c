/**
 * What the evidence comes to: one table of rules, each of which looks at all parts and says at most one thing. A rule's
 * `explains` orders the findings: causes before what they cause, what they cause before what merely came at the same time.
 */
import { count, percent, plural } from "../common/units.ts";
import { humanDuration } from "../kubernetes/kubernetes_age.ts";
import { durationText } from "../prometheus/latency.ts";
import { rate } from "../prometheus/requests.ts";
import { errorsSpeak, slowerQuantile, trafficIsLost } from "../prometheus/service_health.ts";
import { utc } from "../prometheus/time.ts";
import { type Evidence, seen } from "./evidence.ts";
import type { Pod } from "./workload.ts";

/** How bad a finding makes things. `coincidence`: it came at the same time, and may have nothing to do with it. */
export type Severity = "down" | "degraded" | "coincidence";

/** A call that tells more. */
export interface NextCall {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, string | number | boolean>>;
}

/** Something that carries the verdict. */
export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  /** One sentence with its evidence, without a full stop. */
  readonly text: string;
  readonly next: readonly NextCall[];
}

/** One rule. */
export interface Rule {
  readonly name: string;
  /** From 0 to 100: how much of what people notice it usually explains. */
  readonly explains: number;
  /** What it looks for, for people who read this table. */
  readonly when: string;
  readonly find: (evidence: Evidence) => Omit<Finding, "rule"> | undefined;
}

/** What a log or an error says when a database has no connection left. */
const exhausted =
  /remaining connection slots|too many clients|too many connections|connection pool|pool (is )?exhausted|acquir\w+ (a )?connection|QueuePool limit/i;
const lockTrouble = /deadlock|lock timeout|could not obtain lock|canceling statement due to lock/i;

/** Ratios and factors that the rules go by, beside those of check_service_health. */
const limits = {
  errorRatioDown: 0.9,
  /** Times as much traffic as a day before. */
  moreTraffic: 2,
  /** Requests per second below which a change of traffic is chance. */
  leastTraffic: 0.1,
  /** Milliseconds in which a rollout counts as recent. */
  recentRolloutMs: 2 * 3_600_000,
} as const;

/** The rules. */
export const rules: readonly Rule[] = [
  {
    name: "database_connections",
    explains: 95,
    when:
      "the database has few or no connections left, or refuses ours for that reason, or the service's log says so",
    find(evidence) {
      const section = seen(evidence.database)?.sections.find(({ name }) => name === "connections");
      const bad = section !== undefined && (section.verdict === "critical" || section.verdict === "warning");
      const refused = [evidence.database, evidence.activity]
        .find((part) => part.state === "unseen" && exhausted.test(part.why)) !== undefined;
      const said = logged(evidence, exhausted);
      if (!bad && !refused && said === undefined) return undefined;
      const facts = [
        ...(bad ? [section.findings[0]?.text ?? section.summary] : []),
        ...(refused ? ["the database refused our own connection as it has none left"] : []),
        ...(said === undefined ? [] : [`the service's log says: ${said}`]),
      ];
      return {
        severity: "degraded",
        text: `Database connections ${bad || refused ? "are running out" : "seem to be short"}: ${
          facts.join("; ")
        }`,
        next: [{ tool: "database_health", arguments: {} }],
      };
    },
  },
  {
    name: "database_locks",
    explains: 90,
    when: "sessions wait for locks in the database, or the service's log says that it did",
    find(evidence) {
      const section = seen(evidence.database)?.sections.find(({ name }) => name === "blocking");
      const bad = section !== undefined && (section.verdict === "critical" || section.verdict === "warning");
      const said = logged(evidence, lockTrouble);
      if (!bad && said === undefined) return undefined;
      const facts = [
        ...(bad ? [section.findings[0]?.text ?? section.summary] : []),
        ...(said === undefined ? [] : [`the service's log says: ${said}`]),
      ];
      return {
        severity: "degraded",
        text: `Sessions wait for locks in the database: ${facts.join("; ")}`,
        next: [{ tool: "database_health", arguments: {} }],
      };
    },
  },
  {
    name: "out_of_memory",
    explains: 90,
    when: "containers were killed for their memory limit",
    find: (evidence) =>
      podsFinding(
        evidence,
        ({ status }) => status.lastEnding?.reason === "OOMKilled" || status.status === "OOMKilled",
        (pods) => `${pods} killed for want of memory (OOMKilled)`,
      ),
  },
  {
    name: "image",
    explains: 90,
    when: "an image can't be pulled",
    find: (evidence) =>
      podsFinding(
        evidence,
        ({ status }) => /ImagePull|ErrImage|InvalidImageName/.test(status.status),
        (pods) => `${pods} without an image`,
      ),
  },
  {
    name: "configuration",
    explains: 90,
    when: "a ConfigMap, Secret or command of the pod is missing or wrong",
    find: (evidence) =>
      podsFinding(
        evidence,
        ({ status }) => /CreateContainer(Config)?Error|RunContainerError/.test(status.status),
        (pods) => `${pods} can't be started`,
      ),
  },
  {
    name: "unschedulable",
    explains: 85,
    when: "pods wait for a node",
    find: (evidence) =>
      podsFinding(
        evidence,
        ({ status, node }) => status.status === "Pending" && node === undefined,
        (pods) => `${pods} on no node`,
      ),
  },
  {
    name: "crash_loop",
    explains: 80,
    when: "containers end and are started again and again",
    find: (evidence) =>
      podsFinding(
        evidence,
        ({ status }) =>
          status.lastEnding?.reason !== "OOMKilled" &&
          (/CrashLoopBackOff$|^Error$/.test(status.status) || (!status.healthy && status.restarts > 2)),
        (pods) => `${pods} crashing`,
      ),
  },
  {
    name: "rollout_stalled",
    explains: 65,
    when: "a deployment does not get on with its rollout",
    find(evidence) {
      const stalled = seen(evidence.cluster)?.workloads.find(({ rollout }) => rollout?.verdict === "stalled");
      if (stalled?.rollout === undefined) return undefined;
      const { namespace, name } = stalled;
      return {
        severity: "degraded",
        text: `The rollout of ${namespace}/${name} is stalled: ${stalled.rollout.explanation}`,
        next: [{ tool: "get_deployments", arguments: { namespace, name } }],
      };
    },
  },
  {
    name: "gone",
    explains: 62,
    when: "Prometheus has no samples of it any more",
    find(evidence) {
      const since = seen(evidence.metrics)?.service.goneSince;
      if (since === undefined) return undefined;
      return {
        severity: "down",
        text: `Prometheus has no samples of it any more: the last was at ${utc(Math.floor(since))}`,
        next: [{ tool: "list_targets", arguments: { service: evidence.service } }],
      };
    },
  },
  {
    name: "instances_down",
    explains: 60,
    when: "Prometheus can't scrape instances",
    find(evidence) {
      const instances = seen(evidence.metrics)?.instances?.all ?? [];
      const down = instances.filter(({ state }) => state === "DOWN");
      if (down.length === 0) return undefined;
      const present = instances.filter(({ state }) => state !== "STALE");
      const all = down.length === present.length;
      return {
        severity: all ? "down" : "degraded",
        text: `Prometheus can scrape ${all ? "none" : `${present.length - down.length}`} of ${
          plural(present.length, "instance")
        }: ${down.slice(0, 3).map(({ name }) => name).join(", ")}${down.length > 3 ? ", …" : ""} down`,
        next: [{ tool: "list_targets", arguments: { service: evidence.service, state: "down" } }],
      };
    },
  },
  {
    name: "not_ready",
    explains: 55,
    when: "pods are not ready for another reason than those above",
    find(evidence) {
      const workloads = seen(evidence.cluster)?.workloads ?? [];
      const short = workloads.filter(({ ready, desired }) => ready < desired);
      if (short.length === 0) return undefined;
      const none = workloads.every(({ ready, desired }) => ready === 0 && desired > 0);
      return {
        severity: none ? "down" : "degraded",
        text: short.map(({ kind, namespace, name, ready, desired }) =>
          `${kind} ${namespace}/${name} has ${ready} of ${plural(desired, "pod")} ready`
        ).join("; "),
        next: short.slice(0, 1).map(({ namespace }) => ({
          tool: "get_pods",
          arguments: { namespace, status: "unhealthy" },
        })),
      };
    },
  },
  {
    name: "errors",
    explains: 50,
    when: "so many requests fail that check_service_health calls it degraded, too",
    find(evidence) {
      const metrics = seen(evidence.metrics);
      const rates = metrics?.requests?.rates;
      const before = metrics?.dayBefore?.rates?.ratio ?? NaN;
      if (rates === undefined || errorsSpeak(rates, metrics?.dayBefore?.rates) === undefined) {
        return undefined;
      }
      return {
        severity: rates.ratio >= limits.errorRatioDown ? "down" : "degraded",
        text: `${percent(rates.ratio)} of requests fail (${rate(rates.errorsPerSecond)} of ${
          rate(rates.requestsPerSecond)
        }/s), ${Number.isNaN(before) ? "no figure from a day before" : `${percent(before)} a day before`}`,
        next: [{ tool: "get_error_rate", arguments: { service: evidence.service } }],
      };
    },
  },
  {
    name: "latency",
    explains: 45,
    when: "latency has grown so much since the day before that check_service_health calls it degraded, too",
    find(evidence) {
      const latency = seen(evidence.metrics)?.latency;
      const slower = slowerQuantile(latency);
      if (latency === undefined || slower === undefined) return undefined;
      return {
        severity: "degraded",
        text: `The 95th percentile of latency is ${durationText(slower.value, latency.unit)}, ${
          rate(slower.value / slower.dayBefore)
        } times that of a day before (${durationText(slower.dayBefore, latency.unit)})`,
        next: [{ tool: "get_latency", arguments: { service: evidence.service } }],
      };
    },
  },
  {
    name: "alerts",
    explains: 40,
    when: "alerts about the service fire, other than mere information",
    find(evidence) {
      const firing = (seen(evidence.metrics)?.alerts?.firing ?? []).filter(({ matters }) => matters);
      if (firing.length === 0) return undefined;
      const names = firing.slice(0, 3)
        .map(({ name, severity }) => severity === "" ? name : `${name} (${severity})`);
      return {
        severity: "degraded",
        text: `${plural(firing.length, "alert fires", "alerts fire")}: ${names.join(", ")}${
          firing.length > 3 ? ", …" : ""
        }`,
        next: [{ tool: "list_alerts", arguments: { service: evidence.service } }],
      };
    },
  },
  {
    name: "database_other",
    explains: 35,
    when: "something else is critical in the database",
    find(evidence) {
      const section = seen(evidence.database)?.sections
        .find(({ name, verdict }) => verdict === "critical" && name !== "connections" && name !== "blocking");
      if (section === undefined) return undefined;
      return {
        severity: "coincidence",
        text: `At the same time in the database, ${section.name}: ${
          section.findings[0]?.text ?? section.summary
        }`,
        next: [{ tool: "database_health", arguments: {} }],
      };
    },
  },
  {
    name: "no_traffic",
    explains: 30,
    when: "nearly all of the traffic of the day before is gone",
    find(evidence) {
      const { now, before } = traffic(evidence);
      if (now === undefined || !trafficIsLost(now, before)) return undefined;
      return {
        severity: "degraded",
        text: `Traffic fell from ${rate(before)}/s a day before to ${
          now === 0 ? "nothing" : `${rate(now)}/s`
        }`,
        next: [],
      };
    },
  },
  {
    name: "more_traffic",
    explains: 28,
    when: `there are at least ${limits.moreTraffic} times as many requests as a day before`,
    find(evidence) {
      const { now = 0, before } = traffic(evidence);
      if (before < limits.leastTraffic || now < limits.moreTraffic * before) return undefined;
      return {
        severity: "coincidence",
        text: `At the same time there is ${rate(now / before)} times the traffic of a day before: ${
          rate(now)
        }/s, ${rate(before)}/s then`,
        next: [],
      };
    },
  },
  {
    name: "recent_rollout",
    explains: 27,
    when: "a new revision was rolled out within the last two hours",
    find(evidence) {
      const recent = seen(evidence.cluster)?.workloads.find(({ changed }) =>
        changed !== undefined && evidence.now - changed < limits.recentRolloutMs
      );
      // A first revision is no change of anything.
      if (recent?.changed === undefined || recent.rollout?.revision === "1") return undefined;
      return {
        severity: "coincidence",
        text: `At the same time: revision ${
          recent.rollout?.revision ?? "?"
        } of ${recent.namespace}/${recent.name} was rolled out ${
          humanDuration(evidence.now - recent.changed)
        } ago (${recent.rollout?.images.join(", ")})`,
        next: [{ tool: "get_deployments", arguments: { namespace: recent.namespace, name: recent.name } }],
      };
    },
  },
  {
    name: "activity_stopped",
    explains: 25,
    when: "the database records nothing of the service now, and did just before",
    find(evidence) {
      const activity = seen(evidence.activity);
      if (activity === undefined || "why" in activity || activity.events > 0 || activity.before === 0) {
        return undefined;
      }
      return {
        severity: "coincidence",
        text: `At the same time the database stopped recording its events: none in the window, ${
          count(activity.before)
        } in the one before`,
        next: [],
      };
    },
  },
];

/** What the rules find, what explains most first. */
export function findingsOf(evidence: Evidence): readonly Finding[] {
  return rules.toSorted((a, b) => b.explains - a.explains).flatMap((rule) => {
    const found = rule.find(evidence);
    return found === undefined ? [] : [{ rule: rule.name, ...found }];
  });
}

/** Requests per second now, where anything counts them, and a day before. */
function traffic({ metrics }: Evidence): { readonly now: number | undefined; readonly before: number } {
  const symptoms = seen(metrics);
  return {
    now: symptoms?.requests?.rates?.requestsPerSecond,
    before: symptoms?.dayBefore?.rates?.requestsPerSecond ?? 0,
  };
}

/** The last line of a sick pod's log that matches. */
function logged(evidence: Evidence, pattern: RegExp): string | undefined {
  for (const { lines } of seen(evidence.cluster)?.errors ?? []) {
    const line = lines.findLast(({ text }) => pattern.test(text));
    if (line !== undefined) return line.count > 1 ? `${line.text} (${count(line.count)} times)` : line.text;
  }
  return undefined;
}

function podsFinding(
  evidence: Evidence,
  matches: (pod: Pod) => boolean,
  words: (pods: string) => string,
): Omit<Finding, "rule"> | undefined {
  const pods = seen(evidence.cluster)?.pods ?? [];
  const sick = pods.filter(matches);
  const [worst] = sick.toSorted((a, b) => b.status.restarts - a.status.restarts);
  if (worst === undefined) return undefined;
  const { status, name, namespace } = worst;
  const ending = status.lastEnding;
  const facts = [
    status.status,
    ...(status.restarts > 0 ? [plural(status.restarts, "restart")] : []),
    ...(ending === undefined
      ? []
      : [`last ended with exit code ${ending.exitCode}${ending.reason === "" ? "" : ` (${ending.reason})`}`]),
    ...(status.message === undefined ? [] : [status.message]),
  ];
  const call: NextCall = status.restarts > 0
    ? { tool: "get_pod_logs", arguments: { pod_name: name, namespace, previous: true } }
    : { tool: "describe_pod", arguments: { pod_name: name, namespace } };
  return {
    severity: sick.length === pods.length ? "down" : "degraded",
    text: `${
      words(`${sick.length} of ${plural(pods.length, "pod")} ${sick.length === 1 ? "is" : "are"}`)
    }: ${name}: ${facts.join(", ")}`,
    next: [call],
  };
}
