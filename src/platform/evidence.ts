/** All that a report knows of a service, part by part; a part that could not be asked says why. */
import type { Examination } from "../postgres/health/examination.ts";
import type { Activity, NoActivity } from "./activity.ts";
import type { MetricsReport } from "./metrics.ts";
import type { UsageReport } from "./usage.ts";
import type { WorkloadReport } from "./workload.ts";

/** The parts, in the order in which a report tells them. */
export const parts = ["cluster", "metrics", "activity", "database"] as const;
export type PartName = (typeof parts)[number];

/** What became of one part. */
export type Part<Value> =
  | { readonly state: "seen"; readonly value: Value }
  /** It was asked, and there is nothing of that service. */
  | { readonly state: "not_found"; readonly why: string; readonly near: string | undefined }
  /** It could not answer. */
  | { readonly state: "unseen"; readonly why: string; readonly hint?: string | undefined }
  /** Its backend is not configured. */
  | { readonly state: "not_asked"; readonly why: string }
  /** Nothing called for it. */
  | { readonly state: "not_needed" };

/** The evidence about one service. */
export interface Evidence {
  readonly service: string;
  /** The namespace that was asked for. */
  readonly namespace: string | undefined;
  /** Seconds. */
  readonly window: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly cluster: Part<WorkloadReport>;
  readonly metrics: Part<MetricsReport>;
  readonly activity: Part<Activity | NoActivity>;
  readonly database: Part<Examination>;
  /** What its containers use of their limits. */
  readonly usage: Part<UsageReport>;
}

/** The value of a part that was seen. */
export function seen<Value>(part: Part<Value>): Value | undefined {
  return part.state === "seen" ? part.value : undefined;
}

/** The name that Prometheus has for the service. */
export function metricsNameOf({ service, metrics }: Evidence): string {
  return seen(metrics)?.service.name ?? service;
}
