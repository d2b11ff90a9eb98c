/**
 * `deno task bench [name…]`: measures our programs beside the alternatives and the floors, in the same run and in turn.
 * Prints tables, and writes what it measured to bench/results/NAME.json. Nothing here is a test: no figure makes it fail.
 */
import { fileURLToPath } from "node:url";
import { dirname, join } from "node:path";
import postgres from "postgres";
import { table } from "../src/common/table.ts";
import { buildProgram } from "../scripts/build.ts";
import { programs } from "../scripts/programs.ts";
import { type CallResult, measureCalls, type Work } from "./calls.ts";
import { type ManyResult, measureMany, type Target } from "./many.ts";
import { type Parts, startParts } from "./parts.ts";
import { type Backends, installPeers, type Peer } from "./peers.ts";
import { measureStart, type StartResult, type Subject } from "./start.ts";
import { three } from "./statistics.ts";
import { type Launch, StdioClient } from "./stdio_client.ts";
import { type ListCost, listCost, tokens } from "./tokens.ts";

const project = fileURLToPath(new URL("..", import.meta.url));
const folder = join(project, "bench/.work");
const groups = ["postgres", "prometheus", "kubernetes"] as const;
type Group = typeof groups[number];

/** What every benchmark works with. */
interface Bench {
  readonly parts: Parts;
  readonly peers: readonly Peer[];
  readonly backends: Backends;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

const executable = (name: string) => join(project, "dist", `${name}-mcp`);

/** Our variables for a backend. Without limits: it is the work that is measured. */
function variables(group: Group, { database, prometheus, kubeconfig }: Backends): Record<string, string> {
  const backend = {
    postgres: { DATABASE_URL: database },
    prometheus: { PROMETHEUS_URL: prometheus },
    kubernetes: { KUBECONFIG: kubeconfig },
  };
  return { ...backend[group], RATE_LIMIT_PER_MINUTE: "0" };
}

function ours(group: Group, backends: Backends): readonly (Launch & { readonly name: string })[] {
  const env = variables(group, backends);
  const source = ["run", "--quiet", "--no-prompt", "--config", join(project, "deno.json"), `-P=${group}`];
  return [
    { name: `${group}-mcp, compiled`, command: executable(group), args: [], env },
    {
      name: `${group}-mcp, from source`,
      command: Deno.execPath(),
      args: [...source, join(project, `src/${group}.ts`)],
      env,
    },
  ];
}

function launchOf(peer: Peer, backends: Backends): Launch {
  const configuration = join(folder, `${peer.name}.toml`);
  if (peer.configuration !== undefined) Deno.writeTextFileSync(configuration, peer.configuration(backends));
  return {
    command: "node",
    args: [join(folder, "peers/node_modules", peer.script), ...peer.args(backends, configuration)],
    env: peer.env(backends),
  };
}

async function floors(): Promise<readonly Subject[]> {
  const built = [];
  for (const name of ["empty", "one_tool"]) {
    const output = join(folder, name);
    await buildProgram({
      program: { name, entry: `bench/floors/${name}.ts`, permissions: "", whole: [] },
      flags: ["--allow-net", "--allow-env"],
      target: undefined,
      output,
      say: () => {},
    });
    built.push(output);
  }
  const [empty = "", one = ""] = built;
  return [
    { name: "floor: an empty executable", launch: { command: empty, args: [], env: {} }, silent: true },
    { name: "floor: one tool of the same SDK, compiled", launch: { command: one, args: [], env: {} } },
  ];
}

async function start({ peers, backends }: Bench): Promise<readonly StartResult[]> {
  const subjects: Subject[] = [...await floors()];
  for (const group of groups) {
    subjects.push(...ours(group, backends).map(({ name, ...launch }) => ({ name, launch })));
    subjects.push(
      ...peers.filter((peer) => peer.group === group)
        .map((peer) => ({ name: peer.package, launch: launchOf(peer, backends) })),
    );
  }
  const results = await measureStart(subjects, 15);
  const floor = results[0]?.initialize.median ?? NaN;
  say("\nStart: milliseconds from spawn to the answer of initialize, and to that of tools/list");
  print(
    ["subject", "initialize", "±", "times the empty one", "tools/list"],
    results.map(({ name, initialize, list, failure }) =>
      failure !== undefined ? [name, failure.slice(0, 60), "", "", ""] : [
        name,
        three(initialize.median),
        three(initialize.spread),
        three(initialize.median / floor),
        list === undefined ? "" : three(list.median),
      ]
    ),
  );
  return results;
}

/** The same question to each, where it has a tool for it. */
const questions: Readonly<
  Record<Group, Readonly<Record<string, readonly [tool: string, args: Readonly<Record<string, unknown>>]>>>
> = {
  postgres: {
    ours: ["query_database", { sql: "SELECT * FROM items ORDER BY id LIMIT 10" }],
    "server-postgres": ["query", { sql: "SELECT * FROM items ORDER BY id LIMIT 10" }],
    dbhub: ["execute_sql", { sql: "SELECT * FROM items ORDER BY id LIMIT 10" }],
  },
  prometheus: {
    ours: ["query_metrics", { query: "up" }],
    "prometheus-mcp": ["prometheus_query", { query: "up" }],
  },
  kubernetes: {
    ours: ["get_pods", { namespace: "default" }],
    "kubernetes-mcp-server": ["pods_list_in_namespace", { namespace: "default" }],
    "mcp-server-kubernetes": ["kubectl_get", { resourceType: "pods", name: "", namespace: "default" }],
  },
};

function bare(
  group: Group,
  { parts, backends }: Bench,
  stack: AsyncDisposableStack,
): Work | undefined {
  if (group === "postgres") {
    const sql = postgres(backends.database, { max: 1, onnotice: () => {} });
    stack.defer(() => sql.end());
    return {
      name: "floor: npm:postgres",
      once: () => sql.unsafe("SELECT * FROM items ORDER BY id LIMIT 10"),
    };
  }
  if (group === "prometheus") {
    const url = `${backends.prometheus}/api/v1/query`;
    return {
      name: "floor: fetch",
      once: async () =>
        (await fetch(url, { method: "POST", body: new URLSearchParams({ query: "up" }) })).json(),
    };
  }
  const { kubernetes } = parts;
  if (kubernetes === undefined) return undefined;
  const client = Deno.createHttpClient({ caCerts: [kubernetes.authority] });
  stack.defer(() => client.close());
  return {
    name: "floor: fetch",
    once: async () =>
      (await fetch(`${kubernetes.server}/api/v1/namespaces/default/pods?limit=500`, {
        client,
        headers: { authorization: `Bearer ${kubernetes.adminToken}` },
      })).json(),
  };
}

async function call(bench: Bench): Promise<Readonly<Record<string, readonly CallResult[]>>> {
  const all: Record<string, readonly CallResult[]> = {};
  for (const group of groups) {
    if (!isThere(group, bench.parts)) continue;
    await using stack = new AsyncDisposableStack();
    const works: Work[] = [];
    const floor = bare(group, bench, stack);
    if (floor !== undefined) works.push(floor);
    const open = async (name: string, launch: Launch, question: string) => {
      const [tool, args] = questions[group][question] ?? [];
      if (tool === undefined || args === undefined) return;
      const client = new StdioClient(launch);
      stack.defer(() => client.close());
      try {
        await client.initialize();
        works.push({ name, once: () => client.call(tool, args) });
      } catch (error) {
        say(`skipped: ${name}: ${error instanceof Error ? error.message : error}`);
      }
    };
    const [compiled] = ours(group, bench.backends);
    if (compiled !== undefined) await open(compiled.name, compiled, "ours");
    for (const peer of bench.peers.filter((peer) => peer.group === group)) {
      await open(peer.package, launchOf(peer, bench.backends), peer.name);
    }
    const results = await measureCalls(works, 300, 30);
    all[group] = results;
    say(`\n${group}: milliseconds of one call over stdio, one after the other`);
    print(
      ["subject", "p50", "±", "p99", "over the floor"],
      results.map(({ name, time, failure }) =>
        failure !== undefined ? [name, failure.slice(0, 60), "", "", ""] : [
          name,
          three(time.median),
          three(time.spread),
          three(time.p99),
          three(time.median - (results[0]?.time.median ?? NaN)),
        ]
      ),
    );
  }
  return all;
}

async function many(bench: Bench): Promise<readonly ManyResult[]> {
  await using stack = new AsyncDisposableStack();
  const targets: Target[] = [];
  const serve = async (
    name: string,
    launch: Launch,
    port: number,
    tool: string,
    args: Record<string, unknown>,
  ) => {
    const child = new Deno.Command(launch.command, {
      args: [...launch.args],
      env: launch.env,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    stack.defer(async () => {
      child.kill("SIGKILL");
      await child.status;
    });
    const url = `http://127.0.0.1:${port}/mcp`;
    for (let attempt = 0; attempt < 200; attempt++) {
      try {
        await (await fetch(url)).body?.cancel();
        break;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
    targets.push({ name, url, tool, arguments: args });
  };
  const [, one] = await floors();
  if (one !== undefined) {
    const port = freePort();
    await serve(one.name, { ...one.launch, args: [String(port)] }, port, "empty", {});
  }
  for (const group of groups) {
    if (!isThere(group, bench.parts)) continue;
    const [compiled] = ours(group, bench.backends);
    const [tool = "", args = {}] = questions[group].ours ?? [];
    if (compiled === undefined) continue;
    const port = freePort();
    const launch = { ...compiled, args: ["--http", `127.0.0.1:${port}`] };
    await serve(compiled.name, launch, port, tool, { ...args });
  }
  const results: ManyResult[] = [];
  for (const clients of [1, 8, 64]) {
    for (const target of targets) {
      await measureMany(target, clients, 0.5);
      results.push(await measureMany(target, clients, 3));
    }
  }
  say("\nHTTP: calls a second, and milliseconds of a call");
  print(
    ["subject", "clients", "calls/s", "p50", "p99", "failed"],
    results.map((
      { name, clients, perSecond, time, failures },
    ) => [name, String(clients), three(perSecond), three(time.median), three(time.p99), String(failures)]),
  );
  return results;
}

async function cost(bench: Bench): Promise<readonly ListCost[]> {
  const costs: ListCost[] = [];
  for (const group of groups) {
    const [compiled] = ours(group, bench.backends);
    const subjects = [
      ...(compiled === undefined ? [] : [{ name: compiled.name, launch: compiled }]),
      ...bench.peers.filter((peer) => peer.group === group)
        .map((peer) => ({ name: peer.package, launch: launchOf(peer, bench.backends) })),
    ];
    for (const { name, launch } of subjects) {
      const client = new StdioClient(launch);
      try {
        await client.initialize();
        costs.push(await listCost(name, client));
      } catch (error) {
        say(`skipped: ${name}: ${error instanceof Error ? error.message : error}`);
      } finally {
        await client.close();
      }
    }
  }
  say("\nTokens of tools/list (o200k), without output schemas");
  print(
    ["subject", "tools", "tokens", "tokens a tool", "bytes a tool"],
    costs.map((
      { name, tools, tokens, bytes },
    ) => [name, String(tools), String(tokens), three(tokens / tools), three(bytes / tools)]),
  );
  return costs;
}

/** What the answer to the same question costs. */
async function answers(bench: Bench): Promise<readonly { readonly name: string; readonly tokens: number }[]> {
  const results = [];
  for (const group of groups) {
    if (!isThere(group, bench.parts)) continue;
    const [compiled] = ours(group, bench.backends);
    const subjects = [
      ...(compiled === undefined ? [] : [{ name: compiled.name, launch: compiled, key: "ours" }]),
      ...bench.peers.filter((peer) => peer.group === group)
        .map((peer) => ({ name: peer.package, launch: launchOf(peer, bench.backends), key: peer.name })),
    ];
    for (const { name, launch, key } of subjects) {
      const [tool, args] = questions[group][key] ?? [];
      if (tool === undefined || args === undefined) continue;
      const client = new StdioClient(launch);
      try {
        await client.initialize();
        results.push({ name: `${name}: ${tool}`, tokens: tokens(await client.call(tool, args)) });
      } catch (error) {
        say(`skipped: ${name}: ${error instanceof Error ? error.message : error}`);
      } finally {
        await client.close();
      }
    }
  }
  say("\nTokens of the answer to one question: ten rows, one instant query, five pods");
  print(["subject", "tokens"], results.map(({ name, tokens }) => [name, String(tokens)]));
  return results;
}

function isThere(group: Group, { database, prometheus, kubernetes }: Parts): boolean {
  return { postgres: database, prometheus, kubernetes }[group] !== undefined;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

function print(names: readonly string[], rows: readonly (readonly string[])[]): void {
  const columns = names.map((name, at) => ({ name, align: at === 0 ? "left" as const : "right" as const }));
  say(table(columns, rows, { quotes: false }));
}

const benchmarks: Readonly<Record<string, (bench: Bench) => Promise<unknown>>> = {
  start,
  call,
  many,
  tokens: async (bench) => ({ lists: await cost(bench), answers: await answers(bench) }),
};

async function main(names: readonly string[]): Promise<void> {
  const chosen = names.length > 0 ? names : Object.keys(benchmarks);
  const unknown = chosen.find((name) => !Object.hasOwn(benchmarks, name));
  if (unknown !== undefined) {
    throw new Error(`There is no benchmark ${unknown}: they are ${Object.keys(benchmarks).join(", ")}`);
  }
  for (const { name } of programs) {
    try {
      await Deno.stat(join(project, "dist", name));
    } catch {
      throw new Error(`Cannot find dist/${name}: make it with deno task compile`);
    }
  }
  say("Installing the alternatives and starting the real parts");
  const peers = await installPeers(join(folder, "peers"), say);
  await using parts = await startParts(new Set(groups), say);
  const backends: Backends = {
    database: parts.database?.url ?? "postgres://nobody@127.0.0.1:1/none",
    prometheus: parts.prometheus?.url ?? "http://127.0.0.1:1",
    kubeconfig: parts.kubernetes?.kubeconfig ?? "/nonexistent",
  };
  for (const name of chosen) {
    const result = await benchmarks[name]?.({ parts, peers, backends });
    const path = join(project, "bench/results", `${name}.json`);
    await Deno.mkdir(dirname(path), { recursive: true });
    const machine = {
      cores: navigator.hardwareConcurrency,
      deno: Deno.version.deno,
      target: Deno.build.target,
    };
    await Deno.writeTextFile(path, `${JSON.stringify({ machine, result }, null, 2)}\n`);
  }
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    Deno.stderr.writeSync(new TextEncoder().encode(`${error instanceof Error ? error.message : error}\n`));
    Deno.exit(1);
  }
}
