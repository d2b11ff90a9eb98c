/** Mixed calls for a long time: memory, file descriptors and connections at the end as at the beginning. */
import postgres from "postgres";
import {
  type Bench,
  compiled,
  freePort,
  groups,
  isThere,
  messageOf,
  openSessions,
  print,
  say,
  serveHttp,
} from "../context.ts";
import { callOnce } from "../many.ts";
import { memory, openFiles } from "../process.ts";
import { questions } from "../questions.ts";
import { median, three } from "../statistics.ts";

/** What a process held over one tenth of the time. */
export interface Held {
  readonly name: string;
  readonly minute: number;
  readonly calls: number;
  /** Bytes, the median of the samples. */
  readonly memory: number;
  readonly files: number;
  /** Of the reader's role, in PostgreSQL: of both programs that have it. */
  readonly connections: number;
}

/** A program under way. */
interface Subject {
  readonly name: string;
  readonly group: typeof groups[number];
  readonly pid: number;
  /** Asks it all of these, one after the other. */
  readonly ask: (calls: readonly (readonly [string, Readonly<Record<string, unknown>>])[]) => Promise<void>;
}

/** Half an hour, or `SOAK_MINUTES`. */
export async function soak(bench: Bench): Promise<readonly Held[]> {
  const minutes = Number(Deno.env.get("SOAK_MINUTES") ?? 30);
  await using stack = new AsyncDisposableStack();
  const there = groups.filter((group) => isThere(group, bench.parts));
  const subjects = [...await overStdio(there, bench, stack), ...await overHttp(there, bench, stack)];
  const connections = countConnections(bench, stack);
  const results: Held[] = [];
  const begun = performance.now();
  let calls = 0;
  for (let part = 1; part <= 10; part++) {
    const end = begun + part * minutes * 6_000;
    const samples = new Map(subjects.map(({ name }) => [name, [] as { memory: number; files: number }[]]));
    let sampled = 0;
    while (performance.now() < end) {
      await Promise.all(subjects.map(async ({ group, ask }) => {
        const asked = questions.filter((question) => question.group === group)
          .flatMap((question) => question.asked.ours === undefined ? [] : [question.asked.ours]);
        await ask(asked);
        calls += asked.length;
      }));
      if (performance.now() - sampled < 1_000) continue;
      sampled = performance.now();
      for (const { name, pid } of subjects) {
        samples.get(name)?.push({ memory: (await memory(pid)).now, files: await openFiles(pid) });
      }
    }
    for (const { name } of subjects) {
      const taken = samples.get(name) ?? [];
      results.push({
        name,
        minute: part * minutes / 10,
        calls,
        memory: median(taken.map(({ memory }) => memory)),
        files: median(taken.map(({ files }) => files)),
        connections: name.startsWith("postgres") ? await connections() : 0,
      });
    }
  }
  say(`\nSoak: ${calls.toLocaleString("en")} calls in ${minutes} minutes`);
  print(
    ["subject", "minute", "MB", "files", "connections"],
    results.map(({ name, minute, memory, files, connections }) => {
      return [name, three(minute), three(memory / 1e6), String(files), String(connections)];
    }),
  );
  return results;
}

async function overStdio(
  there: readonly Subject["group"][],
  bench: Bench,
  stack: AsyncDisposableStack,
): Promise<readonly Subject[]> {
  const sessions = await openSessions(there.map((group) => compiled(group, bench.backends)), stack);
  return sessions.flatMap(({ name, client }) => {
    const group = there.find((one) => name.startsWith(one));
    if (group === undefined) return [];
    const ask: Subject["ask"] = async (calls) => {
      for (const [tool, args] of calls) {
        await client.told(tool, args).catch((error) => say(messageOf(error)));
      }
    };
    return [{ name, group, pid: client.pid, ask }];
  });
}

/** With new connections every time: those that are kept grow no list. */
function overHttp(
  there: readonly Subject["group"][],
  bench: Bench,
  stack: AsyncDisposableStack,
): Promise<readonly Subject[]> {
  return Promise.all(there.map(async (group) => {
    const { name, launch } = compiled(group, bench.backends);
    const port = freePort();
    const served = await serveHttp({ ...launch, args: ["--http", `127.0.0.1:${port}`] }, port, stack);
    const ask: Subject["ask"] = async (calls) => {
      using client = Deno.createHttpClient({});
      for (const [at, [tool, args]] of calls.entries()) {
        await callOnce(served.url, { tool, arguments: args }, at, client);
      }
    };
    return { name: `${name}, over HTTP`, group, pid: served.pid, ask };
  }));
}

function countConnections({ parts }: Bench, stack: AsyncDisposableStack): () => Promise<number> {
  if (parts.database === undefined) return () => Promise.resolve(0);
  const { host, port, superuser, password } = parts.database.server;
  const admin = postgres({ host, port, user: superuser, password, database: "postgres", max: 1 });
  stack.defer(() => admin.end());
  return async () => {
    const [row] = await admin`select count(*)::int as n from pg_stat_activity where usename = 'bench_reader'`;
    return Number(row?.n ?? 0);
  };
}
