/** The alerts that fire about a service. */
import { CallError } from "../common/errors.ts";
import { type AlertingRule, ofService, readAlerting, severityRank } from "./alerting.ts";
import { oneLine } from "./one_line.ts";
import { type Matcher, selector } from "./promql.ts";
import type { Labels } from "./result.ts";
import type { Asking } from "./asking.ts";
import type { Service } from "./service.ts";
import { serviceLabels } from "./service_labels.ts";

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
}

/** What is known of alerts. */
export interface ServiceAlerts {
  readonly firing: readonly FiringAlert[];
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

/** Those that are made to fire always. */
const heartbeats = new Set(["Watchdog", "DeadMansSwitch", "InfoInhibitor"]);
/** `severityRank` of an information. */
const information = 3;

/** Reads them from the rules, or, where the backend has no such call, from the series that rules leave. */
export async function readServiceAlerts(asking: Asking, service: Service): Promise<ServiceAlerts> {
  let firing: readonly FiringAlert[];
  let notes: readonly string[] = [];
  let unevaluated: readonly string[] = [];
  let unsure: string | undefined;
  let ruleless = false;
  let pending: readonly string[] = [];
  try {
    const { rules, complete, unsure: why } = await readAlerting(asking.api, { signal: asking.signal });
    const { name, others } = namedBy(service);
    const own = ofService(rules, name);
    unevaluated = own.filter(isUnevaluated).map(({ name, error }) =>
      `${oneLine(name, 100)} can't be evaluated: ${oneLine(error, 200)}`
    );
    firing = own.flatMap((rule) =>
      rule.alerts.filter(({ state, labels }) => state === "firing" && meets(labels, others)).map(
        ({ labels, annotations, activeAt }) => {
          const severity = labels.severity ?? rule.severity;
          const summary = annotations.summary ?? annotations.description ?? "";
          return judged({ name: rule.name, severity, since: activeAt, summary, labels });
        },
      )
    );
    pending = own.filter((rule) =>
      rule.alerts.some(({ state, labels }) => state === "pending" && meets(labels, others))
    ).map(({ name }) => oneLine(name, 100));
    unsure = why;
    ruleless = complete && rules.length === 0;
    if (!complete && (why === undefined || firing.length > 0)) {
      notes = ["alerts are read without their rules, which the backend does not tell"];
    }
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    firing = await readAlertSeries(asking, service);
    // In its own words: that it has no rules, that it refuses us, or that it is too slow.
    if (firing.length > 0 || await hasAlertSeries(asking)) {
      notes = [`alerts are read from the ALERTS series: ${error.message}`];
    } else unsure = `no alert has left a series, and ${uncapitalised(error.message)}`;
  }
  return {
    firing: [...firing].sort((a, b) =>
      severityRank(a.severity) - severityRank(b.severity) || (a.name < b.name ? -1 : 1)
    ),
    unevaluated,
    notes,
    ...(pending.length === 0 ? {} : { pending: [...new Set(pending)] }),
    ...(unsure === undefined || firing.length > 0 ? {} : { unsure }),
    ...(ruleless ? { ruleless } : {}),
  };
}

/** A rule that was evaluated, and whose result could not be stored, is none. */
function isUnevaluated({ error, alerts }: AlertingRule): boolean {
  return error !== "" && alerts.length === 0 && !/out of order|out of bounds|duplicate sample/.test(error);
}

/** The name that alerts, probes and a mesh's calls are looked up by, and what else is asked of the alerts that are found. */
export function namedBy(
  { matchers, name }: Service,
): { readonly name: string; readonly others: readonly Matcher[] } {
  const naming = matchers.find(([label]) => serviceLabels.some((one) => one === label)) ?? matchers[0];
  return {
    name: naming?.[1] === "=" ? naming[2] : name,
    others: matchers.filter((matcher) => matcher !== naming),
  };
}

/** An alert that lost a label in an aggregation may be about any value of it. */
function meets(labels: Labels, matchers: readonly Matcher[]): boolean {
  return matchers.every(([label, operator, value]) =>
    operator !== "=" || labels[label] === undefined || labels[label] === value
  );
}

async function readAlertSeries(
  { api, time, signal }: Asking,
  service: Service,
): Promise<readonly FiringAlert[]> {
  const query = selector("ALERTS", [["alertstate", "=", "firing"], ...service.matchers]);
  const { series } = await api.query(query, time, { signal, limit: 200 });
  return series.map(({ metric }) =>
    judged({
      name: metric.alertname ?? "",
      severity: metric.severity ?? "",
      since: "",
      summary: "",
      labels: metric,
    })
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
