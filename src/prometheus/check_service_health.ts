/** Tool `check_service_health`: whether a service works, as far as Prometheus can tell, and by what. */
import * as z from "zod";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { age, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { PrometheusApi } from "./api.ts";
import { quantileText } from "./get_latency.ts";
import { durationText, isInLastBucket } from "./latency.ts";
import { type Instance, instanceStates } from "./instances.ts";
import { labelsText, oneLine } from "./one_line.ts";
import { rate } from "./requests.ts";
import { beginAsking } from "./asking.ts";
import { findService } from "./service.ts";
import { healthVerdicts, judge, type Judgement } from "./service_health.ts";
import { readSymptoms, type Symptoms } from "./symptoms.ts";
import { serviceArgument, serviceFields, serviceLines, serviceOutput } from "./service_words.ts";
import { formatDuration, utc } from "./time.ts";
import { saidNotes } from "./told.ts";

const input = z.strictObject({ service: serviceArgument });

const output = z.object({
  ...serviceOutput,
  verdict: z.enum(healthVerdicts).describe("unknown: nothing bad was seen, but too little to judge"),
  reasons: z.array(z.string()).describe("Signs of a problem, the worst first"),
  missing: z.array(z.string()).describe("What is not known"),
  not_judged: z.array(z.string()).describe("What healthy does not cover"),
  at: z.string(),
  up: z.number(),
  down: z.number(),
  stale: z.number().describe("Scraped within the last hour, but no longer"),
  instances: z.array(z.object({
    name: z.string(),
    state: z.enum(instanceStates),
    since: z.string().nullable().describe("null: before the period looked at"),
    failures: z.number().describe("How often it went down in that time"),
  })).describe("The bad ones first"),
  window: z.string(),
  requests_per_second: z.number().nullable(),
  requests_per_second_day_before: z.number().nullable(),
  error_ratio: z.number().nullable().describe("1 is all; null: not known"),
  error_ratio_day_before: z.number().nullable(),
  requests_metric: z.string().nullable(),
  p95: z.number().nullable(),
  p95_day_before: z.number().nullable(),
  p95_text: z.string(),
  latency_metric: z.string().nullable(),
  latency_unit: z.enum(["s", "ms"]).nullable(),
  alerts: z.array(z.object({
    name: z.string(),
    severity: z.string(),
    since: z.string(),
    labels: z.string(),
    summary: z.string(),
  })).describe("Those that fire"),
  alert_count: z.number().nullable().describe("null: not known"),
  queries: z.array(z.string()),
  notes: z.array(z.string()),
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
        const structured = answerOf(found, shown, budget);
        return { text: render(structured, found), structured, rows: structured.instances.length };
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
  const { notes, ...fields } = serviceFields(service);
  const list = (texts: readonly string[]) =>
    texts.slice(0, shown > 0 ? 8 : 2).map((text) => oneLine(text, 400));
  return {
    ...fields,
    verdict: judgement.verdict,
    reasons: list(judgement.reasons),
    missing: list(judgement.missing),
    not_judged: [...judgement.notJudged],
    at: utc(Math.floor(time)),
    up: number("UP"),
    down: number("DOWN"),
    stale: number("STALE"),
    instances: all.slice(0, shown).map(({ name, state, since, failures }) => ({
      name: oneLine(name, 100),
      state,
      since: since === undefined ? null : utc(since),
      failures,
    })),
    window: formatDuration(window),
    requests_per_second: known(requests?.rates?.requestsPerSecond),
    requests_per_second_day_before: known(dayBefore?.rates?.requestsPerSecond),
    error_ratio: known(requests?.rates?.ratio),
    error_ratio_day_before: known(dayBefore?.rates?.ratio),
    requests_metric: requests?.rates?.source.counter.metric ?? null,
    p95: p95 === undefined || isInLastBucket(p95) ? null : known(p95.value),
    p95_day_before: known(p95?.dayBefore),
    p95_text: p95 === undefined ? "no data" : quantileText({ ...p95, dayBefore: NaN }, latency?.unit),
    latency_metric: latency?.metric.metric ?? null,
    latency_unit: latency?.unit ?? null,
    alerts: (alerts?.firing ?? []).slice(0, shown > 0 ? shownAlerts : 0)
      .map(({ name, severity, since, labels, summary }) => ({
        name: oneLine(name, 100),
        severity: oneLine(severity, 40),
        since,
        labels: labelsText(labels, ["alertname", "severity", "alertstate", "__name__"]),
        summary: oneLine(summary, 200),
      })),
    alert_count: alerts?.unsure === undefined ? alerts?.firing.length ?? null : null,
    queries: [instances?.query, requests?.rates?.query, p95?.query].flatMap((query) => query ?? []),
    notes: list([
      ...notes,
      ...(alerts?.notes ?? []),
      ...saidNotes({ warnings: [], infos: symptoms.infos }, budget),
    ]),
  };
}

function render(answer: Answer, { symptoms, time }: Found): string {
  const { verdict, reasons, missing, not_judged: notJudged, queries } = answer;
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
    instancesLine(answer, symptoms, time),
    trafficLine(answer),
    errorsLine(answer, symptoms),
    latencyLine(answer, symptoms),
    ...alertLines(answer, symptoms, time),
    ...serviceLines(answer),
  );
  lines.push(...queries.map((query) => `query: ${visible(query)}`));
  lines.push(...answer.notes.map((note) => `note: ${visible(note)}`));
  return lines.join("\n");
}

function instancesLine({ up, down, stale, instances }: Answer, symptoms: Symptoms, time: number): string {
  if (up + down + stale === 0) return "instances: not known, it has no up series of its own";
  const counts = [[up, "UP"], [down, "DOWN"], [stale, "stale"]] as const;
  const words = counts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`).join(
    ", ",
  );
  const shown = instances.filter(({ state, failures }) =>
    state !== "UP" || failures > 0 || instances.length <= 3
  );
  const named = shown.map(({ name, state, since, failures }) => {
    const when = since === null || state === "UP" ? "" : ` ${age(Date.parse(since), time * 1000)}`;
    const often = failures > 0 && state === "UP" ? `, went down ${plural(failures, "time")}` : "";
    const condition = state === "UP" ? "" : ` ${state === "DOWN" ? "DOWN" : "stale"}`;
    const since_ = state === "DOWN" && when !== "" ? ` since${when.replace(/ ago$/, "")}` : when;
    return `${oneLine(name, 100)}${condition}${since_}${often}`;
  });
  const looked = formatDuration(symptoms.instances?.window ?? 0);
  const more = up + down + stale - instances.length;
  return `instances in ${looked}: ${words}${named.length === 0 ? "" : ` (${named.join("; ")})`}${
    more > 0 ? ` [Cut: ${more} more; list_targets has all]` : ""
  }`;
}

function trafficLine(answer: Answer): string {
  const { requests_per_second: now, requests_per_second_day_before: before, window } = answer;
  const words = (value: number | null) => value === null ? "no data" : `${rate(value)}/s`;
  return `traffic in ${window}: ${words(now)}; a day before ${words(before)}`;
}

function errorsLine(answer: Answer, { requests }: Symptoms): string {
  const { error_ratio: now, error_ratio_day_before: before, requests_metric: metric } = answer;
  const words = (value: number | null) => value === null ? "no data" : `${rate(value * 100)}%`;
  const rates = requests?.rates;
  const codes = (rates?.codes ?? []).filter(({ isError, perSecond }) => isError && perSecond > 0).slice(0, 3)
    .map(({ code, perSecond }) => `${visible(code)} ${rate(perSecond)}/s`).join(", ");
  const source = metric === null || rates === undefined
    ? ""
    : ` (${visible(metric)} by ${rates.source.codeLabel})`;
  return `errors: ${words(now)}${codes === "" ? "" : `: ${codes}`}${source}; a day before ${words(before)}`;
}

function latencyLine(answer: Answer, { latency }: Symptoms): string {
  const { p95_text: text, latency_metric: metric } = answer;
  if (metric === null) return "latency p95: no data";
  const before = latency?.quantiles[0]?.dayBefore ?? NaN;
  const words = durationText(before, latency?.unit);
  return `latency p95: ${text} (${visible(metric)}); a day before ${words}`;
}

function alertLines(
  { alerts, alert_count: total }: Answer,
  symptoms: Symptoms,
  time: number,
): readonly string[] {
  if (total === null) return ["alerts: not known"];
  if (symptoms.alerts?.ruleless) return ["alerts: no alerting rule is defined, so none can fire"];
  if (total === 0) return ["alerts: none fires"];
  const lines = alerts.map(({ name, severity, since, labels, summary }) => {
    const when = since === "" ? "" : `, since ${age(Date.parse(since), time * 1000).replace(/ ago$/, "")}`;
    const grade = severity === "" ? "" : ` (${oneLine(severity, 40)})`;
    return `  ${oneLine(name, 100)}${grade}${when}: ${summary === "" ? labels : `${labels}: ${summary}`}`;
  });
  const cut = total > alerts.length ? [`  [Cut: ${total - alerts.length} more; list_alerts has all]`] : [];
  return [`alerts: ${total} ${total === 1 ? "fires" : "fire"}`, ...lines, ...cut];
}
