/** Tool `rank_services_by_error_rate`: every service with its traffic and errors, worst first, and the pods behind the worst. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { filled } from "../common/structured.ts";
import { table } from "../common/table.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { count, plural, significant } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { checkNamespace } from "../kubernetes/paths.ts";
import { ratioText } from "../prometheus/get_error_rate.ts";
import { rate } from "../prometheus/requests.ts";
import { formatDuration, parseDuration, utc } from "../prometheus/time.ts";
import { type Sources, within } from "./gather.ts";
import { keyOf, type NamedService } from "./named_service.ts";
import { type RankedServices, readServiceErrors, type ServiceErrors } from "./service_errors.ts";
import { readWorkload, type WorkloadReport } from "./workload.ts";

const input = z.strictObject({
  namespace: z.string().min(1).max(63).optional().describe("Default: all"),
  window: z.string().max(20).default("5m"),
  limit: z.int().min(1).max(200).default(20),
});

const output = z.object({
  summary: z.string(),
  window: z.string(),
  until: z.string(),
  namespace: z.string().optional(),
  total: z.number().describe("Services"),
  gone_count: z.number().describe("Counters that have stopped"),
  notes: z.array(z.string()).optional(),
  services: z.array(z.object({
    service: z.string(),
    namespace: z.string(),
    error_ratio: z.number().nullable().describe("null: no traffic, or nothing that tells errors"),
    error_ratio_day_before: z.number().optional(),
    errors_per_second: z.number().nullable().describe("null: nothing tells errors"),
    requests_per_second: z.number(),
    metric: z.string(),
  })).describe("The worst first"),
  pods: z.array(z.object({ service: z.string(), namespace: z.string(), text: z.string() })).optional()
    .describe("Those of the worst, and of counters that have stopped, at the same time"),
  gone: z.array(z.object({
    service: z.string(),
    namespace: z.string(),
    metric: z.string(),
    requests_per_second: z.number(),
    when: z.string().describe("When it counted so many"),
    stands_still: z.boolean().describe("It still has samples, but counts nothing"),
  })).optional(),
  metrics: z.array(z.string()).describe("By which requests are counted"),
});

/** Services whose pods are looked at, of those that fail and of those that are gone. */
const mostExamined = 3;
/** Requests in the window below which a ratio is chance. */
const leastRequests = 20;
/** Counters that are gone, and that are named. */
const shownGone = 5;
/** Characters of the name of a service, or of its namespace. */
const longestName = 100;
/** Milliseconds that looking at their pods may take. */
const podsDeadlineMs = 8_000;

interface Found extends RankedServices {
  readonly namespace: string | undefined;
  readonly window: number;
  readonly now: number;
  readonly limit: number;
  readonly pods: readonly { readonly service: string; readonly namespace: string; readonly text: string }[];
}

/** Ranks the services that Prometheus knows. */
export function rankServicesByErrorRate(sources: Sources): Tool {
  return defineTool({
    name: "rank_services_by_error_rate",
    title: "Services by error rate",
    description:
      "Which service has the highest error rate? All services whose requests Prometheus counts, with traffic and error " +
      "ratio, worst first, and the pods behind the worst.",
    input,
    output,
    async run({ namespace, window: text, limit }, { signal, progress }): Promise<Found> {
      const { prometheus } = sources;
      if (prometheus === undefined) {
        throw new CallError("unavailable", "Cannot rank services as no Prometheus is configured", {
          hint: "set PROMETHEUS_URL",
        });
      }
      if (namespace !== undefined) checkNamespace(namespace);
      const window = parseDuration(text, "window");
      const ranked = await readServiceErrors(prometheus, namespace, window, signal);
      progress(`${plural(ranked.services.length, "service")} read, looking at pods`);
      const worst = [
        ...ranked.services.filter(({ errors }) => errors > 0).slice(0, mostExamined),
        ...ranked.gone.slice(0, mostExamined),
      ];
      const examined = new Map(worst.map((service) => [keyOf(service), service])).values();
      const pods = await Promise.all(
        [...examined].map((service) => podsOf(sources, service, namespace, signal)),
      );
      return { ...ranked, namespace, window, now: Date.now(), limit, pods: pods.flat() };
    },
    present(found, budget) {
      const make = (shown: number) => {
        const structured = answerOf(found, shown);
        return { text: render(found, shown), structured, rows: structured.services.length };
      };
      return largestThatFits(Math.min(found.limit, found.services.length), make, budget);
    },
  });
}

function answerOf(found: Found, shown: number): z.output<typeof output> {
  const { services, gone, window, now, namespace, pods, metrics } = found;
  const shownCounters = gone.slice(0, shownGone);
  return {
    summary: services.length === 0 ? `${summary(found)}. ${noData}` : summary(found),
    window: formatDuration(window),
    until: utc(Math.floor(now / 1000)),
    ...(namespace === undefined ? {} : { namespace }),
    total: services.length,
    gone_count: gone.length,
    ...filled({ notes: notesOf(found, shown) }),
    services: services.slice(0, shown).map((one) => ({
      service: name(one.service),
      namespace: name(one.namespace),
      error_ratio: Number.isNaN(one.ratio) ? null : significant(one.ratio),
      ...(Number.isNaN(one.before) ? {} : { error_ratio_day_before: significant(one.before) }),
      errors_per_second: one.blind ? null : significant(one.errors),
      requests_per_second: significant(one.requests),
      metric: one.metric,
    })),
    ...filled({
      pods: pods.map(({ service, namespace, text }) => ({
        service: name(service),
        namespace: name(namespace),
        text,
      })),
      gone: shownCounters.map(({ service, namespace, metric, perSecond, when, standsStill }) => ({
        service: name(service),
        namespace: name(namespace),
        metric,
        requests_per_second: significant(perSecond),
        when,
        stands_still: standsStill,
      })),
    }),
    metrics: [...metrics],
  };
}

/** What is cut, what null and `gone` stand for, and the notes. */
function notesOf({ services, gone, notes }: Found, shown: number): string[] {
  return [
    ...(shown < services.length ? [cutText(shown, services.length)] : []),
    ...(gone.length > shownGone ? [goneCutText(gone.length)] : []),
    ...(gone.length > 0 ? [goneMeaning] : []),
    ...(services.some(({ blind }) => blind)
      ? ["error_ratio and errors_per_second are null where no label of the counter tells errors"]
      : []),
    ...notes,
  ];
}

const goneMeaning =
  "What has stopped or is gone is down, idle, removed, or counted by another name: service_health_report says which.";

function cutText(shown: number, all: number): string {
  return `Cut: the first ${count(shown)} of ${
    plural(all, "service")
  } shown. Name a namespace, or change limit.`;
}

function goneCutText(all: number): string {
  return `Cut: ${all - shownGone} more have stopped or are gone. Name a namespace.`;
}

function render(found: Found, shown: number): string {
  const { services, pods, metrics, notes } = found;
  const lines = [heading(found)];
  if (shown > 0) {
    const columns = ["service", "namespace", "errors", "a day before", "errors/s", "requests/s"]
      .map((name, at) => ({ name, align: at < 2 ? "left" as const : "right" as const }));
    const rows = services.slice(0, shown).map((one) => [
      name(one.service),
      name(one.namespace),
      one.blind ? "unknown" : Number.isNaN(one.ratio) ? "no traffic" : ratioText(one.ratio),
      Number.isNaN(one.before) ? "-" : ratioText(one.before),
      one.blind ? "-" : rate(one.errors),
      rate(one.requests),
    ]);
    lines.push("", table(columns, rows, { quotes: false }));
  }
  if (shown < services.length) {
    lines.push("", `[${cutText(shown, services.length)}]`);
  }
  lines.push(
    "",
    ...goneLines(found),
    ...pods.map((one) => {
      const isShared = pods.some(({ service, namespace }) =>
        service === one.service && namespace !== one.namespace
      );
      const where = isShared && one.namespace !== "" ? ` (${name(one.namespace)})` : "";
      return `at the same time, ${name(one.service)}${where}: ${visible(one.text)}`;
    }),
    ...(metrics.length === 0 ? [] : [`counted by ${metrics.map((name) => visible(name)).join(", ")}`]),
    ...notes.map((note) => `note: ${visible(note)}`),
  );
  return lines.join("\n");
}

function goneLines({ gone, window }: Found): readonly string[] {
  return [
    ...gone.slice(0, shownGone).map(({ service, metric, perSecond, when, standsStill }) =>
      `${standsStill ? "stopped" : "gone"}, ${name(service)}: ${visible(metric)} counted ${
        rate(perSecond)
      }/s ${when}, ${standsStill ? `and nothing in ${formatDuration(window)}` : "and has no samples now"}`
    ),
    ...(gone.length > shownGone ? [`[${goneCutText(gone.length)}]`] : []),
    ...(gone.length > 0 ? [goneMeaning] : []),
  ];
}

/** Anybody may have given a service its name, and its namespace's label a value. */
function name(given: string): string {
  return visible(given.slice(0, longestName));
}

async function podsOf(
  { clusters }: Sources,
  { service, namespace: labelled }: NamedService,
  asked: string | undefined,
  signal: AbortSignal,
): Promise<Found["pods"]> {
  if (clusters === undefined) return [];
  // A job may be named namespace/name; a series says which namespace it is from.
  const workload = service.slice(service.lastIndexOf("/") + 1);
  const namespace = asked ?? (labelled || undefined);
  try {
    const report = await within(
      podsDeadlineMs,
      signal,
      (signal) => readWorkload(clusters, workload, namespace, signal),
    );
    const unseen = report.unseen.length === 0 ? "" : `; not seen: ${report.unseen.join("; ")}`;
    return [{ service, namespace: labelled, text: `${podsText(report)}${unseen}` }];
  } catch (error) {
    if (signal.aborted || !(error instanceof CallError)) throw error;
    return [{ service, namespace: labelled, text: `pods not seen: ${error.message}` }];
  }
}

function podsText({ pods, workloads }: WorkloadReport): string {
  if (pods.length === 0) {
    return workloads.length === 0
      ? "no pods of that name in the cluster"
      : `no pods: ${workloads.map(({ ready, desired }) => `${ready} of ${desired} ready`).join(", ")}`;
  }
  const sick = pods.filter(({ status }) => !status.healthy);
  const [worst] = sick.toSorted((a, b) => b.status.restarts - a.status.restarts);
  if (worst === undefined) return `${plural(pods.length, "pod")}, all healthy`;
  return `${sick.length} of ${plural(pods.length, "pod")} unhealthy: ${worst.name} ${worst.status.status}, ${
    plural(worst.status.restarts, "restart")
  }`;
}

function heading(found: Found): string {
  const span = `(the last ${formatDuration(found.window)} until ${utc(Math.floor(found.now / 1000))})`;
  return `${summary(found)} ${span}${found.services.length === 0 ? `. ${noData}` : ""}`;
}

const noData = "That is no data, not 0 errors.";

function summary({ services, gone, window, namespace }: Found): string {
  const scope = namespace === undefined ? "" : ` of namespace ${namespace}`;
  const [worst] = services;
  const lost = gone.length === 0
    ? ""
    : `; ${plural(gone.length, "counter")} of requests ${gone.length === 1 ? "counts" : "count"} no more`;
  if (worst === undefined) {
    return `No service${scope} has a counter of requests that is known${lost}`;
  }
  const called = ({ service, namespace }: ServiceErrors) =>
    services.filter((one) => one.service === service).length > 1 && namespace !== ""
      ? `${name(service)} (${name(namespace)})`
      : name(service);
  const isFew = ({ requests }: ServiceErrors) => requests * window < leastRequests;
  const many = isFew(worst) ? services.find((one) => one.errors > 0 && !isFew(one)) : undefined;
  const few = isFew(worst) ? ` of about ${plural(Math.round(worst.requests * window), "request")}` : "";
  const lead = worst.errors > 0
    ? `${called(worst)} has the highest error rate: ${ratioText(worst.ratio)}${few}${
      many === undefined
        ? ""
        : `; of those with ${leastRequests} or more, ${called(many)}: ${ratioText(many.ratio)}`
    }`
    : "No request fails where errors can be told";
  return `${lead}${lost}`;
}
