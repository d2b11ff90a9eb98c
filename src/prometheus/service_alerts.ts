/** The alerts that fire about a service. */
import { CallError } from "../common/errors.ts";
import { type AlertingRule, ofService, readAlerting, severityRank } from "./alerting.ts";
import { oneLine } from "./one_line.ts";
import { isElsewhere, namingMatchers, type Scope, scopeOf } from "./alert_scope.ts";
import type { Alert, Labels } from "./result.ts";
import type { Asking } from "./asking.ts";
import { type Matcher, selector } from "./promql_literal.ts";
import type { Service } from "./service.ts";
import { namedBy } from "./service_name.ts";

/** An alert that fires. */
export interface FiringAlert {
  readonly name: string;
  /** Empty where nobody graded it. */
  readonly severity: string;
  /** RFC 3339; empty where the backend does not tell. */
  readonly since: string;
  readonly summary: string;
  readonly labels: Labels;
  /** It speaks against the service: an information does not, nor does one that always fires. */
  readonly matters: boolean;
  /** It would, but names no namespace, and may be about a service of that name in another one. */
  readonly isVague?: true;
  /** It is found by what the service's pods are called, and not by the service's name. */
  readonly isOfPods?: true;
}

/** What is known of alerts. */
export interface ServiceAlerts {
  readonly firing: readonly FiringAlert[];
  /** Others that fire, and that name a pod or a workload: whoever knows the service's own can tell whether they are about it. */
  readonly ofObjects: readonly FiringAlert[];
  /** Rules about it that can't be evaluated, and why: sentences without a full stop. */
  readonly unevaluated: readonly string[];
  readonly notes: readonly string[];
  /** Names of those that are to fire soon. */
  readonly pending?: readonly string[];
  /** Why nothing follows from there being none. */
  readonly unsure?: string;
  /** The backend has no alerting rule at all. */
  readonly ruleless?: true;
}

/** Labels that name what an alert of kube-state-metrics is about. */
export const objectLabels = [
  "pod",
  "deployment",
  "statefulset",
  "daemonset",
  "horizontalpodautoscaler",
] as const;

/** Of all namespaces. */
const mostOfObjects = 1_000;

/** Those that are made to fire always. */
const heartbeats = new Set(["Watchdog", "DeadMansSwitch", "InfoInhibitor"]);
/** `severityRank` of an information. */
const information = 3;

/** Reads them from the rules, or, where the backend has no such call, from the series that rules leave. */
export async function readServiceAlerts(asking: Asking, service: Service): Promise<ServiceAlerts> {
  let firing: readonly FiringAlert[];
  let ofObjects: readonly FiringAlert[] = [];
  let notes: readonly string[] = [];
  let unevaluated: readonly string[] = [];
  let unsure: string | undefined;
  let ruleless = false;
  let pending: readonly string[] = [];
  try {
    const { rules, complete, unsure: why } = await readAlerting(asking.api, { signal: asking.signal });
    const own = ofService(rules, namedBy(service).name);
    unevaluated = own.filter(isUnevaluated).map(({ name, error }) =>
      `${oneLine(name, 100)} can't be evaluated: ${oneLine(error, 200)}`
    );
    const inState = (wanted: string) =>
      own.flatMap((rule) =>
        rule.alerts.filter(({ state }) => state === wanted).map((alert) => (
          { alert: alertOf(rule, alert), scope: scopeOf(service, alert.labels, rule.expression) }
        ))
      );
    firing = await placed(asking, service, inState("firing"));
    const isTold = new Set(own.flatMap(({ alerts }) => alerts));
    ofObjects = rules.flatMap((rule) =>
      rule.alerts.filter((alert) =>
        alert.state === "firing" && !isTold.has(alert) && namesObject(alert.labels)
      ).map((alert) => alertOf(rule, alert))
    ).slice(0, mostOfObjects);
    pending = inState("pending").filter(({ scope }) => scope !== "other")
      .map(({ alert }) => oneLine(alert.name, 100));
    unsure = why;
    ruleless = complete && rules.length === 0;
    if (!complete && (why === undefined || firing.length > 0)) {
      notes = ["alerts are read without their rules, which the backend does not tell"];
    }
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    ({ firing, ofObjects } = await readAlertSeries(asking, service));
    // In its own words: that it has no rules, that it refuses us, or that it is too slow.
    if (firing.length > 0 || await hasAlertSeries(asking)) {
      notes = [`alerts are read from the ALERTS series: ${error.message}`];
    } else unsure = `no alert has left a series, and ${uncapitalised(error.message)}`;
  }
  return {
    firing: firing.toSorted(bySeverity),
    ofObjects,
    unevaluated,
    notes,
    ...(pending.length === 0 ? {} : { pending: [...new Set(pending)] }),
    ...(unsure === undefined || firing.length > 0 ? {} : { unsure }),
    ...(ruleless ? { ruleless } : {}),
  };
}

function alertOf({ name, severity }: AlertingRule, { labels, annotations, activeAt }: Alert): FiringAlert {
  const summary = annotations.summary ?? annotations.description ?? "";
  return judged({ name, severity: labels.severity ?? severity, since: activeAt, summary, labels });
}

/** The severe first. */
export function bySeverity(one: FiringAlert, other: FiringAlert): number {
  return severityRank(one.severity) - severityRank(other.severity) || (one.name < other.name ? -1 : 1);
}

function namesObject(labels: Labels): boolean {
  return objectLabels.some((label) => labels[label] !== undefined);
}

/** A rule that was evaluated, and whose result could not be stored, is none. */
function isUnevaluated({ error, alerts }: AlertingRule): boolean {
  return error !== "" && alerts.length === 0 && !/out of order|out of bounds|duplicate sample/.test(error);
}

async function readAlertSeries(
  asking: Asking,
  service: Service,
): Promise<Pick<ServiceAlerts, "firing" | "ofObjects">> {
  const { api, time, signal } = asking;
  const ask = async (matchers: readonly Matcher[], limit: number) => {
    const query = selector("ALERTS", [["alertstate", "=", "firing"], ...matchers]);
    const { series } = await api.query(query, time, { signal, limit });
    return series.map(({ metric: labels }) => {
      const { alertname: name = "", severity = "" } = labels;
      return judged({ name, severity, since: "", summary: "", labels });
    });
  };
  const naming = namingMatchers(service);
  const [own, others] = await Promise.all([ask(naming, 200), ask([["namespace", "!=", ""]], mostOfObjects)]);
  const text = ({ labels }: FiringAlert) => JSON.stringify(Object.entries(labels).sort());
  const isTold = new Set(own.map(text));
  return {
    firing: await placed(
      asking,
      service,
      own.map((alert) => ({ alert, scope: scopeOf(service, alert.labels, "") })),
    ),
    ofObjects: others.filter((alert) => namesObject(alert.labels) && !isTold.has(text(alert))),
  };
}

/** Those that may be about the service; what names no namespace is vague where others have a service of that name, too. */
async function placed(
  asking: Asking,
  service: Service,
  found: readonly { readonly alert: FiringAlert; readonly scope: Scope }[],
): Promise<readonly FiringAlert[]> {
  const isUnplaced = ({ alert, scope }: typeof found[number]) => scope === "unknown" && alert.matters;
  const isShared = found.some(isUnplaced) && await isElsewhere(asking, service);
  return found.filter(({ scope }) => scope !== "other").map((one) =>
    isShared && isUnplaced(one) ? { ...one.alert, matters: false, isVague: true } : one.alert
  );
}

/** `HighErrorRate (critical)`. */
export function alertText({ name, severity }: Pick<FiringAlert, "name" | "severity">): string {
  return `${oneLine(name, 100)}${severity === "" ? "" : ` (${oneLine(severity, 40)})`}`;
}

/** Alerts for people, those of one name and grade once. */
export function alertTexts(alerts: readonly FiringAlert[]): readonly string[] {
  return [...Map.groupBy(alerts, alertText)].map(([text, { length }]) =>
    length > 1 ? `${text} x${length}` : text
  );
}

/** Whether the backend keeps those series at all: without any, nothing follows from there being none of the service. */
async function hasAlertSeries({ api, time, signal }: Asking): Promise<boolean> {
  const { series } = await api.query("count(ALERTS)", time, { signal });
  return series.length > 0;
}

function uncapitalised(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

function judged(alert: Omit<FiringAlert, "matters">): FiringAlert {
  return { ...alert, matters: !heartbeats.has(alert.name) && severityRank(alert.severity) < information };
}
