/** Tool `list_alerts`: what fires, what is about to, and what stands ready. */
import * as z from "zod";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { nearest } from "../common/nearest.ts";
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
  state: z.string(),
  since: z.string(),
  value: z.string(),
  labels: z.string().describe("Without its name and severity"),
  summary: z.string().optional(),
  description: z.string().optional(),
});

const rule = z.object({
  name: z.string(),
  state: z.string(),
  severity: z.string().optional(),
  expression: z.string().optional(),
  for: z.string().optional(),
  group: z.string().optional(),
  error: z.string().optional().describe("Why it can't be evaluated: its state stays as it was"),
  alerts: z.array(alert),
});

const output = z.object({
  firing: z.number().describe("Alerts that fire, of the service if one was given"),
  pending: z.number(),
  inactive_rules: z.number().nullable().describe("null: the backend does not tell"),
  rules: z.array(rule),
  shown: z.number(),
  total: z.number().describe("Alerts, and inactive rules if asked for, that match"),
  nearest: z.array(z.string()).optional().describe("Names like the service's that alerts have"),
  notes: z.array(z.string()),
});
type Answer = z.output<typeof output>;
type RuleAnswer = z.output<typeof rule>;

/** What is to be shown. */
interface Found {
  readonly rules: readonly AlertingRule[];
  readonly counts: Pick<Answer, "firing" | "pending" | "inactive_rules" | "notes"> & {
    readonly nearest?: readonly string[];
  };
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
          ...(names.length === 0 ? {} : { nearest: names }),
          notes: notesOf({ rules, concerned, complete, warnings, service, others }),
        },
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
        const structured = answerOf(found, shown, items);
        return { text: render(found, structured), structured, rows: shown };
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
function answerOf({ rules, counts }: Found, shown: number, total: number): Answer {
  let left = shown;
  const kept: RuleAnswer[] = [];
  for (const rule of rules) {
    if (left <= 0) break;
    const alerts = rule.alerts.toSorted(byAge).slice(0, left);
    left -= Math.max(1, alerts.length);
    kept.push(ruleAnswer(rule, alerts));
  }
  const { nearest: names, ...others } = counts;
  return { ...others, rules: kept, shown, total, ...(names === undefined ? {} : { nearest: [...names] }) };
}

function byAge(one: Alert, other: Alert): number {
  const firing = Number(other.state === "firing") - Number(one.state === "firing");
  return firing || (Date.parse(other.activeAt) || 0) - (Date.parse(one.activeAt) || 0);
}

function ruleAnswer(rule: AlertingRule, alerts: readonly Alert[]): RuleAnswer {
  return {
    name: oneLine(rule.name, 200),
    state: oneLine(rule.state, 40),
    ...(rule.severity === "" ? {} : { severity: oneLine(rule.severity, 40) }),
    ...(rule.expression === "" ? {} : { expression: rule.expression.slice(0, 2_000) }),
    ...(rule.forSeconds > 0 ? { for: formatDuration(rule.forSeconds) } : {}),
    ...(rule.group === "" ? {} : { group: oneLine(rule.group, 200) }),
    ...(rule.error === "" ? {} : { error: oneLine(rule.error, 500) }),
    alerts: alerts.map(({ state, activeAt, value, labels, annotations }) => {
      return {
        state: oneLine(state, 40),
        since: oneLine(activeAt.replace(/\.\d+/, ""), 40),
        value: oneLine(value, 40),
        labels: labelsText(labels, ["alertname", "severity"]),
        ...(annotations.summary === undefined ? {} : { summary: oneLine(annotations.summary, 300) }),
        ...(annotations.description === undefined
          ? {}
          : { description: oneLine(annotations.description, 500) }),
      };
    }),
  };
}

function render({ wanted, limit, now }: Found, answer: Answer): string {
  const { firing, pending, inactive_rules: inactive, rules, shown, total, notes } = answer;
  const counts = [
    `${plural(firing, "alert")} firing`,
    `${count(pending)} pending`,
    inactive === null ? "inactive unknown" : `${plural(inactive, "rule")} inactive`,
  ].join(", ");
  const none = total === 0 ? [`No ${wanted}.`] : [];
  const names = answer.nearest === undefined
    ? []
    : [`Nearest names: ${answer.nearest.map((name) => oneLine(name, 100)).join(", ")}.`];
  const less = shown < Math.min(total, limit) ? "Ask for one service or state." : "Ask for more with limit.";
  const cut = shown < total ? ["", `[Cut: the first ${count(shown)} of ${count(total)} shown. ${less}]`] : [];
  return [
    `${counts}.`,
    ...none,
    ...notes,
    ...names,
    ...rules.flatMap((rule) => ["", ...ruleLines(rule, now)]),
    ...cut,
  ].join("\n");
}

function ruleLines(rule: RuleAnswer, now: number): readonly string[] {
  const { name, severity, state, expression, alerts } = rule;
  const head = [state.toUpperCase(), severity === undefined ? "" : oneLine(severity, 40), oneLine(name, 200)];
  const many = alerts.length > 1 ? ` (${count(alerts.length)} alerts)` : "";
  const hold = rule.for === undefined ? "" : ` for ${rule.for}`;
  // What all alerts of a rule share is said once.
  const summary = shared(alerts.map((alert) => alert.summary));
  const description = shared(alerts.map((alert) => alert.description));
  return [
    head.filter((word) => word !== "").join(" ") + many,
    ...(rule.error === undefined ? [] : [`  can't be evaluated: ${rule.error}`]),
    ...(expression === undefined ? [] : [`  expression: ${oneLine(expression, 500)}${hold}`]),
    ...texts("  ", summary, description),
    ...alerts.flatMap((alert) => [
      `  ${alertLine(alert, state, now)}`,
      ...texts(
        "    ",
        summary === undefined ? alert.summary : undefined,
        description === undefined ? alert.description : undefined,
      ),
    ]),
  ];
}

function alertLine(
  { state, since, value, labels }: z.output<typeof alert>,
  ruleState: string,
  now: number,
): string {
  const at = Date.parse(since);
  const start = Number.isNaN(at) ? "since an unknown time" : `since ${since} (${age(at, now)})`;
  const which = state === ruleState ? "" : `${state}, `;
  const worth = value === "" ? "" : `value ${valueText(value)}, `;
  return `- ${labels === "" ? "" : `${labels}: `}${which}${worth}${start}`;
}

/** Prometheus writes alerts' values as `1e+00`: the same number as people write it. */
function valueText(value: string): string {
  const number = Number(value);
  return value !== "" && Number.isFinite(number) ? String(number) : oneLine(value, 40);
}

function texts(
  indent: string,
  summary: string | undefined,
  description: string | undefined,
): readonly string[] {
  return [
    ...(summary === undefined || summary === "" ? [] : [`${indent}summary: ${summary}`]),
    ...(description === undefined || description === "" || description === summary
      ? []
      : [`${indent}description: ${description}`]),
  ];
}

function shared(values: readonly (string | undefined)[]): string | undefined {
  const [first] = values;
  return values.every((value) => value === first) ? first : undefined;
}
