/** The verdict on what is known of a service. */
import { plural } from "../common/units.ts";
import { leftOutTexts } from "./asking.ts";
import { episodeClause } from "./episode.ts";
import type { Instance } from "./instances.ts";
import { latencyReasons, latencyUnjudged } from "./latency_verdict.ts";
import { oneLine } from "./one_line.ts";
import { requestDoubts, requestReasons } from "./request_verdict.ts";
import { alertText, type ServiceAlerts } from "./service_alerts.ts";
import type { Symptoms } from "./symptoms.ts";
import { utc } from "./time.ts";
import { vanishedText } from "./vanished.ts";

/** `unknown`: nothing bad was seen, but too little to judge. */
export const healthVerdicts = ["healthy", "degraded", "down", "unknown"] as const;
/** See {@linkcode healthVerdicts}. */
export type HealthVerdict = (typeof healthVerdicts)[number];

/** A verdict and what it rests on. */
export interface Judgement {
  readonly verdict: HealthVerdict;
  /** What speaks against the service, the worst first. */
  readonly reasons: readonly string[];
  /** What is not known; but for what `notJudged` tells it would have to be for `healthy`. */
  readonly missing: readonly string[];
  /** What a service may be called healthy without, if that is said in the same breath; a word or two each. */
  readonly notJudged: readonly string[];
}

/** An instance that failed so often within the window flaps. */
export const flaps = 2;

/**
 * The verdict. Never `healthy` where what it takes is not known: instances, errors and alerts. Latency and the day before,
 * which many services do not have, are told as not judged; so are the alerts of a server that tells of none, ever.
 */
export function judge(symptoms: Symptoms): Judgement {
  const { service, instances, alerts, leftOut } = symptoms;
  const essential = findMissing(symptoms);
  const unjudged = findUnjudged(symptoms);
  const missing = [
    ...essential,
    ...unjudged.map(({ topic, why }) => `${topic}: ${why}`),
    ...leftOutTexts(leftOut),
  ];
  // Where nothing speaks against the service, all that is looked at beside the rest is what could.
  const notJudged = [
    ...new Set([...unjudged.map(({ topic }) => topic), ...leftOut.map(({ what }) => what)]),
  ];
  // What is down needs no more to be known; what could not be asked is told anyhow.
  const unasked = [...symptoms.failures, ...leftOutTexts(leftOut)];
  if (service.goneSince !== undefined) {
    const reason = `it has no samples any more: the last was at ${utc(Math.floor(service.goneSince))}`;
    return { verdict: "down", reasons: [reason], missing: unasked, notJudged: [] };
  }
  const all = instances?.all ?? [];
  const up = all.filter(({ state }) => state === "UP");
  const reasons = [
    ...instanceReasons(all),
    ...(symptoms.probes === undefined ? [] : [symptoms.probes.text]),
    ...(alerts?.firing ?? []).filter(({ matters }) => matters).slice(0, 3).map(({ name, severity }) =>
      `alert ${oneLine(name, 100)} fires${severity === "" ? "" : ` (${oneLine(severity, 40)})`}`
    ),
    ...requestReasons(symptoms, episodeClause(symptoms.episodes.errors, symptoms.time)),
    ...latencyReasons(symptoms, episodeClause(symptoms.episodes.latency, symptoms.time)),
  ];
  if (all.length > 0 && up.length === 0) {
    return { verdict: "down", reasons, missing: unasked, notJudged: [] };
  }
  if (reasons.length > 0) return { verdict: "degraded", reasons, missing, notJudged };
  return { verdict: essential.length === 0 ? "healthy" : "unknown", reasons, missing, notJudged };
}

function instanceReasons(all: readonly Instance[]): readonly string[] {
  const named = (list: readonly Instance[]) =>
    list.slice(0, 3).map(({ name }) => name).join(", ") + (list.length > 3 ? " …" : "");
  const up = all.filter(({ state }) => state === "UP");
  const down = all.filter(({ state }) => state === "DOWN");
  const stale = all.filter(({ state }) => state === "STALE");
  const flapping = up.filter(({ failures }) => failures >= flaps);
  return [
    ...(down.length === 0
      ? []
      : [`${down.length} of ${plural(down.length + up.length, "instance")} DOWN: ${named(down)}`]),
    // Where others are left it may have been replaced, which is no fault.
    ...(up.length > 0 || stale.length === 0
      ? []
      : [`${plural(stale.length, "instance")} no longer scraped: ${named(stale)}`]),
    ...(flapping.length === 0
      ? []
      : [`${plural(flapping.length, "instance")} up and down again: ${named(flapping)}`]),
  ];
}

function findMissing(symptoms: Symptoms): readonly string[] {
  const { service, instances, requests, alerts, failures, warnings } = symptoms;
  const missing = [...failures];
  const traffic = (requests?.rates?.requestsPerSecond ?? 0) > 0;
  const scraped = (instances?.all.length ?? 0) > 0;
  const gone = vanishedDoubts(symptoms);
  missing.push(...gone);
  if (service.goneSince === undefined && requests !== undefined && !traffic && gone.length === 0) {
    missing.push(
      requests.rates === undefined
        ? "errors: nothing that counts its requests by status was found; that it is scraped does not say that it works"
        : "errors: there were no requests, which says nothing",
    );
  }
  if (
    !scraped && !traffic && service.goneSince === undefined &&
    !failures.some((f) => f.startsWith("instances"))
  ) {
    missing.push("instances: it has no up series");
  }
  if (alerts === undefined && !failures.some((failure) => failure.startsWith("alerts"))) {
    missing.push("alerts: not asked");
  }
  for (const { text } of service.down ?? []) {
    missing.push(`instances: all of ${text} are down, which may be the service itself`);
  }
  missing.push(...requestDoubts(symptoms), ...alertDoubts(alerts), ...vagueAlerts(alerts));
  if ((instances?.unread ?? 0) > 0) missing.push(`instances: ${instances?.unread} were not read`);
  if (warnings.length > 0) missing.push(`parts of answers: Prometheus warns: ${warnings.join("; ")}`);
  return missing;
}

/** What counted its requests until some minutes ago says nothing of now. */
function vanishedDoubts(
  { vanished, requests, time }: Pick<Symptoms, "vanished" | "requests" | "time">,
): readonly string[] {
  const text = vanishedText(vanished, requests?.rates, time);
  return text === undefined ? [] : [`errors: ${text}`];
}

/** Rules about it that never fire, whatever happens. */
export function alertDoubts(alerts: ServiceAlerts | undefined): readonly string[] {
  return (alerts?.unevaluated ?? []).slice(0, 3).map((text) => `alerts: ${text}`);
}

function vagueAlerts(alerts: ServiceAlerts | undefined): readonly string[] {
  return (alerts?.firing ?? []).filter(({ isVague }) => isVague).slice(0, 3).map((alert) =>
    `alerts: ${alertText(alert)} fires, and may be about another namespace`
  );
}

interface Unjudged {
  readonly topic: "latency" | "change since a day before" | "alerts";
  readonly why: string;
}

function findUnjudged(symptoms: Symptoms): readonly Unjudged[] {
  const { latency, requests, dayBefore, alerts, failures } = symptoms;
  const unjudged: Unjudged[] = [];
  // What could not be asked is told as that.
  const failed = (what: string) => failures.some((failure) => failure.startsWith(`${what}:`));
  const why = failed("latency") ? undefined : latencyUnjudged(latency);
  if (why !== undefined) unjudged.push({ topic: "latency", why });
  if (requests?.rates !== undefined && dayBefore?.rates === undefined && !failed("requests a day before")) {
    unjudged.push({ topic: "change since a day before", why: "no requests were counted then" });
  }
  if (alerts?.unsure !== undefined) unjudged.push({ topic: "alerts", why: alerts.unsure });
  if (alerts?.ruleless) unjudged.push({ topic: "alerts", why: "no alerting rule is defined" });
  return unjudged;
}
