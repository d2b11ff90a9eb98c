/** One word for a service. Nothing is called healthy for want of bad news: something has to say so. */
import { percent } from "../common/units.ts";
import { age } from "./age.ts";
import { namesOf } from "../prometheus/asking.ts";
import type { RequestRates } from "../prometheus/requests.ts";
import { formatDuration } from "../prometheus/time.ts";
import { vanishedSince } from "../prometheus/vanished.ts";
import { type Evidence, seen } from "./evidence.ts";
import type { Finding } from "./rule.ts";
import { isServing } from "./workload.ts";

/** From here on those that are refused are told of. */
const toldRefused = 0.01;

/** `unknown`: nothing bad was seen, but not enough to call it healthy. */
export const healthVerdicts = ["down", "degraded", "unknown", "healthy"] as const;
export type HealthVerdict = (typeof healthVerdicts)[number];

/** The verdict, and why, in a clause. */
export interface Judgement {
  readonly verdict: HealthVerdict;
  readonly because: string;
}

/** Judges by the findings, and where there is none by what was seen; healthy comes with what was not looked at. */
export function judge(evidence: Evidence, findings: readonly Finding[]): Judgement {
  const { verdict, because } = judgeSeen(evidence, findings);
  // Where nothing speaks against the service, all that is looked at beside the rest is what could.
  const { leftOut = [] } = seen(evidence.metrics) ?? {};
  return verdict === "healthy" && leftOut.length > 0
    ? { verdict, because: `${because}; not looked at: ${namesOf(leftOut)}` }
    : { verdict, because };
}

function judgeSeen(evidence: Evidence, findings: readonly Finding[]): Judgement {
  const down = findings.filter(({ severity }) => severity === "down");
  const ready = isReady(evidence);
  // What Prometheus can't scrape may well serve: a ready pod is a better witness.
  const serving = seen(evidence.cluster)?.pods.some(isServing) === true;
  const believed = serving ? down.filter(({ rule }) => !unscraped.includes(rule)) : down;
  const [first] = believed;
  if (first !== undefined) return { verdict: "down", because: reasonOf(first) };
  const against = findings.filter(({ severity }) => severity !== "coincidence");
  if (against.length > 0) return { verdict: "degraded", because: degradedBecause(evidence, against, ready) };
  const silent = (["cluster", "metrics"] as const).filter((name) => evidence[name].state === "unseen");
  if (silent.length > 0) {
    return {
      verdict: "unknown",
      because: `nothing bad was seen, but not everything was looked at: no answer from ${silent.join(", ")}`,
    };
  }
  if (evidence.metrics.state === "not_found") {
    return {
      verdict: "unknown",
      because: `${ready ? "its pods are ready" : "nothing bad was seen"}, but Prometheus does not know it`,
    };
  }
  const metrics = seen(evidence.metrics);
  const gone = metrics && vanishedSince(metrics.vanished, metrics.time);
  if (gone !== undefined) {
    return {
      verdict: "unknown",
      because: `${
        ready ? "its pods are ready" : "nothing bad was seen"
      }, but there is no data on its requests since ${gone.since}`,
    };
  }
  if (metrics?.alerts?.firing.some(({ isVague }) => isVague)) {
    return { verdict: "unknown", because: "nothing bad was seen, but an alert fires that may be about it" };
  }
  const unseen = [...seen(evidence.cluster)?.unseen ?? [], ...seen(evidence.metrics)?.unseen ?? []];
  if (unseen.length > 0) {
    return { verdict: "unknown", because: "nothing bad was seen, but not everything could be read" };
  }
  const rates = seen(evidence.metrics)?.requests?.rates;
  if (rates !== undefined && rates.requestsPerSecond > 0) {
    const recent = seen(evidence.metrics)?.recent;
    if (recent !== undefined && !((recent.requests.rates?.requestsPerSecond ?? 0) > 0)) {
      return {
        verdict: "unknown",
        because: `nothing bad was seen, but no request arrived in the last ${formatDuration(recent.window)}`,
      };
    }
    const service = seen(evidence.metrics)?.service;
    const ambiguous = (service?.rivals?.length ?? 0) > 0;
    const succeed = success(rates, ambiguous ? `the requests of ${service?.text}` : "its requests");
    // The other may be the failing one, unless pods of that name vouch for it.
    if (ambiguous && !ready) {
      return { verdict: "unknown", because: `${succeed}, but something else of that name was not judged` };
    }
    if (evidence.cluster.state !== "not_found") {
      return { verdict: "healthy", because: `${succeed}${ready ? " and its pods are ready" : ""}` };
    }
    // Requests of the window say nothing of a workload that was deleted a minute ago; an instance that is up does.
    const up = seen(evidence.metrics)?.instances?.all.some(({ state }) => state === "UP") === true;
    return {
      verdict: up ? "healthy" : "unknown",
      because: `${succeed}, ${up ? "though" : "but"} the cluster has no workload of that name`,
    };
  }
  if (rates !== undefined && rates.requestsPerSecond === 0) {
    return { verdict: "unknown", because: "nothing bad was seen, but no requests arrive" };
  }
  return {
    verdict: "unknown",
    because: ready
      ? "its pods are ready, but nothing tells whether its requests succeed"
      : "nothing bad was seen, but nothing tells whether its requests succeed",
  };
}

/** What is refused (4xx and the like) fails through nobody's fault here, and does not succeed either. */
function success(rates: RequestRates, whose: string): string {
  const { ratio, refusedPerSecond, requestsPerSecond, codes, source } = rates;
  const refused = refusedPerSecond / requestsPerSecond;
  if (!(refused >= toldRefused)) return `${percent(1 - ratio)} of ${whose} succeed`;
  const fail = ratio === 0 ? `none of ${whose} fails` : `${percent(ratio)} of ${whose} fail`;
  const named = codes.filter(({ code, perSecond }) => perSecond > 0 && source.errors.isRefusal(code));
  return `${fail}, ${percent(refused)} are refused (${named.slice(0, 3).map(({ code }) => code).join(", ")})`;
}

/** Rules that tell of Prometheus's scraping, not of the service. */
const unscraped: readonly string[] = ["instances_down", "instances_flap", "gone"];

/** Rules that tell what others say of the service. */
const told = [["alerts", "an alert about it fires"], ["probes", "a probe from outside fails"]] as const;

function reasonOf({ rule }: Finding): string {
  if (unscraped.includes(rule)) return "Prometheus can scrape none of its instances";
  if (rule === "errors") return "nearly all of its requests fail";
  if (rule === "service_without_pods") return "its Service has no ready pod behind it";
  if (rule === "scaled_to_zero") return "it is scaled to zero";
  return "none of its pods is ready";
}

function degradedBecause(evidence: Evidence, against: readonly Finding[], ready: boolean): string {
  if (against.every(({ rule }) => unscraped.includes(rule))) {
    return `${ready ? "its pods are ready, but " : ""}Prometheus can't scrape it properly`;
  }
  if (against.every(({ rule }) => rule === "no_traffic")) return "nearly all of its traffic is gone";
  for (const [rule, what] of told) {
    if (against.every((one) => one.rule === rule)) {
      return `${what}, and nothing else that was seen points to a problem`;
    }
  }
  const ended = lastEnded(evidence, against);
  if (ended !== undefined) return `it had problems until ${age(evidence.now - 1000 * ended)} ago`;
  const { ratio = NaN } = seen(evidence.metrics)?.requests?.rates ?? {};
  const serves = ratio < 1 || seen(evidence.cluster)?.pods.some(isServing) === true;
  return serves ? "it serves, but not well" : "there are signs of a problem";
}

/** When the last of what speaks against it was over, epoch seconds; undefined where something goes on. */
function lastEnded({ metrics }: Evidence, against: readonly Finding[]): number | undefined {
  const { errors, latency } = seen(metrics)?.episodes ?? {};
  const ends = against.map(({ rule }) =>
    (rule === "errors" ? errors : rule === "latency" ? latency : undefined)?.ended ?? Infinity
  );
  const last = Math.max(...ends);
  return Number.isFinite(last) ? last : undefined;
}

/** Whether the cluster knows the service, and all of its pods are as they should be. */
function isReady({ cluster }: Evidence): boolean {
  const report = seen(cluster);
  if (report === undefined || report.pods.length === 0) return false;
  return report.workloads.every(({ ready, desired }) => ready >= desired) &&
    report.pods.every(({ status }) => status.healthy);
}
