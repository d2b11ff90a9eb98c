/** One word for a service. Nothing is called healthy for want of bad news: something has to say so. */
import { percent } from "../common/units.ts";
import { type Evidence, seen } from "./evidence.ts";
import type { Finding } from "./findings.ts";

/** `unknown`: nothing bad was seen, but not enough to call it healthy. */
export const healthVerdicts = ["down", "degraded", "unknown", "healthy"] as const;
export type HealthVerdict = (typeof healthVerdicts)[number];

/** The verdict, and why, in a clause. */
export interface Judgement {
  readonly verdict: HealthVerdict;
  readonly because: string;
}

/** Judges by the findings, and where there is none by what was seen. */
export function judge(evidence: Evidence, findings: readonly Finding[]): Judgement {
  const down = findings.filter(({ severity }) => severity === "down");
  const ready = isReady(evidence);
  // What Prometheus can't scrape may well serve: ready pods are a better witness.
  const believed = ready ? down.filter(({ rule }) => !unscraped.includes(rule)) : down;
  const [first] = believed;
  if (first !== undefined) return { verdict: "down", because: reasonOf(first) };
  if (findings.some(({ severity }) => severity !== "coincidence")) {
    return { verdict: "degraded", because: "it serves, but not well" };
  }
  const missing = (["cluster", "metrics"] as const).filter((name) => {
    const { state } = evidence[name];
    return state === "unseen" || state === "not_found";
  });
  if (missing.length > 0) {
    return {
      verdict: "unknown",
      because: `nothing bad was seen, but not all was: no word from ${missing.join(", ")}`,
    };
  }
  const unseen = [...seen(evidence.cluster)?.unseen ?? [], ...seen(evidence.metrics)?.unseen ?? []];
  if (unseen.length > 0) {
    return { verdict: "unknown", because: "nothing bad was seen, but not all could be read" };
  }
  const rates = seen(evidence.metrics)?.requests?.rates;
  if (rates !== undefined && rates.requestsPerSecond > 0) {
    return {
      verdict: "healthy",
      because: `${percent(1 - rates.ratio)} of its requests succeed${ready ? " and its pods are ready" : ""}`,
    };
  }
  if (rates !== undefined && rates.requestsPerSecond === 0) {
    return { verdict: "unknown", because: "nothing bad was seen, but no request arrives that could fail" };
  }
  return {
    verdict: "unknown",
    because: ready
      ? "its pods are ready, but nothing tells whether its requests succeed"
      : "nothing bad was seen, but nothing tells whether its requests succeed",
  };
}

/** Rules that tell of Prometheus's scraping, not of the service. */
const unscraped: readonly string[] = ["instances_down", "gone"];

function reasonOf({ rule }: Finding): string {
  if (unscraped.includes(rule)) return "Prometheus can scrape none of its instances";
  if (rule === "errors") return "nearly all of its requests fail";
  return "none of its pods is ready";
}

/** Whether the cluster knows the service, and all of its pods are as they should be. */
function isReady({ cluster }: Evidence): boolean {
  const report = seen(cluster);
  if (report === undefined || report.pods.length === 0) return false;
  return report.workloads.every(({ ready, desired }) => ready >= desired) &&
    report.pods.every(({ status }) => status.healthy);
}
