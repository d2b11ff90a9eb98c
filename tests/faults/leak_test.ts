/** Thousands of calls of programs from source: what they hold afterwards is what they held before. */
import assert from "@std/assert";
import { HttpProgram } from "../support/http_program.ts";
import { kubernetesAvailable, startKubernetes } from "../support/kubernetes.ts";
import { LiveHeap } from "../support/live_heap.ts";
import {
  compiled,
  programCommand,
  type ProgramName,
  RawClient,
  type ToolAnswer,
  toolAnswer,
} from "../support/mcp.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";
import { startProgramPrometheus } from "../support/program_prometheus.ts";
import { prometheusAvailable } from "../support/prometheus.ts";
import { rounds } from "../support/rounds.ts";

/** Calls that come first: they fill caches, and have functions compiled. */
const warmUp = 1_200;
const counted = rounds({ short: 1_200, long: 12_000 });
const isShort = counted === 1_200;
/** What a call may leave behind: less than any request or answer. */
const bytesPerCall = 500;
const atOnce = 8;

type Call = readonly [tool: string, args: Readonly<Record<string, unknown>>];

interface Subject {
  readonly program: ProgramName;
  readonly available: boolean;
  readonly start: () => Promise<AsyncDisposable & { readonly variables: Readonly<Record<string, string>> }>;
  /** What is asked, another one for each number, those that fail among them. */
  readonly calls: (n: number) => readonly Call[];
}

const subjects: readonly Subject[] = [
  {
    program: "postgres",
    available: postgresAvailable,
    start: createProgramDatabase,
    calls: (n) => [
      ["query_database", { sql: `SELECT * FROM todos WHERE id > ${n} ORDER BY id LIMIT 20` }],
      ["query_database", { sql: `SELECT title AS t${n} FROM todos WHERE id = $1`, parameters: [n] }],
      ["query_database", { sql: `SELECT tilte FROM todos WHERE id = ${n}` }],
      ["query_database", { sql: `DELETE FROM todos WHERE id = ${n}` }],
      ["query_database", { sql: `SELECT lower(title), now() FROM todos WHERE id = ${n}` }],
      ["describe_table", { table_name: n % 2 === 0 ? "todos" : `todos_${n}` }],
      ["explain_query", { sql: `SELECT * FROM todos WHERE id = ${n}` }],
      ["list_tables", {}],
    ],
  },
  {
    program: "prometheus",
    available: prometheusAvailable,
    start: startProgramPrometheus,
    calls: (n) => [
      ["query_metrics", { query: `up + ${n}` }],
      ["query_metrics", { query: `nothing_${n}` }],
      ["query_metrics", { query: `sum(${n}` }],
      ["query_metrics_range", { query: `up + ${n}`, range_hours: 1 }],
      ["list_targets", {}],
      ["get_error_rate", { service: `service-${n}` }],
    ],
  },
  {
    program: "kubernetes",
    available: kubernetesAvailable,
    async start() {
      const kubernetes = await startKubernetes({ controllers: false });
      return {
        variables: { KUBECONFIG: kubernetes.kubeconfig },
        [Symbol.asyncDispose]: () => kubernetes[Symbol.asyncDispose](),
      };
    },
    calls: (n) => [
      ["get_pods", { namespace: "default" }],
      ["get_pods", { namespace: `space-${n}` }],
      ["describe_pod", { namespace: "default", pod_name: `pod-${n}` }],
      ["get_services", { namespace: "default", limit: 1 + n % 100 }],
      ["get_events", { namespace: "default" }],
      ["get_nodes", {}],
    ],
  },
];

/** Asks, and checks that the heap is as large afterwards as it was before. */
async function holds(
  { calls }: Subject,
  stderr: string,
  ask: (call: Call) => Promise<ToolAnswer>,
): Promise<void> {
  using heap = await LiveHeap.connect(stderr);
  let next = 0;
  const askAll = async (until: number) => {
    const worker = async () => {
      for (let n = next++; n < until; n = next++) {
        const each = calls(n);
        await ask(each[n % each.length] as Call);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    next = until;
    return await heap.bytes();
  };
  const before = await askAll(warmUp);
  const grown = await askAll(warmUp + counted) - before;
  assert.ok(grown < counted * bytesPerCall, `${Math.round(grown / counted)} bytes more for each call`);
}

for (const subject of subjects) {
  const { program, available, start } = subject;
  Deno.test({
    name: `${program}-mcp: ${counted.toLocaleString("en")} calls leave nothing in memory`,
    // An executable has no inspector.
    ignore: !available || compiled,
    async fn(t) {
      await using backend = await start();
      const variables = { RATE_LIMIT_PER_MINUTE: "0", ...backend.variables };
      const { command, args } = programCommand([], program);
      const inspected = [args[0] ?? "", "--inspect=127.0.0.1:0", ...args.slice(1)]
        .filter((arg) => arg !== "--quiet");
      await t.step({
        name: "over stdio",
        // Less can stay there than over HTTP.
        ignore: isShort,
        async fn() {
          await using client = await RawClient.connect({
            command: { command, args: inspected },
            variables,
            patience: 10,
          });
          await holds(subject, client.stderr, ([tool, args]) => client.call(tool, args));
        },
      });
      await t.step("over HTTP", async () => {
        await using served = await HttpProgram.start({
          command: { command, args: inspected },
          variables,
          longestLifeMs: 900_000,
        });
        await holds(
          subject,
          served.stderr,
          async ([name, args]) => toolAnswer(await served.ask("tools/call", { name, arguments: args })),
        );
      });
    },
  });
}
