/** One call at a time: each kind of tool over stdio, the first over HTTP as well, beside the bare work and the alternatives. */
import postgres from "postgres";
import { type CallResult, measureCalls, type Work } from "../calls.ts";
import {
  alternatives,
  type Bench,
  compiled,
  floor,
  freePort,
  type Group,
  groups,
  isThere,
  messageOf,
  openSessions,
  print,
  say,
  serveHttp,
} from "../context.ts";
import { callOnce } from "../many.ts";
import { type Asked, firstOf } from "../questions.ts";
import { three } from "../statistics.ts";
import { StdioClient } from "../stdio_client.ts";

const ten = "SELECT * FROM items ORDER BY id LIMIT 10";
let fresh = 0;
/** A statement that no server has seen: another alias each time. */
const unseen = () => `SELECT id, name, price, made AS made_${++fresh} FROM items ORDER BY id LIMIT 10`;

/** Further calls of ours, beside the question that all are asked. */
const further: Readonly<Record<Group, readonly Asked[]>> = {
  postgres: [
    ["list_tables", {}],
    ["describe_table", { table_name: "items" }],
    ["explain_query", { sql: ten }],
    ["database_health", {}],
  ],
  prometheus: [
    ["query_metrics_range", { query: "up" }],
    ["check_service_health", { service: "prometheus" }],
    ["get_error_rate", { service: "prometheus" }],
    ["find_metrics", { pattern: "http" }],
    ["list_targets", {}],
  ],
  kubernetes: [
    ["get_deployments", { namespace: "default" }],
    ["get_events", { namespace: "default" }],
    ["get_nodes", {}],
    ["describe_resource", { kind: "deployment", name: "web", namespace: "default" }],
  ],
};

export async function call(bench: Bench): Promise<Readonly<Record<string, readonly CallResult[]>>> {
  const all: Record<string, readonly CallResult[]> = {};
  const oneTool = await floor("one_tool");
  for (const group of groups) {
    if (!isThere(group, bench.parts)) continue;
    await using stack = new AsyncDisposableStack();
    const { question, asked } = firstOf(group);
    const works: Work[] = [...floorsOf(group, bench, stack)];
    const empty = new StdioClient(oneTool);
    stack.defer(() => empty.close());
    await empty.initialize();
    works.push({ name: "floor: one empty tool of the same SDK", once: () => empty.call("empty", {}) });
    const own = compiled(group, bench.backends);
    const sessions = await openSessions([own, ...alternatives(group, bench)], stack);
    for (const { name, key, client } of sessions) {
      const [tool, args] = asked[key] ?? [];
      if (tool === undefined || args === undefined) continue;
      works.push({ name, once: () => client.call(tool, args) });
      if (group === "postgres") {
        works.push({
          name: `${name}: a statement never seen`,
          once: () => client.call(tool, { ...args, sql: unseen() }),
        });
      }
    }
    const port = freePort();
    const { url } = await serveHttp({ ...own.launch, args: ["--http", `127.0.0.1:${port}`] }, port, stack);
    const [tool = "", args = {}] = asked.ours ?? [];
    let id = 0;
    works.push({
      name: `${own.name}, over HTTP`,
      once: async () => {
        if (!await callOnce(url, { tool, arguments: args }, ++id)) throw new Error("no answer");
      },
    });
    all[group] = await measureCalls(works, 200, 20);
    report(`${group}: milliseconds of one call (${question})`, all[group]);

    const mine = sessions.find(({ key }) => key === "ours")?.client;
    if (mine === undefined) continue;
    const tools = further[group].map(([name, given]) => ({ name, once: () => mine.call(name, given) }));
    all[`${group}, each tool`] = await measureCalls(tools, 100, 10);
    report(`${group}: milliseconds of one call of our other tools`, all[`${group}, each tool`] ?? []);
    if (group === "postgres") all["postgres, with writes"] = await withWrites(bench, mine, stack);
  }
  return all;
}

/** The same statement while another session commits all the time, as on a server that is in use. */
async function withWrites(
  { parts }: Bench,
  client: StdioClient,
  stack: AsyncDisposableStack,
): Promise<readonly CallResult[]> {
  if (parts.database === undefined) return [];
  const { host, port, superuser, password } = parts.database.server;
  const options = { host, port, user: superuser, password, database: "postgres", max: 1, onnotice: () => {} };
  const [writer, bare] = [postgres(options), postgres(options)];
  stack.defer(async () => void await Promise.all([writer.end(), bare.end()]));
  await writer.unsafe("create table if not exists written (at timestamptz)");
  const commit = () => writer.unsafe("insert into written values (now())");
  const results = await measureCalls(
    [
      { name: "floor: npm:postgres", prepare: commit, once: () => bare.unsafe(ten) },
      { name: "postgres-mcp", prepare: commit, once: () => client.call("query_database", { sql: ten }) },
    ],
    200,
    20,
  );
  report("postgres: the same, after a commit of another session each time", results);
  return results;
}

function* floorsOf(group: Group, { parts, backends }: Bench, stack: AsyncDisposableStack): Generator<Work> {
  if (group === "postgres") {
    const sql = postgres(backends.database, { max: 1, onnotice: () => {} });
    stack.defer(() => sql.end());
    yield { name: "floor: npm:postgres", once: () => sql.unsafe(ten) };
    yield {
      name: "floor: npm:postgres, in a read-only transaction",
      once: () => sql.begin("read only", (transaction) => transaction.unsafe(ten)),
    };
    return;
  }
  if (group === "prometheus") {
    const url = `${backends.prometheus}/api/v1/query`;
    const body = () => new URLSearchParams({ query: "up" });
    yield {
      name: "floor: fetch",
      once: async () => (await fetch(url, { method: "POST", body: body() })).json(),
    };
    return;
  }
  const { kubernetes } = parts;
  if (kubernetes === undefined) return;
  const client = Deno.createHttpClient({ caCerts: [kubernetes.authority] });
  stack.defer(() => client.close());
  const headers = { authorization: `Bearer ${kubernetes.adminToken}` };
  const url = `${kubernetes.server}/api/v1/namespaces/default/pods?limit=500`;
  yield { name: "floor: fetch", once: async () => (await fetch(url, { client, headers })).json() };
}

function report(title: string, results: readonly CallResult[]): void {
  const floor = results[0]?.time.median ?? NaN;
  say(`\n${title}`);
  print(
    ["subject", "p50", "±", "p99", "over the first", "times the first"],
    results.map(({ name, time, failure }) =>
      failure !== undefined ? [name, messageOf(failure), "", "", "", ""] : [
        name,
        three(time.median),
        three(time.spread),
        three(time.p99),
        three(time.median - floor),
        three(time.median / floor),
      ]
    ),
  );
}
