/** The evidence of a report, part by part, in lines that are told one under the other. */
import { shortened } from "../common/shortened.ts";
import { count, percent, plural } from "../common/units.ts";
import { age } from "./age.ts";
import { restartsText } from "../kubernetes/pod_status.ts";
import { durationText, quantileValueText } from "../prometheus/latency.ts";
import { oneLine } from "../prometheus/one_line.ts";
import { rate } from "../prometheus/requests.ts";
import { alertTexts } from "../prometheus/service_alerts.ts";
import { formatDuration } from "../prometheus/time.ts";
import { vanishedText } from "../prometheus/vanished.ts";
import { timesText } from "./error_lines.ts";
import { type Evidence, type PartName, seen } from "./evidence.ts";
import type { PodErrors } from "./pod_errors.ts";
import { namespacesOf } from "./workload.ts";

/** The parts that have something to tell; `shown` is how much there is room for, 20 at most. */
export function evidenceLines(
  evidence: Evidence,
  shown: number,
): readonly { readonly part: PartName; readonly lines: string[] }[] {
  return [
    { part: "cluster" as const, lines: clusterLines(evidence, shown) },
    { part: "metrics" as const, lines: metricsLines(evidence) },
    { part: "activity" as const, lines: activityLines(evidence) },
    { part: "database" as const, lines: databaseLines(evidence, shown) },
  ].filter(({ lines }) => lines.length > 0);
}

function clusterLines({ cluster, now }: Evidence, shown: number): string[] {
  const report = seen(cluster);
  if (report === undefined) return [];
  const { workloads, pods, autoscalers, errors, by, context, notes } = report;
  const sick = pods.filter(({ status }) => !status.healthy);
  const several = namespacesOf(pods).length > 1;
  return [
    ...workloads.map(({ kind, namespace, name, ready, desired, rollout, changed }) =>
      `${kind} ${namespace}/${name} (context ${context}): ${ready}/${desired} ready${
        rollout === undefined ? "" : `, rollout ${rollout.verdict}`
      }${changed === undefined ? "" : `, this revision is ${age(now - changed)} old`}`
    ),
    ...autoscalers.slice(0, 3).map(({ namespace, name, current, least, most }) =>
      `HorizontalPodAutoscaler ${namespace}/${name}: ${count(current)} of ${least} to ${most} pods`
    ),
    `${plural(pods.length, "pod")}, ${count(pods.length - sick.length)} healthy${
      by === "" ? "" : `, found by ${by}${workloads.length === 0 ? ` (context ${context})` : ""}`
    }`,
    ...sick.slice(0, Math.min(5, shown)).map(({ namespace, name, status, node }) =>
      `${
        several ? `${namespace}/` : ""
      }${name}: ${status.status}, ready ${status.readyContainers}/${status.containers}, restarts ${
        restartsText(status, now)
      }${node === undefined ? "" : `, on ${node}`}`
    ),
    ...(sick.length > Math.min(5, shown)
      ? [`[Cut: ${count(sick.length)} unhealthy pods in all; get_pods lists them]`]
      : []),
    ...saidLines(errors, now).slice(-Math.max(1, Math.min(5, shown)))
      .map((line) => shortened(line, 100 + 20 * shown)),
    ...notes,
  ];
}

/** What the pods said last; the same line of several pods stands once. */
function saidLines(errors: readonly PodErrors[], now: number): string[] {
  const lines = errors.flatMap(({ pod, previous, kind, lines }) =>
    lines.map((line) => ({ ...line, pod, previous, kind }))
  );
  return [...Map.groupBy(lines, ({ text }) => text)].map(([text, same]) => {
    const pods = new Set(same.map(({ pod }) => pod));
    const times = same.reduce((sum, { count }) => sum + count, 0);
    const moments = same.flatMap(({ last }) => last ?? []);
    const last = moments.length === 0 ? undefined : Math.max(...moments);
    return `${pods.size === 1 ? [...pods].join("") : plural(pods.size, "pod")}${
      same.every(({ previous }) => previous) ? " (before the restart)" : ""
    } ${same.every(({ kind }) => kind !== "trouble") ? "said last" : "said"}: ${text}${
      timesText(times, last, now)
    }`;
  });
}

function metricsLines({ metrics }: Evidence): string[] {
  const report = seen(metrics);
  if (report === undefined) return [];
  const { service, instances, latency, window, notes } = report;
  const rates = report.requests?.rates;
  const before = report.dayBefore?.rates;
  const firing = report.alerts?.firing;
  const gone = vanishedText(report.vanished, report.requests?.rates, report.time);
  const lines = [];
  if (service.goneSince !== undefined) lines.push(`found by ${service.text}, which has no samples now`);
  else if (instances !== undefined && instances.all.length > 0) {
    const of = (state: string) => instances.all.filter((one) => one.state === state).length;
    lines.push(`found by ${service.text}: ${of("UP")} up, ${of("DOWN")} down, ${of("STALE")} gone`);
  } else lines.push(`found by ${service.text}; no \`up\`, so whether it is scraped is not known`);
  const failed = (what: string) => report.failures.some((failure) => failure.startsWith(`${what}:`));
  if (failed("requests")) lines.push("requests: not seen");
  else if (gone !== undefined) {
    lines.push(`requests: ${gone}`);
  } else if (rates === undefined) {
    const [passed] = report.requests?.passedOver ?? [];
    lines.push(
      passed === undefined
        ? "requests: no data, nothing counts them by status"
        : `requests: no data by status of ${passed.metric}: ${passed.because}`,
    );
  } else if (rates.requestsPerSecond === 0) lines.push(`requests: none in ${formatDuration(window)}`);
  else {
    lines.push(
      `${rate(rates.requestsPerSecond)} requests/s, ${percent(rates.ratio)} fail${
        before === undefined || before.requestsPerSecond === 0
          ? "; no figures from a day before"
          : `; a day before ${rate(before.requestsPerSecond)}/s, ${percent(before.ratio)}`
      } (over ${formatDuration(window)})${
        report.recent !== undefined && !((report.recent.requests.rates?.requestsPerSecond ?? 0) > 0)
          ? `; none in the last ${formatDuration(report.recent.window)}`
          : ""
      }`,
    );
  }
  if (failed("latency")) lines.push("latency: not seen");
  else if (latency === undefined || latency.quantiles.length === 0) lines.push("latency: no data");
  else {
    lines.push(
      `latency: ${
        latency.quantiles.map((one) =>
          `p${Number((one.quantile * 100).toPrecision(6))} ${quantileValueText(one, latency.unit)}${
            Number.isNaN(one.dayBefore) ? "" : ` (a day before ${durationText(one.dayBefore, latency.unit)})`
          }`
        ).join(", ")
      }`,
    );
  }
  const { pending = [] } = report.alerts ?? {};
  const soon = pending.length === 0
    ? ""
    : `; pending: ${pending.slice(0, 3).join(", ")}${pending.length > 3 ? ", …" : ""}`;
  lines.push(
    (firing === undefined
      ? "alerts: not seen"
      : report.alerts?.unsure !== undefined
      ? `alerts: not known: ${oneLine(report.alerts.unsure, 300)}`
      : report.alerts?.ruleless
      ? "no alerting rule is defined, so no alert can fire"
      : firing.length === 0
      ? "no alert about it fires"
      : `alerts firing: ${alertTexts(firing).slice(0, 5).join(", ")}`) + soon,
    ...(report.alerts?.notes ?? []).map((note) => oneLine(note, 300)),
    ...notes,
  );
  return lines;
}

function activityLines({ activity, window }: Evidence): string[] {
  const value = seen(activity);
  if (value === undefined) return [];
  if ("why" in value) return [`not known: ${value.why}`];
  const { table, events, before, lastMs } = value;
  const span = formatDuration(window);
  return [
    events + before === 0
      ? `${table}: no event of it in ${formatDuration(2 * window)}, which may mean that it records none`
      : `${table}: ${plural(events, "event")} in ${span}, ${count(before)} in the ${span} before${
        lastMs === undefined ? "" : `, the last ${age(lastMs)} ago`
      }`,
  ];
}

function databaseLines({ database }: Evidence, shown: number): string[] {
  const examination = seen(database);
  if (examination === undefined) return [];
  const of = (wanted: string) => examination.sections.filter(({ verdict }) => verdict === wanted);
  const [critical, warnings] = [of("critical"), of("warning")];
  const connections = examination.sections.find(({ name }) => name === "connections");
  return [
    ...(connections === undefined ? [] : [`connections: ${connections.summary}`]),
    ...critical.filter(({ name }) => name !== "connections").slice(0, Math.min(4, shown))
      .map(({ name, summary }) => `critical ${name}: ${summary}`),
    // What matters of them to the service is among the findings.
    ...(warnings.length === 0 ? [] : [`warnings: ${warnings.map(({ name }) => name).join(", ")}`]),
    ...(critical.length + warnings.length === 0 ? ["nothing critical, no warning"] : []),
  ].map((line) => shortened(line, 100 + 20 * shown));
}
