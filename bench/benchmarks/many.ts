/** Many calls at once: over HTTP by the number of clients and of replicas, and a burst over stdio. */
import {
  alternatives,
  type Bench,
  compiled,
  floor,
  freePort,
  groups,
  isThere,
  openSessions,
  print,
  say,
  serveHttp,
} from "../context.ts";
import { type ManyResult, measureMany, type Target } from "../many.ts";
import { processorTime } from "../process.ts";
import { firstOf } from "../questions.ts";
import type { Launch } from "../stdio_client.ts";
import { median, three } from "../statistics.ts";

const rounds = 3;
const seconds = 1.5;

/** What one target does with so many clients, over all rounds. */
interface Load {
  readonly name: string;
  readonly clients: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly failures: number;
  /** Milliseconds of processor time that the server took for a call: the client of this benchmark is not in it. */
  readonly processor: number;
}

/** What came of it. */
export interface ManyResults {
  readonly loads: readonly Load[];
  readonly replicas: readonly Load[];
  readonly bursts: readonly { readonly name: string; readonly ms: number }[];
  /** Pods of a namespace over stdio, one call after the other. */
  readonly row: readonly { readonly name: string; readonly perSecond: number }[];
}

type Served = Target & { readonly pids: readonly number[] };

export async function many(bench: Bench): Promise<ManyResults> {
  await using stack = new AsyncDisposableStack();
  const targets: Served[] = [];
  const serveFloor = async (launch: Launch) => {
    const port = freePort();
    const { url, pid } = await serveHttp({ ...launch, args: [String(port)] }, port, stack);
    return { urls: [url], pids: [pid] };
  };
  targets.push({
    name: "floor: one tool of the same SDK",
    ...await serveFloor(await floor("one_tool")),
    tool: "empty",
    arguments: {},
  });
  if (isThere("postgres", bench.parts)) {
    const [tool = "", args = {}] = firstOf("postgres").asked.ours ?? [];
    targets.push({
      name: "floor: the same query by the same SDK and driver alone",
      ...await serveFloor({ ...await floor("query_tool"), env: { DATABASE_URL: bench.backends.database } }),
      tool,
      arguments: args,
    });
  }
  for (const group of groups) {
    if (isThere(group, bench.parts)) targets.push(await replicas(group, 1, bench, stack));
  }
  const loads: Load[] = [];
  for (const clients of [1, 8, 64]) loads.push(...await interleaved(targets, clients));
  report("HTTP: calls a second", loads);

  const scaled: Load[] = [];
  if (isThere("prometheus", bench.parts)) {
    await using several = new AsyncDisposableStack();
    const sets = [];
    for (const count of [1, 2, 4, 8]) {
      const served = await replicas("prometheus", count, bench, several);
      sets.push({ ...served, name: `${served.name}, ${count} ${count === 1 ? "replica" : "replicas"}` });
    }
    scaled.push(...await interleaved(sets, 16));
    report("HTTP: replicas of prometheus-mcp, asked in turn", scaled);
  }
  return { loads, replicas: scaled, bursts: await bursts(bench), row: await inARow(bench) };
}

async function replicas(
  group: typeof groups[number],
  count: number,
  { backends }: Bench,
  stack: AsyncDisposableStack,
): Promise<Served> {
  const { name, launch } = compiled(group, backends);
  const [tool = "", args = {}] = firstOf(group).asked.ours ?? [];
  const served = await Promise.all(Array.from({ length: count }, () => {
    const port = freePort();
    return serveHttp({ ...launch, args: ["--http", `127.0.0.1:${port}`] }, port, stack);
  }));
  return {
    name,
    urls: served.map(({ url }) => url),
    pids: served.map(({ pid }) => pid),
    tool,
    arguments: args,
  };
}

/** Each target in each round, one after the other, so that what else the machine does falls on all alike. */
async function interleaved(targets: readonly Served[], clients: number): Promise<readonly Load[]> {
  const measured = new Map(targets.map(({ name }) => [name, [] as (ManyResult & { processor: number })[]]));
  for (let round = -1; round < rounds; round++) {
    for (const target of targets) {
      const spent = async () =>
        (await Promise.all(target.pids.map(processorTime))).reduce((a, b) => a + b, 0);
      const before = await spent();
      const result = await measureMany(target, clients, round < 0 ? 0.5 : seconds);
      const processor = (await spent() - before) / result.time.count;
      if (round >= 0) measured.get(target.name)?.push({ ...result, processor });
    }
  }
  return targets.map(({ name }) => {
    const all = measured.get(name) ?? [];
    return {
      name,
      clients,
      perSecond: median(all.map(({ perSecond }) => perSecond)),
      p50: median(all.map(({ time }) => time.median)),
      p99: median(all.map(({ time }) => time.p99)),
      failures: all.reduce((sum, { failures }) => sum + failures, 0),
      processor: median(all.map(({ processor }) => processor)),
    };
  });
}

/** Five hundred calls at once over stdio: until the last is answered. */
async function bursts(bench: Bench): Promise<ManyResults["bursts"]> {
  await using stack = new AsyncDisposableStack();
  const there = groups.filter((group) => isThere(group, bench.parts));
  const sessions = await openSessions(there.map((group) => compiled(group, bench.backends)), stack);
  const results = [];
  for (const [at, { name, client }] of sessions.entries()) {
    const group = there[at];
    if (group === undefined) continue;
    const [tool = "", args = {}] = firstOf(group).asked.ours ?? [];
    await client.call(tool, args);
    const times = [];
    for (let round = 0; round < 3; round++) {
      const begun = performance.now();
      await Promise.all(Array.from({ length: 500 }, () => client.call(tool, args)));
      times.push(performance.now() - begun);
    }
    results.push({ name, ms: median(times) });
  }
  say("\nstdio: 500 calls at once, milliseconds until the last answer");
  print(["subject", "ms", "calls/s"], results.map(({ name, ms }) => [name, three(ms), three(500_000 / ms)]));
  return results;
}

const callsInARow = 60;

/** As fast as each answers: some alternatives' client library lets through only so many requests a second. */
async function inARow(bench: Bench): Promise<ManyResults["row"]> {
  if (!isThere("kubernetes", bench.parts)) return [];
  await using stack = new AsyncDisposableStack();
  const subjects = [compiled("kubernetes", bench.backends), ...alternatives("kubernetes", bench)];
  const results = [];
  for (const { name, key, client } of await openSessions(subjects, stack)) {
    const [tool, args] = firstOf("kubernetes").asked[key] ?? [];
    if (tool === undefined || args === undefined) continue;
    const begun = performance.now();
    for (let call = 0; call < callsInARow; call++) await client.call(tool, args);
    results.push({ name, perSecond: callsInARow * 1000 / (performance.now() - begun) });
  }
  say(`\nstdio: the pods of a namespace, ${callsInARow} calls one after the other`);
  print(["subject", "calls/s"], results.map(({ name, perSecond }) => [name, three(perSecond)]));
  return results;
}

function report(title: string, loads: readonly Load[]): void {
  say(`\n${title}`);
  print(
    ["subject", "clients", "calls/s", "p50 ms", "p99 ms", "failed", "processor ms a call"],
    loads.map(({ name, clients, perSecond, p50, p99, failures, processor }) => [
      name,
      String(clients),
      three(perSecond),
      three(p50),
      three(p99),
      String(failures),
      three(processor),
    ]),
  );
}
