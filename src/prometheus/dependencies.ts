/** What a service calls, and whether that has become slow: by the durations that the service itself measures of its calls. */
import type { Asking } from "./asking.ts";
import { durationText } from "./latency.ts";
import { isSlower } from "./latency_verdict.ts";
import { labelsText } from "./one_line.ts";
import { escapeRegex, quoteLabelName, selector } from "./promql.ts";
import { rate } from "./requests.ts";
import type { Labels } from "./result.ts";
import type { Service } from "./service.ts";
import { formatDuration } from "./time.ts";

/** A histogram or summary of the calls that a service makes. */
interface Calls {
  /** Without `_sum` and `_count`. */
  readonly metric: string;
  /** Labels that say what is called, the one that names it first. */
  readonly labels: readonly string[];
}

const peers = ["server_address", "net_peer_name", "http_host"];
const known: readonly Calls[] = [
  { metric: "http_client_request_duration_seconds", labels: peers },
  { metric: "http_client_duration_milliseconds", labels: peers },
  { metric: "http_client_requests_seconds", labels: ["client_name", "clientName"] },
  { metric: "rpc_client_call_duration_seconds", labels: ["rpc_service", "rpc_method", "server_address"] },
  { metric: "rpc_client_duration_milliseconds", labels: ["rpc_service", "server_address"] },
  { metric: "grpc_client_handling_seconds", labels: ["grpc_service"] },
  {
    metric: "db_client_operation_duration_seconds",
    labels: ["server_address", "db_system_name", "db_system", "db_namespace"],
  },
];

/** A dependency that has become slow. */
export interface SlowDependency {
  /** What it is called by its first label that is there. */
  readonly name: string;
  readonly isDatabase: boolean;
  /** A sentence without a full stop. */
  readonly text: string;
}

const day = 86_400;

/** The one that adds most time; undefined where none has become slow, or nothing measures calls. `window` in seconds. */
export async function readSlowDependency(
  asking: Asking,
  service: Service,
  window: number,
): Promise<SlowDependency | undefined> {
  const { api, time, signal } = asking;
  const names = known.map(({ metric }) => escapeRegex(`${metric}_count`)).join("|");
  const present = await api.query(
    `count by (__name__) (${selector(undefined, [["__name__", "=~", names], ...service.matchers])})`,
    time,
    { signal },
  );
  const found = new Set(present.series.map(({ metric }) => metric.__name__));
  const all = await Promise.all(
    known.filter(({ metric }) => found.has(`${metric}_count`))
      .map((calls) => readCalls(asking, service, calls, window)),
  );
  const [worst] = all.flat().toSorted((a, b) => b.added - a.added);
  return worst;
}

async function readCalls(
  { api, time, signal }: Asking,
  service: Service,
  { metric, labels }: Calls,
  window: number,
): Promise<readonly (SlowDependency & { readonly added: number })[]> {
  const by = labels.map(quoteLabelName).join(", ");
  const perSecond = (part: string, ago: number) =>
    `sum by (${by}) (rate(${selector(`${metric}_${part}`, service.matchers)}[${formatDuration(window)}]${
      ago === 0 ? "" : ` offset ${formatDuration(ago)}`
    }))`;
  const mean = (ago: number) => `${perSecond("sum", ago)} / (${perSecond("count", ago)} > 0)`;
  const [now, before, calls] = await Promise.all(
    [mean(0), mean(day), perSecond("count", 0)].map(async (query) => {
      const { series } = await api.query(query, time, { signal });
      return new Map(
        series.map(({ metric, value }) => [labelsText(metric), { metric, value: Number(value?.[1]) }]),
      );
    }),
  );
  const unit = metric.endsWith("_milliseconds") ? "ms" : "s";
  return [...now ?? []].flatMap(([text, { metric: of, value }]) => {
    const than = before?.get(text)?.value ?? NaN;
    if (text === "" || !isSlower(value, than, unit)) return [];
    return [{
      name: nameOf(of, labels),
      isDatabase: metric.startsWith("db_"),
      text: `Its calls to ${text} take ${durationText(value, unit)} on average, ${
        rate(value / than)
      } times that of a day before (${durationText(than, unit)})`,
      added: (value - than) * (unit === "s" ? 1000 : 1) * (calls?.get(text)?.value ?? 0),
    }];
  });
}

function nameOf(labels: Labels, order: readonly string[]): string {
  return order.flatMap((label) => labels[label] || []).at(0) ?? "";
}
