/** Mixed calls for a long time: memory, file descriptors and connections at the end as at the beginning. */
import postgres from "postgres";
import { type Bench, compiled, groups, isThere, messageOf, openSessions, print, say } from "../context.ts";
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
  /** Of the reader's role, in PostgreSQL. */
  readonly connections: number;
}

/** Half an hour, or `SOAK_MINUTES`. */
export async function soak(bench: Bench): Promise<readonly Held[]> {
  const minutes = Number(Deno.env.get("SOAK_MINUTES") ?? 30);
  await using stack = new AsyncDisposableStack();
  const there = groups.filter((group) => isThere(group, bench.parts));
  const sessions = await openSessions(there.map((group) => compiled(group, bench.backends)), stack);
  const connections = countConnections(bench, stack);
  const results: Held[] = [];
  const begun = performance.now();
  let calls = 0;
  for (let part = 1; part <= 10; part++) {
    const end = begun + part * minutes * 6_000;
    const samples = new Map(sessions.map(({ name }) => [name, [] as { memory: number; files: number }[]]));
    let sampled = 0;
    while (performance.now() < end) {
      await Promise.all(sessions.map(async ({ client }, at) => {
        const group = there[at];
        for (const { asked } of questions.filter((question) => question.group === group)) {
          const [tool, args] = asked.ours ?? [];
          if (tool === undefined || args === undefined) continue;
          await client.told(tool, args).catch((error) => say(messageOf(error)));
          calls++;
        }
      }));
      if (performance.now() - sampled < 1_000) continue;
      sampled = performance.now();
      for (const { name, client } of sessions) {
        samples.get(name)?.push({
          memory: (await memory(client.pid)).now,
          files: await openFiles(client.pid),
        });
      }
    }
    for (const { name } of sessions) {
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
