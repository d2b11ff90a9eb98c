/** Tool `list_alerts`: what fires, what is about to, and what stands ready. */
import * as z from "zod";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { nearest } from "../common/nearest.ts";
import { filled } from "../common/structured.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { age, count, plural } from "../common/units.ts";
import { type AlertingRule, byUrgency, ofService, readAlerting } from "./alerting.ts";
import type { PrometheusApi } from "./api.ts";
import { labelsText, oneLine } from "./one_line.ts";
import type { Alert } from "./result.ts";
import { servicesOf } from "./service_labels.ts";
import { formatDuration } from "./time.ts";

const input = z.strictObject({
  state: z.enum(["active", "firing", "pending", "inactive", "all"]).default("active")
    .describe("active: firing and pending; inactive: rules"),
  service: z.string().min(1).max(500).optional().describe("Its job, service or app"),
  limit: z.int().min(1).max(500).default(25),
});

const alert = z.object({
  state: z.string().optional().describe("Where it is not the rule's"),
  since: z.string().optional().describe("Absent: not known"),
  age: z.string().optional(),
  value: z.string().optional(),
  labels: z.string().describe("Without its name and severity"),
  summary: z.string().optional(),
  description: z.string().optional(),
});

const rule = z.object({
  name: z.string(),
  state: z.string(),
  severity: z.string().optional(),
  error: z.string().optional().describe("Why it can't be evaluated: its state stays as it was"),
  expression: z.string().optional(),
  for: z.string().optional().describe("How long it must hold before it fires"),
  group: z.string().optional(),
  summary: z.string().optional().describe("Of all its alerts"),
  description: z.string().optional(),
  alerts: z.array(alert),
});

const output = z.object({
  firing: z.number().describe("Alerts that fire, of the service if one was given"),
  pending: z.number(),
  inactive_rules: z.number().nullable().describe("null: the backend does not tell"),
  total: z.number().describe("Alerts, and inactive rules if asked for, that match"),
  shown: z.number(),
  nearest: z.array(z.string()).optional().describe("Names like the service's that alerts have"),
  notes: z.array(z.string()).optional(),
  rules: z.array(rule),
});
type Answer = z.output<typeof output>;
type RuleAnswer = z.output<typeof rule>;

/** What is to be shown. */
interface Found {
  readonly rules: readonly AlertingRule[];
  readonly counts: Pick<Answer, "firing" | "pending" | "inactive_rules">;
  /** Names like the service's. */
  readonly nearest: readonly string[];
  readonly notes: readonly string[];
  readonly wanted: string;
  readonly limit: number;
  /** Milliseconds. */
  readonly now: number;
}

/** Lists alerts by their rules. */
export function listAlerts(api: PrometheusApi, now: () => number = Date.now): Tool {
  return defineTool({
    name: "list_alerts",
    title: "List alerts",
    description:
      "Firing or pending alerts, most severe first: since when, value, labels, summary, expression; rules that can't be evaluated. Silences are not seen.",
    input,
    output,
    async run({ state, service, limit }, { signal }): Promise<Found> {
      const { rules, complete, warnings } = await readAlerting(api, { signal });
      const concerned = service === undefined ? rules : ofService(rules, service);
      const alerts = concerned.flatMap((rule) => rule.alerts);
      const inactive = concerned.filter((rule) => rule.alerts.length === 0);
      const others = rules.flatMap((rule) => rule.alerts).length - alerts.length;
      const names = service === undefined || concerned.length > 0 ? [] : nearest(
        service,
        rules.flatMap((rule) => [
          ...servicesOf(rule.labels),
          ...rule.alerts.slice(0, 100).flatMap(({ labels }) => servicesOf(labels)),
        ]),
      );
      return {
        rules: chosen(concerned, state).sort(byUrgency),
        counts: {
          firing: alerts.filter((alert) => alert.state === "firing").length,
          pending: alerts.filter((alert) => alert.state === "pending").length,
          inactive_rules: complete ? inactive.length : null,
        },
        nearest: names,
        notes: notesOf({ rules, concerned, complete, warnings, service, others }),
        wanted: `${state === "all" ? "" : `${state} `}alert${
          service === undefined ? "" : ` of service ${JSON.stringify(oneLine(service, 100))}`
        }`,
        limit,
        now: now(),
      };
    },
    present(found: Found, budget) {
      const items = found.rules.reduce((sum, rule) => sum + Math.max(1, rule.alerts.length), 0);
      const make = (shown: number) => {
        const answer = answerOf(found, shown, items);
        const said = [...cutOf(found, answer), ...noneOf(found, answer), ...found.notes];
        return { text: render(found, answer), structured: withNotes(answer, said), rows: shown };
      };
      return largestThatFits(Math.min(items, found.limit), make, budget);
    },
  });
}

/** Filters by state, here and not upstream. */
function chosen(rules: readonly AlertingRule[], state: z.output<typeof input>["state"]): AlertingRule[] {
  return rules.flatMap((rule) => {
    if (rule.alerts.length === 0) {
      return state === "inactive" || state === "all" || (rule.error !== "" && state === "active")
        ? [rule]
        : [];
    }
    if (state === "inactive") return [];
    const alerts = rule.alerts.filter((alert) =>
      state === "all" || state === "active" || alert.state === state
    );
    return alerts.length === 0 ? [] : [{ ...rule, alerts }];
  });
}

interface Circumstances {
  readonly rules: readonly AlertingRule[];
  readonly concerned: readonly AlertingRule[];
  readonly complete: boolean;
  readonly warnings: readonly string[];
  readonly service: string | undefined;
  /** Alerts of other services. */
  readonly others: number;
}

function notesOf({ rules, concerned, complete, warnings, service, others }: Circumstances): string[] {
  const broken = concerned.filter(({ error }) => error !== "").length;
  return [
    ...(complete && rules.length === 0 ? ["No alerting rule is loaded: nothing can fire."] : []),
    ...(service !== undefined && rules.length > 0 && concerned.length === 0
      ? ["No alert and no alerting rule names this service; rules for all services may cover it."]
      : []),
    ...(others > 0
      ? [`${plural(others, "alert")} of other services ${others === 1 ? "is" : "are"} active.`]
      : []),
    ...(broken > 0
      ? [
        `${plural(broken, "rule")} can't be evaluated: what is told of ${
          broken === 1 ? "it" : "them"
        } does not change while that is so.`,
      ]
      : []),
    ...(complete ? [] : ["Rules could not be read: expressions and inactive rules are unknown."]),
    ...warnings.map((warning) => oneLine(warning, 300)),
  ];
}

/** The first `shown` alerts, under their rules; a rule without an alert counts as one. */
function answerOf({ rules, counts, nearest: names, now }: Found, shown: number, total: number): Answer {
  let left = shown;
  const kept: RuleAnswer[] = [];
  for (const rule of rules) {
    if (left <= 0) break;
    const alerts = rule.alerts.toSorted(byAge).slice(0, left);
    left -= Math.max(1, alerts.length);
    kept.push(ruleAnswer(rule, alerts, now));
  }
  return { ...counts, total, shown, ...filled({ nearest: [...names] }), rules: kept };
}

function withNotes({ rules, ...answer }: Answer, notes: readonly string[]): Answer {
  return { ...answer, ...filled({ notes: [...notes] }), rules };
}

function byAge(one: Alert, other: Alert): number {
  const firing = Number(other.state === "firing") - Number(one.state === "firing");
  return firing || (Date.parse(other.activeAt) || 0) - (Date.parse(one.activeAt) || 0);
}

function ruleAnswer(rule: AlertingRule, alerts: readonly Alert[], now: number): RuleAnswer {
  // What all alerts of a rule share is said once.
  const texts = alerts.map(({ annotations }) => ({
    summary: lineOf(annotations.summary, 300),
    description: lineOf(annotations.description, 500),
  }));
  const summary = shared(texts.map((text) => text.summary));
  const description = shared(texts.map((text) => text.description));
  return {
    name: oneLine(rule.name, 200),
    state: oneLine(rule.state, 40),
    ...filled({
      severity: lineOf(rule.severity, 40),
      error: lineOf(rule.error, 500),
      expression: rule.expression === "" ? undefined : rule.expression.slice(0, 2_000),
      for: rule.forSeconds > 0 ? formatDuration(rule.forSeconds) : undefined,
      group: lineOf(rule.group, 200),
      summary,
      description: description === summary ? undefined : description,
    }),
    alerts: alerts.map(({ state, activeAt, value, labels }, index) => {
      const since = activeAt.replace(/\.\d+/, "");
      const at = Date.parse(since);
      const own = {
        summary: summary === undefined ? texts[index]?.summary : undefined,
        description: description === undefined ? texts[index]?.description : undefined,
      };
      return {
        ...filled({
          state: state === rule.state ? undefined : oneLine(state, 40),
          since: Number.isNaN(at) ? undefined : oneLine(since, 40),
          age: Number.isNaN(at) ? undefined : age(at, now),
          value: value === "" ? undefined : valueText(oneLine(value, 40)),
        }),
        labels: labelsText(labels, ["alertname", "severity"]),
        ...filled({ ...own, description: own.description === own.summary ? undefined : own.description }),
      };
    }),
  };
}

function lineOf(text: string | undefined, most: number): string | undefined {
  return text === undefined || text === "" ? undefined : oneLine(text, most);
}

/** What the counts do not say where nothing matches. */
function noneOf({ wanted }: Found, { total }: Answer): readonly string[] {
  return total === 0 ? [`No ${wanted}.`] : [];
}

function cutOf({ limit }: Found, { shown, total }: Answer): readonly string[] {
  const less = shown < Math.min(total, limit) ? "Ask for one service or state." : "Ask for more with limit.";
  return shown < total ? [`Cut: the first ${count(shown)} of ${count(total)} shown. ${less}`] : [];
}

function render(found: Found, answer: Answer): string {
  const { firing, pending, inactive_rules: inactive, rules } = answer;
  const counts = [
    `${plural(firing, "alert")} firing`,
    `${count(pending)} pending`,
    inactive === null ? "inactive unknown" : `${plural(inactive, "rule")} inactive`,
  ].join(", ");
  const names = answer.nearest === undefined
    ? []
    : [`Nearest names: ${answer.nearest.map((name) => oneLine(name, 100)).join(", ")}.`];
  return [
    `${counts}.`,
    ...noneOf(found, answer),
    ...found.notes,
    ...names,
    ...rules.flatMap((rule) => ["", ...ruleLines(rule)]),
    ...cutOf(found, answer).flatMap((notice) => ["", `[${notice}]`]),
  ].join("\n");
}

function ruleLines(rule: RuleAnswer): readonly string[] {
  const { name, severity, state, expression, alerts } = rule;
  const head = [state.toUpperCase(), severity, name].filter((word) => word !== undefined);
  const many = alerts.length > 1 ? ` (${count(alerts.length)} alerts)` : "";
  const hold = rule.for === undefined ? "" : ` for ${rule.for}`;
  return [
    head.join(" ") + many,
    ...(rule.error === undefined ? [] : [`  can't be evaluated: ${rule.error}`]),
    ...(expression === undefined ? [] : [`  expression: ${oneLine(expression, 500)}${hold}`]),
    ...texts("  ", rule),
    ...alerts.flatMap((alert) => [`  ${alertLine(alert)}`, ...texts("    ", alert)]),
  ];
}

function alertLine({ state, since, age, value, labels }: z.output<typeof alert>): string {
  const start = since === undefined ? "since an unknown time" : `since ${since} (${age})`;
  const which = state === undefined ? "" : `${state}, `;
  const worth = value === undefined ? "" : `value ${value}, `;
  return `- ${labels === "" ? "" : `${labels}: `}${which}${worth}${start}`;
}

/** Prometheus writes alerts' values as `1e+00`: the same number as people write it. */
function valueText(value: string): string {
  const number = Number(value);
  return value !== "" && Number.isFinite(number) ? String(number) : oneLine(value, 40);
}

function texts(
  indent: string,
  { summary, description }: {
    readonly summary?: string | undefined;
    readonly description?: string | undefined;
  },
): readonly string[] {
  return [
    ...(summary === undefined ? [] : [`${indent}summary: ${summary}`]),
    ...(description === undefined ? [] : [`${indent}description: ${description}`]),
  ];
}

function shared(values: readonly (string | undefined)[]): string | undefined {
  const [first] = values;
  return values.every((value) => value === first) ? first : undefined;
}
