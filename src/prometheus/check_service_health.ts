/** Tool `check_service_health`: whether a service works, as far as Prometheus can tell, and by what. */
import * as z from "zod";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { filled, rounded } from "../common/structured.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { age, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { PrometheusApi } from "./api.ts";
import { quantileText } from "./get_latency.ts";
import { durationText, isInLastBucket, type Latency } from "./latency.ts";
import { type Instance, instanceStates } from "./instances.ts";
import { labelsText, oneLine } from "./one_line.ts";
import { rate } from "./requests.ts";
import { beginAsking } from "./asking.ts";
import { findService } from "./service.ts";
import { healthVerdicts, judge, type Judgement } from "./service_health.ts";
import { readSymptoms, type Symptoms } from "./symptoms.ts";
import type { FiringAlert } from "./service_alerts.ts";
import { serviceArgument, serviceFields, serviceLines, serviceOutput } from "./service_words.ts";
import { formatDuration, utc } from "./time.ts";
import { saidNotes } from "./told.ts";

const input = z.strictObject({ service: serviceArgument });

const output = z.object({
  service: serviceOutput.service,
  verdict: z.enum(healthVerdicts).describe("unknown: nothing bad was seen, but too little to judge"),
  reasons: z.array(z.string()).describe("Signs of a problem, the worst first"),
  missing: z.array(z.string()).optional().describe("What is not known"),
  not_judged: z.array(z.string()).optional().describe("What healthy does not cover"),
  notes: z.array(z.string()).optional(),
  at: z.string(),
  up: z.number().optional().describe("Instances; absent: not known"),
  down: z.number().optional(),
  stale: z.number().optional().describe("Scraped within instances_window, but no longer"),
  instances_window: z.string().optional(),
  instances: z.array(z.object({
    name: z.string(),
    state: z.enum(instanceStates),
    since: z.string().optional().describe("Of one that is not UP; absent: before instances_window"),
    age: z.string().optional().describe("Of since"),
    failures: z.number().optional().describe("How often it went down in that time"),
  })).optional().describe("The bad ones first; of many, those alone"),
  window: z.string(),
  requests_per_second: z.number().nullable().describe("null: no data"),
  requests_per_second_day_before: z.number().optional().describe("Absent: no data"),
  error_ratio: z.number().nullable().describe("1 is all; null: not known"),
  error_ratio_day_before: z.number().optional(),
  errors_by_code: z.array(z.object({ code: z.string(), per_second: z.number() })).optional(),
  code_label: z.string().optional(),
  requests_metric: z.string().optional(),
  p95: z.number().nullable().describe("In latency_unit; null: see p95_text"),
  latency_unit: z.enum(["s", "ms"]).optional(),
  p95_day_before: z.number().optional(),
  p95_bucket: z.array(z.number()).optional().describe("The bucket that p95 lies in, from and to"),
  p95_text: z.string().optional().describe("What p95 can't say"),
  latency_metric: z.string().optional(),
  alert_count: z.number().nullable().describe("Those that fire; null: not known"),
  alerts: z.array(z.object({
    name: z.string(),
    severity: z.string().optional(),
    since: z.string().optional(),
    age: z.string().optional().describe("Of since"),
    labels: z.string(),
    summary: z.string().optional(),
  })).optional(),
  found_by: serviceOutput.found_by,
  also_found_by: serviceOutput.also_found_by,
  queries: z.array(z.string()).optional(),
});
type Answer = z.output<typeof output>;

interface Found {
  readonly symptoms: Symptoms;
  readonly judgement: Judgement;
  /** Epoch seconds. */
  readonly time: number;
}

/** Instances that an answer names, when there is room. */
const shownInstances = 10;
const shownAlerts = 5;

/** Checks a service; `now` gives epoch milliseconds, Prometheus unless given. */
export function checkServiceHealth(api: PrometheusApi, now?: () => number): Tool {
  return defineTool({
    name: "check_service_health",
    title: "Health of a service",
    description:
      "Whether a service works: healthy, degraded, down or unknown, and why: instances, traffic, errors and latency against the day before, firing alerts. Start here for one service.",
    input,
    output,
    async run({ service: name }, { signal }): Promise<Found> {
      const asking = await beginAsking(api, signal, now);
      const symptoms = await readSymptoms(asking, await findService(asking, name));
      return { symptoms, judgement: judge(symptoms), time: asking.time };
    },
    present(found: Found, budget) {
      const make = (shown: number) => {
        const answer = answerOf(found, shown, budget);
        return {
          text: render(answer, found, shown),
          structured: rounded(withCuts(answer, found, shown)),
          rows: Math.min(shown, found.symptoms.instances?.all.length ?? 0),
        };
      };
      const most = found.symptoms.instances?.all.length ?? 0;
      return largestThatFits(Math.max(1, Math.min(shownInstances, most)), make, budget);
    },
  });
}

const known = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : value;

function answerOf({ symptoms, judgement, time }: Found, shown: number, budget: number): Answer {
  const { service, instances, requests, dayBefore, latency, alerts, window } = symptoms;
  const all = instances?.all ?? [];
  const number = (state: Instance["state"]) => all.filter((each) => each.state === state).length;
  const [p95] = latency !== undefined && latency.observationsPerSecond > 0 ? latency.quantiles : [];
  const value = p95 === undefined || isInLastBucket(p95) ? null : known(p95.value);
  // The first one may begin at -Inf.
  const bucket = [p95?.bucket?.lower ?? NaN, p95?.bucket?.upper ?? NaN];
  const { notes, found, service: name } = serviceFields(service);
  const rates = requests?.rates;
  const list = (texts: readonly string[]) =>
    texts.slice(0, shown > 0 ? 8 : 2).map((text) => oneLine(text, 400));
  const listed = all.slice(0, shown);
  return {
    service: name,
    verdict: judgement.verdict,
    reasons: list(judgement.reasons),
    ...filled({
      missing: list(judgement.missing),
      not_judged: [...judgement.notJudged],
      notes: list([
        ...notes,
        ...(alerts?.notes ?? []),
        ...saidNotes({ warnings: [], infos: symptoms.infos }, budget),
      ]),
    }),
    at: utc(Math.floor(time)),
    ...(all.length === 0 ? {} : {
      up: number("UP"),
      down: number("DOWN"),
      stale: number("STALE"),
      instances_window: formatDuration(instances?.window ?? 0),
    }),
    ...filled({
      instances: listed.filter(({ state, failures }) => state !== "UP" || failures > 0 || listed.length <= 3)
        .map((instance) => instanceOf(instance, time)),
    }),
    window: formatDuration(window),
    requests_per_second: known(rates?.requestsPerSecond),
    ...filled({ requests_per_second_day_before: known(dayBefore?.rates?.requestsPerSecond) }),
    error_ratio: known(rates?.ratio),
    ...filled({
      error_ratio_day_before: known(dayBefore?.rates?.ratio),
      errors_by_code: (rates?.codes ?? []).filter(({ isError, perSecond }) => isError && perSecond > 0)
        .slice(0, 3).map(({ code, perSecond }) => ({ code: oneLine(code, 60), per_second: perSecond })),
      code_label: rates?.source.codeLabel,
      requests_metric: rates?.source.counter.metric,
    }),
    p95: value,
    ...filled({
      latency_unit: latency?.unit,
      p95_day_before: known(p95?.dayBefore),
      p95_bucket: value !== null && bucket.every(Number.isFinite) ? bucket : [],
      p95_text: value !== null || latency === undefined ? undefined : p95Text(latency),
      latency_metric: latency?.metric.metric,
    }),
    alert_count: alerts?.unsure === undefined ? alerts?.firing.length ?? null : null,
    ...filled({
      alerts: (alerts?.firing ?? []).slice(0, shown > 0 ? shownAlerts : 0).map((alert) =>
        alertOf(alert, time)
      ),
    }),
    ...found,
    ...filled({ queries: [instances?.query, rates?.query, p95?.query].flatMap((query) => query ?? []) }),
  };
}

function p95Text({ quantiles: [p95], observationsPerSecond, unit }: Latency): string {
  return p95 === undefined || !(observationsPerSecond > 0)
    ? "no data"
    : quantileText({ ...p95, dayBefore: NaN }, unit);
}

function instanceOf(
  { name, state, since, failures }: Instance,
  time: number,
): NonNullable<Answer["instances"]>[number] {
  return {
    name: oneLine(name, 100),
    state,
    ...(since === undefined || state === "UP"
      ? {}
      : { since: utc(since), age: age(since * 1000, time * 1000) }),
    ...(failures === 0 ? {} : { failures }),
  };
}

function alertOf(
  { name, severity, since, labels, summary }: FiringAlert,
  time: number,
): NonNullable<Answer["alerts"]>[number] {
  return {
    name: oneLine(name, 100),
    ...(severity === "" ? {} : { severity: oneLine(severity, 40) }),
    ...(since === "" ? {} : { since: since.replace(/\.\d+/, ""), age: age(Date.parse(since), time * 1000) }),
    labels: labelsText(labels, ["alertname", "severity", "alertstate", "__name__"]),
    ...(summary === "" ? {} : { summary: oneLine(summary, 200) }),
  };
}

/** With notes of what is cut, and of what there is none of. */
function withCuts(answer: Answer, { symptoms }: Found, shown: number): Answer {
  const { service, verdict, reasons, missing, not_judged, notes = [], ...others } = answer;
  const instances = (symptoms.instances?.all.length ?? 0) - shown;
  const said = [
    ...(verdict === "unknown" ? ["nothing bad was seen, but too little to judge"] : []),
    ...(answer.up === undefined ? [noInstances] : []),
    ...(instances > 0 ? [`Cut: ${instances} more instances; list_targets has all`] : []),
    ...(symptoms.alerts?.ruleless ? [noRules] : []),
    ...(moreAlerts(answer) > 0 ? [`Cut: ${moreAlerts(answer)} more alerts; list_alerts has all`] : []),
    ...notes,
  ];
  return { service, verdict, reasons, ...filled({ missing, not_judged, notes: said }), ...others };
}

const noInstances = "instances: not known, it has no up series of its own";
const noRules = "alerts: no alerting rule is defined, so none can fire";

function moreAlerts({ alerts = [], alert_count: total }: Answer): number {
  return (total ?? 0) - alerts.length;
}

function render(answer: Answer, { symptoms }: Found, listed: number): string {
  const { verdict, reasons, missing = [], not_judged: notJudged = [], queries = [], notes = [] } = answer;
  const lines = [
    `${visible(answer.service)}: ${verdict.toUpperCase()}${
      verdict === "unknown"
        ? ": nothing bad was seen, but too little to judge"
        : verdict === "healthy" && notJudged.length > 0
        ? `, ${notJudged.join(" and ")} not judged`
        : ""
    }`,
  ];
  lines.push(...reasons.map((reason) => `- ${visible(reason)}`));
  lines.push(...missing.map((what) => `- not known: ${visible(what)}`));
  lines.push(
    instancesLine(answer, listed),
    trafficLine(answer),
    errorsLine(answer),
    latencyLine(symptoms),
    ...alertLines(answer, symptoms),
    ...serviceLines(answer),
  );
  lines.push(...queries.map((query) => `query: ${visible(query)}`));
  lines.push(...notes.map((note) => `note: ${visible(note)}`));
  return lines.join("\n");
}

function instancesLine(answer: Answer, listed: number): string {
  const { up = 0, down = 0, stale = 0, instances = [] } = answer;
  if (up + down + stale === 0) return noInstances;
  const counts = [[up, "UP"], [down, "DOWN"], [stale, "stale"]] as const;
  const words = counts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`).join(
    ", ",
  );
  const named = instances.map(({ name, state, age, failures = 0 }) => {
    const often = failures > 0 && state === "UP" ? `, went down ${plural(failures, "time")}` : "";
    const condition = state === "UP" ? "" : ` ${state === "DOWN" ? "DOWN" : "stale"}`;
    const when = age === undefined ? "" : state === "DOWN" ? ` since ${age.replace(/ ago$/, "")}` : ` ${age}`;
    return `${oneLine(name, 100)}${condition}${when}${often}`;
  });
  const more = up + down + stale - listed;
  return `instances in ${answer.instances_window}: ${words}${
    named.length === 0 ? "" : ` (${named.join("; ")})`
  }${more > 0 ? ` [Cut: ${more} more; list_targets has all]` : ""}`;
}

function trafficLine(answer: Answer): string {
  const { requests_per_second: now, requests_per_second_day_before: before, window } = answer;
  const words = (value: number | null | undefined) =>
    value === null || value === undefined ? "no data" : `${rate(value)}/s`;
  return `traffic in ${window}: ${words(now)}; a day before ${words(before)}`;
}

function errorsLine(answer: Answer): string {
  const { error_ratio: now, error_ratio_day_before: before, requests_metric: metric, code_label: label } =
    answer;
  const words = (value: number | null | undefined) =>
    value === null || value === undefined ? "no data" : `${rate(value * 100)}%`;
  const codes = (answer.errors_by_code ?? [])
    .map(({ code, per_second }) => `${visible(code)} ${rate(per_second)}/s`).join(", ");
  const source = metric === undefined ? "" : ` (${visible(metric)} by ${label})`;
  return `errors: ${words(now)}${codes === "" ? "" : `: ${codes}`}${source}; a day before ${words(before)}`;
}

function latencyLine({ latency }: Symptoms): string {
  if (latency === undefined) return "latency p95: no data";
  const words = durationText(latency.quantiles[0]?.dayBefore ?? NaN, latency.unit);
  return `latency p95: ${p95Text(latency)} (${visible(latency.metric.metric)}); a day before ${words}`;
}

function alertLines(
  answer: Answer,
  symptoms: Symptoms,
): readonly string[] {
  const { alerts = [], alert_count: total } = answer;
  if (total === null) return ["alerts: not known"];
  if (symptoms.alerts?.ruleless) return [noRules];
  if (total === 0) return ["alerts: none fires"];
  const lines = alerts.map(({ name, severity, age, labels, summary }) => {
    const when = age === undefined ? "" : `, since ${age.replace(/ ago$/, "")}`;
    const grade = severity === undefined ? "" : ` (${severity})`;
    return `  ${name}${grade}${when}: ${summary === undefined ? labels : `${labels}: ${summary}`}`;
  });
  const more = moreAlerts(answer);
  const cut = more > 0 ? [`  [Cut: ${more} more; list_alerts has all]`] : [];
  return [`alerts: ${total} ${total === 1 ? "fires" : "fire"}`, ...lines, ...cut];
}
