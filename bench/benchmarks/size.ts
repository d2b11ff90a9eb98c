/** How time, memory and answer grow with what is asked about: rows, series, pods. */
import {
  alternatives,
  type Bench,
  compiled,
  type Group,
  isThere,
  messageOf,
  openSessions,
  print,
  say,
  type Subject,
} from "../context.ts";
import { memory } from "../process.ts";
import type { Asked } from "../questions.ts";
import { median, three } from "../statistics.ts";
import { growPods, seriesServer } from "../large_parts.ts";

/** One size and one subject. */
export interface Grown {
  readonly group: Group;
  readonly name: string;
  readonly size: number;
  /** Milliseconds, the median of three. */
  readonly ms: number;
  /** Bytes that the process had in memory at most, from its start on. */
  readonly peak: number;
  /** Bytes of the answer's text. */
  readonly bytes: number;
  readonly failure?: string;
}

export async function size(bench: Bench): Promise<readonly Grown[]> {
  const results: Grown[] = [];
  if (isThere("postgres", bench.parts)) {
    const query = (rows: number) => `SELECT i, md5(i::text) AS hash FROM generate_series(1, ${rows}) i`;
    const subjects = [compiled("postgres", bench.backends), ...alternatives("postgres", bench)];
    for (const rows of [10, 1_000, 100_000, 10_000_000]) {
      const sql = query(rows);
      const asked: Record<string, Asked> = {
        ours: ["query_database", { sql }],
        "server-postgres": ["query", { sql }],
        dbhub: ["execute_sql", { sql }],
      };
      // Ten million rows in one message end a Node.js process, and take gigabytes on the way there.
      const able = rows > 1_000_000 ? subjects.slice(0, 1) : subjects;
      results.push(...await grown("postgres", rows, able, asked));
    }
    report("postgres: rows of a result", results.filter(({ group }) => group === "postgres"));
  }
  if (isThere("prometheus", bench.parts)) {
    for (const series of [10, 1_000, 100_000]) {
      await using server = await seriesServer(series);
      const backends = { ...bench.backends, prometheus: server.url };
      const asked: Record<string, Asked> = {
        ours: ["query_metrics", { query: "many" }],
        "prometheus-mcp": ["prometheus_query", { query: "many" }],
        "prometheus-mcp-go": ["query", { query: "many" }],
      };
      const subjects = [
        compiled("prometheus", backends),
        ...alternatives("prometheus", { ...bench, backends }),
      ];
      results.push(...await grown("prometheus", series, subjects, asked));
    }
    report("prometheus: series of an instant query", results.filter(({ group }) => group === "prometheus"));
  }
  const { kubernetes } = bench.parts;
  if (kubernetes !== undefined) {
    const subjects = [compiled("kubernetes", bench.backends), ...alternatives("kubernetes", bench)];
    for (const pods of [10, 1_000, 10_000]) {
      await growPods(kubernetes, pods, say);
      const asked: Record<string, Asked> = {
        ours: ["get_pods", { namespace: "many" }],
        "kubernetes-mcp-server": ["pods_list_in_namespace", { namespace: "many" }],
        "mcp-server-kubernetes": ["kubectl_get", { resourceType: "pods", namespace: "many" }],
      };
      results.push(...await grown("kubernetes", pods, subjects, asked));
    }
    report("kubernetes: pods of a namespace", results.filter(({ group }) => group === "kubernetes"));
  }
  return results;
}

/** Each subject in a process of its own, so that its peak is of this size. */
async function grown(
  group: Group,
  size: number,
  subjects: readonly Subject[],
  asked: Readonly<Record<string, Asked>>,
): Promise<readonly Grown[]> {
  await using stack = new AsyncDisposableStack();
  const results: Grown[] = [];
  for (const { name, key, client } of await openSessions(subjects, stack)) {
    const [tool, args] = asked[key] ?? [];
    if (tool === undefined || args === undefined) continue;
    const times: number[] = [];
    let text = "";
    let failure: string | undefined;
    for (let round = 0; round < 3 && failure === undefined; round++) {
      const begun = performance.now();
      try {
        text = await client.call(tool, args);
        times.push(performance.now() - begun);
      } catch (error) {
        failure = messageOf(error);
      }
    }
    const { peak } = await memory(client.pid);
    const bytes = new TextEncoder().encode(text).length;
    results.push({
      ...{ group, name, size, ms: median(times), peak, bytes },
      ...(failure === undefined ? {} : { failure }),
    });
  }
  return results;
}

function report(title: string, results: readonly Grown[]): void {
  say(`\n${title}`);
  print(
    ["subject", "size", "ms", "peak MB", "answer kB"],
    results.map(({ name, size, ms, peak, bytes, failure }) => [
      failure === undefined ? name : `${name}: ${failure}`,
      size.toLocaleString("en"),
      three(ms),
      three(peak / 1e6),
      three(bytes / 1e3),
    ]),
  );
}
