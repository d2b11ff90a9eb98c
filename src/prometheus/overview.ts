/** A Prometheus at a glance: version, targets, rules, alerts, how much it holds. */
import { CallError } from "../common/errors.ts";
import { age, count, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { byUrgency, readAlerting } from "./alerting.ts";
import type { AskOptions, PrometheusApi } from "./api.ts";
import { oneLine } from "./one_line.ts";
import { readBuild, unreachedStores } from "./stores.ts";
import { healthOf, poolsOf } from "./targets.ts";

/** Metric names that are counted; there may be more. */
const maxNames = 20_000;
/** Milliseconds for each part. */
const partTimeoutMs = 10_000;
/** Names of pools and alerts in one line. */
const maxNamed = 8;

/** One part each; a backend that lacks a call has a line that says so. */
export async function readOverview(api: PrometheusApi, signal: AbortSignal): Promise<readonly string[]> {
  const options: AskOptions = { signal, timeoutMs: partTimeoutMs };
  const parts: readonly (readonly [subject: string, line: Promise<readonly string[]>])[] = [
    ["Version", version(api, options)],
    ["Storage", storage(api, options)],
    ["Targets", targets(api, options)],
    ["Rules", rules(api, options)],
    ["Metric names", names(api, options)],
    ["Series in memory", headSeries(api, options)],
  ];
  const settled = await Promise.allSettled(parts.map(([, line]) => line));
  signal.throwIfAborted();
  const failures: unknown[] = [];
  const lines = settled.flatMap((part, index) => {
    if (part.status === "fulfilled") return part.value;
    if (!(part.reason instanceof CallError)) throw part.reason;
    failures.push(part.reason);
    return [`${parts[index]?.[0]}: not reported. ${visible(part.reason.message)}.`];
  });
  if (failures.length === parts.length) throw failures[0];
  return lines;
}

async function version(api: PrometheusApi, options: AskOptions): Promise<readonly string[]> {
  const { version, application } = await readBuild(api, options);
  const unreached = await unreachedStores(api, options);
  return [
    ...unreached.map((text) => `${text}.`),
    `${oneLine(application, 60)} ${version === "" ? "of an unknown version" : oneLine(version, 60)}`,
  ];
}

async function storage(api: PrometheusApi, options: AskOptions): Promise<readonly string[]> {
  const { startTime, storageRetention, reloadConfigSuccess } = await api.runtimeInfo(options);
  const started = Date.parse(startTime);
  return [
    ...(Number.isNaN(started) ? [] : [`Started ${age(started, Date.now())}.`]),
    ...(storageRetention === "" ? [] : [`Retention: ${oneLine(storageRetention, 60)}.`]),
    ...(reloadConfigSuccess === false ? ["The last reload of its configuration failed."] : []),
  ];
}

async function targets(api: PrometheusApi, options: AskOptions): Promise<readonly string[]> {
  const { active } = await api.targets("active", options);
  if (active.length === 0) return ["Targets: none."];
  const up = active.filter((target) => healthOf(target) === "up").length;
  const pools = poolsOf(active, new Map());
  const jobs = pools.slice(0, maxNamed).map(({ pool, up, down, unknown }) => {
    const others = [
      ...(down > 0 ? [`${count(down)} down`] : []),
      ...(unknown > 0 ? [`${count(unknown)} unknown`] : []),
    ];
    return `  ${oneLine(pool, 100)}: ${[`${count(up)} up`, ...others].join(", ")}`;
  });
  return [
    `Targets: ${count(up)} of ${count(active.length)} up, in ${plural(pools.length, "scrape pool")}:`,
    ...jobs,
    ...(pools.length > maxNamed ? [`  and ${plural(pools.length - maxNamed, "more pool")}`] : []),
  ];
}

async function rules(api: PrometheusApi, options: AskOptions): Promise<readonly string[]> {
  const { rules, complete, unsure } = await readAlerting(api, options);
  const groups = new Set(rules.map(({ group }) => group)).size;
  const alerts = rules.flatMap((rule) => rule.alerts);
  const firing = alerts.filter(({ state }) => state === "firing").length;
  const named = rules.filter(({ state }) => state === "firing").sort(byUrgency).slice(0, maxNamed)
    .map(({ name }) => oneLine(name, 100));
  const broken = rules.filter(({ error }) => error !== "").length;
  return [
    complete
      ? `Alerting rules: ${count(rules.length)} in ${plural(groups, "group")}${
        broken > 0 ? `, of which ${count(broken)} can't be evaluated` : ""
      }.`
      : "Alerting rules: not reported.",
    unsure !== undefined && alerts.length === 0
      ? "Alerts: not reported."
      : `Alerts: ${count(firing)} firing${named.length === 0 ? "" : ` (${named.join(", ")})`}, ${
        count(alerts.length - firing)
      } pending.`,
  ];
}

async function names(api: PrometheusApi, options: AskOptions): Promise<readonly string[]> {
  const { values, truncated } = await api.labelValues("__name__", [], {}, { ...options, limit: maxNames });
  return [`Metric names: ${truncated ? "more than " : ""}${count(values.length)}.`];
}

/** Known where Prometheus scrapes itself: counting all series would be a query over all of them. */
async function headSeries(api: PrometheusApi, options: AskOptions): Promise<readonly string[]> {
  const { series } = await api.query("max(prometheus_tsdb_head_series)", undefined, { ...options, limit: 1 });
  const value = series[0]?.value?.[1];
  return value === undefined ? [] : [`Series in memory: ${count(value)}.`];
}
