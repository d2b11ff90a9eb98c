/** Alerting rules and the alerts that they raised: read, filtered, and put in the order in which people want them. */
import { answerOr, CallError } from "../common/errors.ts";
import { victoriaMetrics } from "./answer_reader.ts";
import type { AskOptions, PrometheusApi } from "./api.ts";
import type { Alert, Labels, Rule } from "./result.ts";
import { unreachedStores } from "./stores.ts";
import { namesService, sameName } from "./service_labels.ts";

/** Series of `ALERTS` that are read. */
const mostSeries = 1_000;

/** An alerting rule with the alerts of it that are wanted. */
export interface AlertingRule {
  readonly name: string;
  /** The label of that name; empty without one. */
  readonly severity: string;
  /** Empty where the backend tells alerts without their rules. */
  readonly expression: string;
  readonly forSeconds: number;
  readonly group: string;
  /** `firing`, `pending`, `inactive`, or `unknown` before its first evaluation. */
  readonly state: string;
  /** Why it can't be evaluated; its state stays as it was before. */
  readonly error: string;
  readonly labels: Labels;
  readonly alerts: readonly Alert[];
}

/** What the backend has. */
export interface Alerting {
  readonly rules: readonly AlertingRule[];
  /** False where only alerts could be read: what is inactive is not known. */
  readonly complete: boolean;
  /** Why there may be alerts that nobody told of. */
  readonly unsure?: string;
  readonly warnings: readonly string[];
}

/** Asks for the rules, and where the backend has no such call for the alerts alone. */
export async function readAlerting(api: PrometheusApi, options: AskOptions): Promise<Alerting> {
  try {
    const { groups, warnings, infos } = await api.rules(options);
    if (groups.length === 0) {
      if (await isVictoriaMetrics(api, options)) return await readSeries(api, options);
      const unreached = await unreachedStores(api, options);
      const unsure = unreached.join("; ");
      if (unsure !== "") return { rules: [], complete: false, unsure, warnings: [...unreached, ...warnings] };
    }
    const rules = groups.flatMap(({ name, rules }) =>
      // Again, as some backends ignore the filter.
      rules.filter(({ type }) => type === "alerting").map((rule) => alertingRule(rule, name))
    );
    return { rules: merged(rules), complete: true, warnings: [...warnings, ...infos] };
  } catch (error) {
    // One that is slow or down would not answer the second question either.
    if (!(error instanceof CallError) || !error.message.includes(" has no /api/")) throw error;
    try {
      const { alerts, warnings, infos } = await api.alerts(options);
      return {
        rules: byName(alerts.map(lowerState)),
        complete: false,
        warnings: [error.message, ...warnings, ...infos],
      };
    } catch {
      throw error;
    }
  }
}

function isVictoriaMetrics(api: PrometheusApi, options: AskOptions): Promise<boolean> {
  return answerOr(false, async () => (await api.buildInfo(options)).application === victoriaMetrics);
}

/** Alerts of the series that rules leave, which VictoriaMetrics has where a vmalert writes to it. */
async function readSeries(api: PrometheusApi, options: AskOptions): Promise<Alerting> {
  const { series, warnings, infos } = await api.query("ALERTS", undefined, { ...options, limit: mostSeries });
  const alerts = series.map(({ metric: { __name__: _, alertstate = "", ...labels } }) => (
    { labels, annotations: {}, state: alertstate, activeAt: "", value: "" }
  ));
  const unsure =
    "VictoriaMetrics reports no rules itself: it shows those of a vmalert only if -vmalert.proxyURL names one";
  return {
    rules: byName(alerts),
    complete: false,
    unsure,
    warnings: [`${unsure}. Alerts are those of the ALERTS series.`, ...warnings, ...infos],
  };
}

function alertingRule(rule: Rule, group: string): AlertingRule {
  const { name, query: expression, forSeconds, labels } = rule;
  const alerts = rule.alerts.map(lowerState);
  const error = rule.health === "err" ? rule.lastError || "it failed" : "";
  const severity = labels.severity ?? alerts[0]?.labels.severity ?? "";
  return {
    name,
    severity,
    expression,
    forSeconds,
    group,
    state: rule.state.toLowerCase(),
    error,
    labels,
    alerts,
  };
}

/** Replicas of one Prometheus behind a Thanos raise the same alerts: the same labels of the same rule are one alert. */
function merged(rules: readonly AlertingRule[]): readonly AlertingRule[] {
  const text = (labels: Labels) => JSON.stringify(Object.entries(labels).sort());
  const same = Map.groupBy(
    rules,
    ({ name, expression, forSeconds, group, labels }) =>
      JSON.stringify([name, expression, forSeconds, group, text(labels)]),
  );
  return [...same.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    if (others.length === 0) return [first];
    const all = [first, ...others];
    const alerts = new Map<string, Alert>();
    for (const alert of all.flatMap(({ alerts }) => alerts)) {
      const known = alerts.get(text(alert.labels));
      if (known === undefined || rank(alert) > rank(known)) alerts.set(text(alert.labels), alert);
    }
    const state = all.map(({ state }) => state).sort((a, b) => states.indexOf(a) - states.indexOf(b))[0];
    const error = all.find(({ error }) => error !== "")?.error ?? "";
    return [{ ...first, state: state ?? first.state, error, alerts: [...alerts.values()] }];
  });
}

/** Firing before pending, then what began first. */
function rank({ state, activeAt }: Alert): number {
  return (state === "firing" ? 1e15 : 0) - (Date.parse(activeAt) || 0);
}

/** Not every backend writes states as Prometheus does. */
function lowerState(alert: Alert): Alert {
  return { ...alert, state: alert.state.toLowerCase() };
}

/** Alerts without their rules, by name and severity. */
function byName(alerts: readonly Alert[]): readonly AlertingRule[] {
  const groups = Map.groupBy(alerts, ({ labels }) => JSON.stringify([labels.alertname, labels.severity]));
  return [...groups.values()].map((members) => {
    const { alertname = "", severity = "" } = members[0]?.labels ?? {};
    const state = members.some((alert) => alert.state === "firing") ? "firing" : "pending";
    return {
      name: alertname,
      severity,
      expression: "",
      forSeconds: 0,
      group: "",
      state,
      error: "",
      labels: {},
      alerts: members,
    };
  });
}

/**
 * The rules that have to do with a service: those of its alerts whose labels name it, all alerts of a rule whose own
 * labels do or whose expression picks it by `="service"` or `=~"service|other"`.
 */
export function ofService(rules: readonly AlertingRule[], service: string): readonly AlertingRule[] {
  return rules.flatMap((rule) => {
    if (namesService(rule.labels, service)) return [rule];
    const alerts = rule.alerts.filter(({ labels }) => namesService(labels, service));
    if (alerts.length > 0) return [{ ...rule, alerts, state: stateOf(alerts) }];
    // An aggregation may have left no label by which its alerts could be told apart.
    const picked = picks(rule.expression, service) &&
      rule.alerts.every(({ labels }) => !("job" in labels) && !("service" in labels));
    return picked ? [rule] : [];
  });
}

function picks(expression: string, service: string): boolean {
  for (const [, operator, , literal = ""] of expression.matchAll(/(=~|[^!<>=]=)\s*(["'`])([^"'`\\]*)\2/g)) {
    const names = operator === "=~" ? literal.split("|") : [literal];
    if (names.some((name) => sameName(name, service))) return true;
  }
  return false;
}

/** What a rule is whose alerts are these. */
function stateOf(alerts: readonly Alert[]): string {
  if (alerts.length === 0) return "inactive";
  return alerts.some(({ state }) => state === "firing") ? "firing" : "pending";
}

const severities: readonly RegExp[] = [
  /^(?:critical|crit|page|emergency|fatal|disaster|p1|sev-?1)$/i,
  /^(?:error|high|major|p2|sev-?2)$/i,
  /^(?:warning|warn|medium|ticket|p3|sev-?3)$/i,
  /^(?:info|information|low|minor|notice|p4|sev-?4)$/i,
  /^(?:none|debug)$/i,
];

/** 0 is what wakes people; what nobody graded is between a warning and an information. */
export function severityRank(severity: string): number {
  const rank = severities.findIndex((pattern) => pattern.test(severity));
  return rank < 0 ? 2.5 : rank;
}

const states = ["firing", "pending", "unknown", "inactive"];

/** Firing before pending, the severe before the rest, then what came last first. */
export function byUrgency(one: AlertingRule, other: AlertingRule): number {
  return states.indexOf(one.state) - states.indexOf(other.state) ||
    severityRank(one.severity) - severityRank(other.severity) ||
    latest(other) - latest(one) ||
    (one.name < other.name ? -1 : 1);
}

function latest({ alerts }: AlertingRule): number {
  return Math.max(0, ...alerts.slice(0, 1000).map(({ activeAt }) => Date.parse(activeAt) || 0));
}
