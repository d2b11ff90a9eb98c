/** Tool `rank_services_by_error_rate`: every service with its traffic and errors, worst first, and the pods behind the worst. */
import { z } from "zod";
import { CallError } from "../common/errors.ts";
import { fitRows } from "../common/output.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import { utf8Length } from "../common/utf8.ts";
import { visible } from "../common/visible.ts";
import { checkNamespace } from "../kubernetes/paths.ts";
import { ratioText } from "../prometheus/get_error_rate.ts";
import { rate } from "../prometheus/requests.ts";
import { formatDuration, parseDuration, utc } from "../prometheus/time.ts";
import type { Sources } from "./gather.ts";
import { type RankedServices, readServiceErrors, type ServiceErrors } from "./service_errors.ts";
import { readWorkload } from "./workload.ts";

const input = z.strictObject({
  namespace: z.string().min(1).max(63).optional().describe("Only series and pods of this namespace"),
  window: z.string().max(20).default("5m"),
  limit: z.int().min(1).max(200).default(20),
});

const output = z.object({
  window: z.string(),
  until: z.string(),
  namespace: z.string().nullable(),
  services: z.array(z.object({
    service: z.string(),
    namespace: z.string(),
    requests_per_second: z.number(),
    errors_per_second: z.number(),
    error_ratio: z.number().nullable().describe("null: no traffic, or nothing that tells errors"),
    metric: z.string(),
  })),
  total: z.number(),
  pods: z.array(z.object({ service: z.string(), text: z.string() })),
  metrics: z.array(z.string()),
  notes: z.array(z.string()),
});

/** Services whose pods are looked at. */
const mostExamined = 3;
/** Milliseconds that looking at their pods may take. */
const podsDeadlineMs = 8_000;

interface Found extends RankedServices {
  readonly namespace: string | undefined;
  readonly window: number;
  readonly now: number;
  readonly limit: number;
  readonly pods: readonly { readonly service: string; readonly text: string }[];
}

/** Ranks the services that Prometheus knows. */
export function rankServicesByErrorRate(sources: Sources): Tool {
  return defineTool({
    name: "rank_services_by_error_rate",
    title: "Services by error rate",
    description:
      "Which service has the highest error rate? Every service that Prometheus counts requests of, with traffic and " +
      "ratio of errors, worst first, and the state of the pods behind the worst ones.",
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
      const worst = ranked.services.filter(({ errors }) => errors > 0).slice(0, mostExamined);
      const pods = await Promise.all(worst.map((service) => podsOf(sources, service, namespace, signal)));
      return { ...ranked, namespace, window, now: Date.now(), limit, pods: pods.flat() };
    },
    present(found, budget) {
      for (let room = budget;; room = Math.floor(room * 0.7)) {
        const services = found.services.slice(0, found.limit);
        const fitted = fitRows(
          [
            { name: "service" },
            { name: "namespace" },
            { name: "errors", align: "right" },
            { name: "errors/s", align: "right" },
            { name: "requests/s", align: "right" },
          ],
          services.map((one) => [
            visible(one.service),
            visible(one.namespace) || "-",
            one.blind ? "not told" : Number.isNaN(one.ratio) ? "no traffic" : ratioText(one.ratio),
            one.blind ? "-" : rate(one.errors),
            rate(one.requests),
          ]),
          {
            budget: room - reserved(found),
            heading: heading(found),
            total: found.services.length,
            noun: ["service", "services"],
            less: "Name a namespace, or lower limit.",
          },
        );
        const text = [fitted.text, ...foot(found)].join("\n");
        const structured = {
          window: formatDuration(found.window),
          until: utc(Math.floor(found.now / 1000)),
          namespace: found.namespace ?? null,
          services: services.slice(0, fitted.shown).map((one) => ({
            service: one.service,
            namespace: one.namespace,
            requests_per_second: one.requests,
            errors_per_second: one.errors,
            error_ratio: Number.isNaN(one.ratio) ? null : one.ratio,
            metric: one.metric,
          })),
          total: found.services.length,
          pods: found.pods.map((one) => ({ ...one })),
          metrics: [...found.metrics],
          notes: [...found.notes],
        };
        const fits = utf8Length(text) <= budget && utf8Length(JSON.stringify(structured)) <= budget;
        if (fits || room < 512) return { text, structured, rows: fitted.shown };
      }
    },
  });
}

async function podsOf(
  { clusters }: Sources,
  { service, namespace: labelled }: ServiceErrors,
  asked: string | undefined,
  signal: AbortSignal,
): Promise<Found["pods"]> {
  if (clusters === undefined) return [];
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(podsDeadlineMs)]);
  // A job may be named namespace/name; a series says which namespace it is from.
  const name = service.slice(service.lastIndexOf("/") + 1);
  try {
    const { pods, workloads } = await readWorkload(
      clusters,
      name,
      asked ?? (labelled || undefined),
      deadline,
    );
    if (pods.length === 0 && workloads.length === 0) {
      return [{ service, text: "no pods of that name in the cluster" }];
    }
    const sick = pods.filter(({ status }) => !status.healthy);
    const [worst] = sick.toSorted((a, b) => b.status.restarts - a.status.restarts);
    return [{
      service,
      text: pods.length === 0
        ? `no pods: ${workloads.map(({ ready, desired }) => `${ready} of ${desired} ready`).join(", ")}`
        : worst === undefined
        ? `${plural(pods.length, "pod")}, all well`
        : `${sick.length} of ${plural(pods.length, "pod")} not well: ${worst.name} ${worst.status.status}, ${
          plural(worst.status.restarts, "restart")
        }`,
    }];
  } catch (error) {
    if (signal.aborted) throw error;
    const why = error instanceof CallError ? error.message : "no answer in time";
    return [{ service, text: `pods not seen: ${why}` }];
  }
}

function heading({ services, window, now, namespace }: Found): string {
  const scope = namespace === undefined ? "" : ` of namespace ${namespace}`;
  const [worst] = services;
  const span = `(the last ${formatDuration(window)} until ${utc(Math.floor(now / 1000))})`;
  if (worst === undefined) {
    return `No service${scope} has a counter of requests that is known ${span}. That is no data, not 0 errors.`;
  }
  const lead = worst.errors > 0
    ? `${visible(worst.service)} has the highest error rate: ${ratioText(worst.ratio)}`
    : "No request fails where errors can be told";
  return `${lead} ${span}\n`;
}

function foot({ pods, metrics, notes }: Found): string[] {
  return [
    "",
    ...pods.map(({ service, text }) => `at the same time, ${visible(service)}: ${visible(text)}`),
    ...(metrics.length === 0 ? [] : [`counted by ${metrics.map((name) => visible(name)).join(", ")}`]),
    ...notes.map((note) => `note: ${visible(note)}`),
  ];
}

function reserved(found: Found): number {
  return utf8Length(foot(found).join("\n")) + 2;
}
