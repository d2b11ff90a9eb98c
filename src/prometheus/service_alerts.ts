/** The alerts that fire about a service. */
import { CallError } from "../common/errors.ts";
import { ofService, readAlerting, severityRank } from "./alerting.ts";
import { selector } from "./promql.ts";
import type { Labels } from "./result.ts";
import type { Asking, Service } from "./service.ts";

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
  readonly notes: readonly string[];
}

/** Those that are made to fire always. */
const heartbeats = new Set(["Watchdog", "DeadMansSwitch", "InfoInhibitor"]);
/** `severityRank` of an information. */
const information = 3;

/** Reads them from the rules, or, where the backend has no such call, from the series that rules leave. */
export async function readServiceAlerts(asking: Asking, service: Service): Promise<ServiceAlerts> {
  const name = service.matchers[0]?.[1] === "=" ? service.matchers[0][2] : service.name;
  let firing: readonly FiringAlert[];
  let notes: readonly string[] = [];
  try {
    const { rules, warnings } = await readAlerting(asking.api, { signal: asking.signal });
    firing = ofService(rules, name).flatMap((rule) =>
      rule.alerts.filter(({ state }) => state === "firing").map(({ labels, annotations, activeAt }) => {
        const severity = labels.severity ?? rule.severity;
        const summary = annotations.summary ?? annotations.description ?? "";
        return judged({ name: rule.name, severity, since: activeAt, summary, labels });
      })
    );
    notes = warnings;
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    firing = await readAlertSeries(asking, service);
    notes = ["alerts are read from the ALERTS series, as the backend tells no rules"];
  }
  return {
    firing: [...firing].sort((a, b) =>
      severityRank(a.severity) - severityRank(b.severity) || (a.name < b.name ? -1 : 1)
    ),
    notes,
  };
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

function judged(alert: Omit<FiringAlert, "matters">): FiringAlert {
  return { ...alert, matters: !heartbeats.has(alert.name) && severityRank(alert.severity) < information };
}
