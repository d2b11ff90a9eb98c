/** Whether a service waits for connections of its own database pool, by what the usual pools measure. */
import type { Asking } from "./asking.ts";
import { type Matcher, selector } from "./promql_literal.ts";
import { rate } from "./requests.ts";
import { figureOf } from "./result.ts";
import type { Service } from "./service.ts";

/** What one kind of pool measures. */
interface PoolMetrics {
  /** A gauge of those that wait, or a counter of the seconds that they waited. */
  readonly waiting: string;
  readonly isCounter?: true;
  readonly inUse: readonly [metric: string, matchers: readonly Matcher[]];
  readonly most: string;
}

const used: readonly Matcher[] = [["state", "=", "used"]];

const kinds: readonly PoolMetrics[] = [
  // https://docs.micrometer.io/micrometer/reference/, HikariCP
  {
    waiting: "hikaricp_connections_pending",
    inUse: ["hikaricp_connections_active", []],
    most: "hikaricp_connections_max",
  },
  // https://opentelemetry.io/docs/specs/semconv/database/database-metrics/#connection-pools, and before 1.24
  {
    waiting: "db_client_connection_pending_requests",
    inUse: ["db_client_connection_count", used],
    most: "db_client_connection_max",
  },
  {
    waiting: "db_client_connections_pending_requests",
    inUse: ["db_client_connections_usage", used],
    most: "db_client_connections_max",
  },
  // https://pkg.go.dev/github.com/prometheus/client_golang/prometheus/collectors#NewDBStatsCollector
  {
    // How many had to wait says nothing of for how long.
    waiting: "go_sql_wait_duration_seconds_total",
    isCounter: true,
    inUse: ["go_sql_in_use_connections", []],
    most: "go_sql_max_open_connections",
  },
];

/** How many that wait, on the average of five minutes, are no chance. */
const leastWaiting = 1;

/** A pool in which requests wait. */
export interface WaitingPool {
  /** A sentence without a full stop. */
  readonly text: string;
}

/** Reads the last five minutes; undefined where none waits, or nothing measures it. */
export async function readWaitingPool(
  { api, time, signal }: Asking,
  { matchers }: Service,
): Promise<WaitingPool | undefined> {
  const ask = async (query: string) => (await api.query(query, time, { signal })).series;
  const waiting = ({ waiting, isCounter }: PoolMetrics) => {
    const range = `${selector(waiting, matchers)}[5m]`;
    // Seconds that are waited in a second are those that wait at a time.
    return `sum(${isCounter ? "rate" : "avg_over_time"}(${range})) > ${leastWaiting}`;
  };
  const found = await ask(
    kinds.map((kind, index) => `label_replace(${waiting(kind)}, "kind", "${index}", "", "")`).join(" or "),
  );
  const [first] = found;
  const kind = kinds[Number(first?.metric.kind ?? NaN)];
  if (first === undefined || kind === undefined) return undefined;
  const [metric, more] = kind.inUse;
  const [inUse = NaN, most = NaN] = await Promise.all(
    [`sum(${selector(metric, [...matchers, ...more])})`, `sum(${selector(kind.most, matchers)})`]
      .map(async (query) => figureOf((await ask(query))[0]?.value)),
  );
  const number = rate(figureOf(first.value));
  const share = Number.isNaN(inUse) || Number.isNaN(most) ? "" : `, ${rate(inUse)} of ${rate(most)} in use`;
  return {
    text:
      `Requests wait for a connection of the service's database pool: ${number} on average in 5m (${kind.waiting})${share}`,
  };
}
