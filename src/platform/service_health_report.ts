/** Tool `service_health_report`: is this service healthy, and if not, why? One answer over cluster, metrics and database. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { shortened } from "../common/shortened.ts";
import { filled } from "../common/structured.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { checkNamespace } from "../kubernetes/paths.ts";
import { leftOutTexts } from "../prometheus/asking.ts";
import { formatDuration, parseDuration, utc } from "../prometheus/time.ts";
import { type Evidence, type Part, type PartName, parts, seen } from "./evidence.ts";
import { findingsOf } from "./findings.ts";
import { gather, type Sources } from "./gather.ts";
import { refuseNothing } from "./nothing_known.ts";
import { evidenceLines } from "./report_lines.ts";
import { logCall } from "./log_rules.ts";
import type { Finding, NextCall } from "./rule.ts";
import { healthVerdicts, judge, type Judgement } from "./verdict.ts";
import { namespacesOf } from "./workload.ts";
import { wrap } from "./wrap.ts";

const input = z.strictObject({
  service: z.string().min(1).max(200).describe(
    "Its name as a workload, and as job or service label in Prometheus",
  ),
  namespace: z.string().min(1).max(63).optional().describe("Default: all"),
  window: z.string().max(20).default("15m").describe("How far back, 1d at most"),
});

const output = z.object({
  service: z.string(),
  verdict: z.enum(healthVerdicts).describe(
    "unknown: nothing bad was seen, but not enough to call it healthy",
  ),
  because: z.string(),
  window: z.string(),
  until: z.string(),
  finding_count: z.number(),
  findings: z.array(z.object({ rule: z.string(), severity: z.string(), text: z.string() }))
    .describe("What explains most first"),
  notes: z.array(z.string()).optional(),
  not_seen: z.array(z.object({ part: z.enum(parts), why: z.string() })),
  next: z.array(z.object({ tool: z.string(), arguments: z.string().describe("JSON") })).optional()
    .describe("Calls to make next"),
  evidence: z.array(z.object({ part: z.enum(parts), lines: z.array(z.string()) })),
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
/** Rules whose findings the log of a pod that serves may explain. */
const loggedRules: readonly string[] = [
  "errors",
  "failing_route",
  "latency",
  "slow_route",
  "refusals",
  "no_traffic",
  "alerts",
  "probes",
  "instances_down",
];
/** What was not seen of one part. */
const mostUnseen = 5;

/** Reports on a service; `tools` are the names of the tools that a next call may name. */
export function serviceHealthReport(sources: Sources, tools: ReadonlySet<string>): Tool {
  return defineTool({
    name: "service_health_report",
    title: "Service health report",
    description:
      "Is a service healthy, and if not, why? Start here. Reads pods, nodes, autoscaler, last error lines, traffic, errors, " +
      "latency against the day before, alerts, database activity and health, all at once: a verdict, the findings " +
      "behind it, evidence, what was not seen, the calls to make next.",
    input,
    output,
    async run({ service, namespace, window: text }, { signal, progress }): Promise<Found> {
      if (namespace !== undefined) checkNamespace(namespace);
      const window = parseDuration(text, "window");
      if (window > longestWindow) {
        throw new CallError("invalid", `Cannot look back ${text}`, { hint: "window is at most 1d" });
      }
      const read: string[] = [];
      const evidence = await gather(sources, { service, namespace, window }, signal, (part) => {
        read.push(part);
        progress(`read: ${read.join(", ")}`);
      });
      refuseNothing(evidence, tools);
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

function reportOf(
  { evidence, findings, judgement }: Found,
  shown: number,
  tools: ReadonlySet<string>,
): Report {
  const calls = new Map<string, NextCall>();
  for (
    const call of [
      ...eachNamespace(evidence),
      ...findings.flatMap(({ next }) => next),
      ...logs(evidence, findings),
    ]
  ) {
    if (tools.has(call.tool)) calls.set(JSON.stringify(call), call);
  }
  const kept = findings.slice(0, Math.max(3, shown));
  return {
    service: evidence.service,
    ...judgement,
    window: formatDuration(evidence.window),
    until: utc(Math.floor(evidence.now / 1000)),
    finding_count: findings.length,
    findings: kept.map(({ rule, severity, text }) => ({
      rule,
      severity,
      text: shortened(text, 140 + 36 * shown),
    })),
    ...filled({ notes: notesOf(evidence) }),
    not_seen: parts.flatMap((part) => notSeen(evidence, part)),
    ...filled({
      next: [...calls.values()].slice(0, mostCalls)
        .map(({ tool, arguments: args }) => ({ tool, arguments: JSON.stringify(args) }))
        // Of a call that is cut nobody has any use.
        .filter(({ arguments: args }) => args.length <= 150 + 100 * shown),
    }),
    evidence: [...evidenceLines(evidence, shown)],
  };
}

/** The calls that judge workloads of one name apart, the one with the most sick pods first. */
function eachNamespace({ service, cluster }: Evidence): readonly NextCall[] {
  const pods = seen(cluster)?.pods ?? [];
  const namespaces = namespacesOf(pods);
  if (namespaces.length < 2) return [];
  const sick = (namespace: string) =>
    pods.filter((pod) => pod.namespace === namespace && !pod.status.healthy).length;
  return namespaces.toSorted((a, b) => sick(b) - sick(a)).slice(0, mostCalls - 2)
    .map((namespace) => ({ tool: "service_health_report", arguments: { service, namespace } }));
}

/** The log to search where something is wrong and nothing of it was found in the end of any log. */
function logs({ cluster, metrics, window }: Evidence, findings: readonly Finding[]): readonly NextCall[] {
  const { pods = [], errors = [] } = seen(cluster) ?? {};
  const { outliers } = seen(metrics) ?? {};
  const isNamed = findings.some(({ next }) => next.some(({ tool }) => tool === "get_pod_logs"));
  if (isNamed || errors.length > 0 || findings.every(({ severity }) => severity === "coincidence")) return [];
  const read = pods.filter(({ container }) => container !== undefined);
  const serving =
    read.find(({ name }) => name === outliers?.errors?.pod || name === outliers?.latency?.pod) ??
      read[0];
  // What serves has nothing to say of pods that could not be made or started.
  const pod = read.find(({ status }) => !status.healthy) ??
    (findings.some(({ rule }) => loggedRules.includes(rule)) ? serving : undefined);
  return pod === undefined ? [] : [logCall(pod, window)];
}

function notesOf({ cluster, metrics }: Evidence): string[] {
  const namespaces = namespacesOf(seen(cluster)?.pods ?? []);
  // Another label of that value may be another service, which is not judged here.
  const others = seen(metrics)?.service.notes ?? [];
  if (namespaces.length < 2) return [...others];
  return [
    ...others,
    `its pods in ${namespaces.length} namespaces are judged here as if they were one service's: ${
      namespaces.slice(0, 10).join(", ")
    }${namespaces.length > 10 ? ", …" : ""}`,
  ];
}

/** What was not seen of parts that were. */
function unseenOf({ cluster, metrics, usage }: Evidence, part: PartName): readonly string[] {
  if (part === "cluster") return seen(cluster)?.unseen ?? [];
  if (part !== "metrics") return [];
  const { unseen = [], leftOut = [] } = seen(metrics) ?? {};
  const unread = seen(usage)?.unread ?? 0;
  const unused = usage.state === "unseen"
    ? [`CPU and memory in use: ${usage.why}`]
    : unread > 0
    ? [`CPU and memory in use of ${plural(unread, "pod")}`]
    : [];
  return [...unseen, ...leftOutTexts(leftOut), ...unused];
}

function notSeen(evidence: Evidence, part: PartName): Report["not_seen"] {
  const value: Part<unknown> = evidence[part];
  if (value.state === "seen") {
    const all = unseenOf(evidence, part);
    const more = all.length - mostUnseen;
    return [...all.slice(0, mostUnseen), ...(more > 0 ? [`${more} more things`] : [])]
      .map((why) => ({ part, why }));
  }
  if (value.state === "not_needed") {
    return [{ part, why: "nothing pointed to it, so its health was not checked; database_health checks it" }];
  }
  const more = value.state === "unseen"
    ? value.hint
    // What else there is helps where nothing was found at all.
    : value.state === "not_found" && value.near?.startsWith("there are ") !== true
    ? value.near
    : undefined;
  return [{ part, why: `${value.why}${more === undefined ? "" : `; ${more}`}` }];
}

function render(report: Report): string {
  const { findings, finding_count: found, notes = [], next = [] } = report;
  const span = `(${report.window} until ${report.until})`;
  const lines = [
    ...wrap(`${visible(report.service)}: ${report.verdict.toUpperCase()}, ${report.because} ${span}`),
    ...findings.flatMap(({ text }, index) => wrap(`${index + 1}. ${visible(text)}`)),
    ...(found > findings.length ? [`[Cut: ${found} findings in all]`] : []),
    ...notes.flatMap((note) => wrap(`note: ${visible(note)}`)),
    "",
  ];
  for (const { part, lines: told } of report.evidence) {
    const [first = "", ...rest] = told.map((line) => visible(line));
    lines.push(...wrap(`${part}: ${first}`), ...rest.flatMap((line) => wrap(`  ${line}`)));
  }
  if (report.not_seen.length > 0) {
    // A database that refuses us refuses both of its parts.
    const reasons = [...Map.groupBy(report.not_seen, ({ why }) => why)].map(([why, of]) =>
      `not seen, ${of.map(({ part }) => part).join(" and ")}: ${visible(why)}`
    );
    lines.push("", ...reasons.flatMap((reason) => wrap(reason)));
  }
  if (next.length > 0) {
    lines.push("", "next:", ...next.map(({ tool, arguments: args }) => `  ${tool} ${visible(args)}`));
  }
  return lines.join("\n");
}
