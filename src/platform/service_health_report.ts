/** Tool `service_health_report`: is this service healthy, and if not, why? One answer over cluster, metrics and database. */
import { z } from "zod";
import { CallError } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { count, percent, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { humanDuration } from "../kubernetes/kubernetes_age.ts";
import { restartsText } from "../kubernetes/pod_status.ts";
import { checkNamespace } from "../kubernetes/paths.ts";
import { durationText } from "../prometheus/latency.ts";
import { rate } from "../prometheus/requests.ts";
import { formatDuration, parseDuration, utc } from "../prometheus/time.ts";
import { type Evidence, type Part, type PartName, parts, seen } from "./evidence.ts";
import { type Finding, findingsOf, type NextCall } from "./findings.ts";
import { gather, hasActivity, isKnown, type Sources } from "./gather.ts";
import type { PodErrors } from "./workload.ts";
import { healthVerdicts, judge, type Judgement } from "./verdict.ts";

const input = z.strictObject({
  service: z.string().min(1).max(200).describe(
    "Its name in the cluster, and in Prometheus's job or service label",
  ),
  namespace: z.string().min(1).max(63).optional().describe("Kubernetes namespace; all unless given"),
  window: z.string().max(20).default("15m").describe("How far back: 5m, 15m, 1h"),
});

const output = z.object({
  service: z.string(),
  verdict: z.enum(healthVerdicts).describe(
    "unknown: nothing bad was seen, but not enough to call it healthy",
  ),
  because: z.string(),
  window: z.string(),
  until: z.string(),
  findings: z.array(z.object({ rule: z.string(), severity: z.string(), text: z.string() }))
    .describe("What explains most first"),
  finding_count: z.number(),
  evidence: z.array(z.object({ part: z.enum(parts), lines: z.array(z.string()) })),
  not_seen: z.array(z.object({ part: z.enum(parts), why: z.string() })),
  next: z.array(z.object({ tool: z.string(), arguments: z.string().describe("JSON") })),
});
type Report = z.output<typeof output>;

interface Found {
  readonly evidence: Evidence;
  readonly findings: readonly Finding[];
  readonly judgement: Judgement;
}

/** Seconds. */
const longestWindow = 86_400;
/** Calls to make next. */
const mostCalls = 4;

/** Reports on a service; `tools` are the names of the tools that a next call may name. */
export function serviceHealthReport(sources: Sources, tools: ReadonlySet<string>): Tool {
  return defineTool({
    name: "service_health_report",
    title: "Service health report",
    description:
      "Is a service healthy, and if not, why? Reads workload, pods, last error lines, traffic, errors, latency against " +
      "the day before, alerts, and recent activity and health of the database, all at once. Begins with a verdict and the " +
      "findings that carry it, then evidence, what could not be seen, and the calls to make next. Start here.",
    input,
    output,
    async run({ service, namespace, window: text }, { signal, progress }): Promise<Found> {
      if (namespace !== undefined) checkNamespace(namespace);
      const window = parseDuration(text, "window");
      if (window > longestWindow) {
        throw new CallError("invalid", `Cannot look back ${text}`, { hint: "window is at most 1d" });
      }
      const read: PartName[] = [];
      const evidence = await gather(sources, { service, namespace, window }, signal, (part) => {
        read.push(part);
        progress(`read: ${read.join(", ")}`);
      });
      refuseNothing(evidence);
      const findings = findingsOf(evidence);
      return { evidence, findings, judgement: judge(evidence, findings) };
    },
    present(found, budget) {
      const make = (shown: number) => {
        const structured = reportOf(found, shown, tools);
        return { text: render(structured), structured, rows: structured.findings.length };
      };
      return largestThatFits(20, make, budget);
    },
  });
}

/** A report about nothing is none. Throws {@linkcode CallError} when no part knows the service, or none could answer. */
function refuseNothing(evidence: Evidence): void {
  if (isKnown(evidence) || hasActivity(evidence)) return;
  const asked = [evidence.cluster, evidence.metrics].filter(({ state }) => state !== "not_asked");
  const reasons = ([["cluster", evidence.cluster], ["Prometheus", evidence.metrics]] as const)
    .flatMap(([name, part]) => "why" in part && part.state !== "not_asked" ? [`${name}: ${part.why}`] : []);
  const service = JSON.stringify(visible(evidence.service));
  if (asked.some(({ state }) => state === "unseen")) {
    throw new CallError("unavailable", `Cannot tell anything of ${service}: ${reasons.join("; ")}`, {
      hint: "the other tools tell more of what fails; try again later",
    });
  }
  const [near] = asked.flatMap((part) => part.state === "not_found" ? part.near ?? [] : []);
  throw new CallError("not_found", `Cannot find a service named ${service}: ${reasons.join("; ")}`, {
    hint: near ?? "rank_services_by_error_rate lists those that Prometheus knows",
  });
}

function reportOf(
  { evidence, findings, judgement }: Found,
  shown: number,
  tools: ReadonlySet<string>,
): Report {
  const calls = new Map<string, NextCall>();
  for (const call of findings.flatMap(({ next }) => next)) {
    if (tools.has(call.tool)) calls.set(JSON.stringify(call), call);
  }
  const kept = findings.slice(0, Math.max(3, shown));
  return {
    service: evidence.service,
    ...judgement,
    window: formatDuration(evidence.window),
    until: utc(Math.floor(evidence.now / 1000)),
    findings: kept.map(({ rule, severity, text }) => ({
      rule,
      severity,
      text: text.slice(0, 60 + 40 * shown),
    })),
    finding_count: findings.length,
    evidence: [
      { part: "cluster" as const, lines: clusterLines(evidence, shown) },
      { part: "metrics" as const, lines: metricsLines(evidence) },
      { part: "activity" as const, lines: activityLines(evidence) },
      { part: "database" as const, lines: databaseLines(evidence, shown) },
    ].filter(({ lines }) => lines.length > 0),
    not_seen: parts.flatMap((part) => notSeen(part, evidence[part])),
    next: [...calls.values()].slice(0, mostCalls)
      .map(({ tool, arguments: args }) => ({ tool, arguments: JSON.stringify(args) })),
  };
}

function notSeen(part: PartName, value: Part<unknown>): Report["not_seen"] {
  if (value.state === "seen") {
    const unseen = typeof value.value === "object" && value.value !== null && "unseen" in value.value
      ? value.value.unseen
      : [];
    return Array.isArray(unseen) ? unseen.slice(0, 5).map((why) => ({ part, why: String(why) })) : [];
  }
  const near = value.state === "not_found" && value.near !== undefined ? `; ${value.near}` : "";
  return [{ part, why: `${value.why}${near}` }];
}

function clusterLines({ cluster, now }: Evidence, shown: number): string[] {
  const report = seen(cluster);
  if (report === undefined) return [];
  const { workloads, pods, errors, by, context } = report;
  const sick = pods.filter(({ status }) => !status.healthy);
  return [
    ...workloads.map(({ kind, namespace, name, ready, desired, rollout, changed }) =>
      `${kind} ${namespace}/${name} (context ${context}): ${ready}/${desired} ready${
        rollout === undefined ? "" : `, rollout ${rollout.verdict}`
      }${changed === undefined ? "" : `, this revision is ${humanDuration(now - changed)} old`}`
    ),
    `${plural(pods.length, "pod")}, ${count(pods.length - sick.length)} well${
      workloads.length === 0 ? `, found by ${by} (context ${context})` : ""
    }`,
    ...sick.slice(0, Math.min(5, shown)).map(({ name, status, node }) =>
      `${name}: ${status.status}, ready ${status.readyContainers}/${status.containers}, restarts ${
        restartsText(status, now)
      }${node === undefined ? "" : `, on ${node}`}`
    ),
    ...(sick.length > Math.min(5, shown)
      ? [`[Cut: ${count(sick.length)} sick pods in all; get_pods lists them]`]
      : []),
    ...saidLines(errors).slice(-Math.max(1, Math.min(5, shown))),
  ];
}

/** What the pods said last; the same line of several pods stands once. */
function saidLines(errors: readonly PodErrors[]): string[] {
  const lines = errors.flatMap(({ pod, previous, lines }) =>
    lines.map((line) => ({ ...line, pod, previous }))
  );
  return [...Map.groupBy(lines, ({ text }) => text)].map(([text, same]) => {
    const pods = new Set(same.map(({ pod }) => pod));
    const times = same.reduce((sum, { count }) => sum + count, 0);
    return `${pods.size === 1 ? [...pods].join("") : plural(pods.size, "pod")}${
      same.every(({ previous }) => previous) ? " (before the restart)" : ""
    } said: ${text}${times > pods.size ? ` (${count(times)} times)` : ""}`;
  });
}

function metricsLines({ metrics }: Evidence): string[] {
  const report = seen(metrics);
  if (report === undefined) return [];
  const { service, instances, latency, window, notes } = report;
  const rates = report.requests?.rates;
  const before = report.dayBefore?.rates;
  const firing = report.alerts?.firing;
  const lines = [];
  if (instances !== undefined && instances.all.length > 0) {
    const of = (state: string) => instances.all.filter((one) => one.state === state).length;
    lines.push(`found by ${service.text}: ${of("UP")} up, ${of("DOWN")} down, ${of("STALE")} gone`);
  } else lines.push(`found by ${service.text}; no \`up\`, so whether it is scraped is not known`);
  const failed = (what: string) => report.failures.some((failure) => failure.startsWith(`${what}:`));
  if (failed("requests")) lines.push("requests: not seen");
  else if (rates === undefined) lines.push("requests: no data, nothing counts them by status");
  else if (rates.requestsPerSecond === 0) lines.push(`requests: none in ${formatDuration(window)}`);
  else {
    lines.push(
      `${rate(rates.requestsPerSecond)} requests/s, ${percent(rates.ratio)} fail${
        before === undefined || before.requestsPerSecond === 0
          ? "; no figures from a day before"
          : `; a day before ${rate(before.requestsPerSecond)}/s, ${percent(before.ratio)}`
      } (over ${formatDuration(window)})`,
    );
  }
  if (failed("latency")) lines.push("latency: not seen");
  else if (latency === undefined || latency.quantiles.length === 0) lines.push("latency: no data");
  else {
    lines.push(
      `latency: ${
        latency.quantiles.map(({ quantile, value, dayBefore }) =>
          `p${Number((quantile * 100).toPrecision(6))} ${durationText(value, latency.unit)}${
            Number.isNaN(dayBefore) ? "" : ` (a day before ${durationText(dayBefore, latency.unit)})`
          }`
        ).join(", ")
      }`,
    );
  }
  lines.push(
    firing === undefined
      ? "alerts: not seen"
      : firing.length === 0
      ? "no alert about it fires"
      : `alerts: ${
        firing.slice(0, 5).map(({ name, severity }) =>
          `${name} firing${severity === "" ? "" : ` (${severity})`}`
        )
          .join(", ")
      }`,
    ...notes,
  );
  return lines;
}

function activityLines({ activity, window }: Evidence): string[] {
  const value = seen(activity);
  if (value === undefined) return [];
  if ("why" in value) return [`recent activity is not known: ${value.why}`];
  const { table, events, before, lastMs } = value;
  const span = formatDuration(window);
  return [
    events + before === 0
      ? `${table}: no event of it in ${formatDuration(2 * window)}, which may mean that it records none`
      : `${table}: ${plural(events, "event")} in ${span}, ${count(before)} in the ${span} before${
        lastMs === undefined ? "" : `, the last ${humanDuration(lastMs)} ago`
      }`,
  ];
}

function databaseLines({ database }: Evidence, shown: number): string[] {
  const examination = seen(database);
  if (examination === undefined) return [];
  const bad = examination.sections.filter(({ verdict }) => verdict === "critical" || verdict === "warning");
  const connections = examination.sections.find(({ name }) => name === "connections");
  return [
    ...(connections === undefined ? [] : [`connections: ${connections.summary}`]),
    ...bad.filter(({ name }) => name !== "connections").slice(0, Math.min(4, shown))
      .map(({ name, verdict, summary }) => `${verdict} ${name}: ${summary}`),
    ...(bad.length === 0 ? ["nothing critical, no warning"] : []),
  ].map((line) => line.slice(0, 100 + 20 * shown));
}

function render(report: Report): string {
  const { findings, finding_count: found } = report;
  const lines = [
    `${
      visible(report.service)
    }: ${report.verdict.toUpperCase()}, ${report.because} (the last ${report.window} until ${report.until})`,
    ...findings.map(({ text }, index) => `${index + 1}. ${visible(text)}`),
    ...(found > findings.length ? [`[Cut: ${found} findings in all]`] : []),
    "",
  ];
  for (const { part, lines: told } of report.evidence) {
    const [first = "", ...rest] = told.map((line) => visible(line));
    lines.push(`${part}: ${first}`, ...rest.map((line) => `  ${line}`));
  }
  if (report.not_seen.length > 0) {
    lines.push("", ...report.not_seen.map(({ part, why }) => `not seen, ${part}: ${visible(why)}`));
  }
  if (report.next.length > 0) {
    lines.push("", `next: ${report.next.map(({ tool, arguments: args }) => `${tool} ${args}`).join("; ")}`);
  }
  return lines.join("\n");
}
