/** What every benchmark works with: the real parts, who is measured, and where results are printed. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { table } from "../src/common/table.ts";
import { buildProgram } from "../scripts/build.ts";
import type { Parts } from "./parts.ts";
import { type Backends, type Peer, peerCommand } from "./peers.ts";
import { type Launch, StdioClient } from "./stdio_client.ts";

/** The top of the project. */
export const project: string = fileURLToPath(new URL("..", import.meta.url));
/** What a benchmark writes for itself: peers, floors, configurations. */
export const folder: string = join(project, "bench/.work");

/** The programs with one backend. */
export const groups = ["postgres", "prometheus", "kubernetes"] as const;
export type Group = typeof groups[number];

/** What a benchmark gets. */
export interface Bench {
  readonly parts: Parts;
  readonly peers: readonly Peer[];
  readonly backends: Backends;
}

/** One subject: what it is called, how it is started, and whose questions it answers. */
export interface Subject {
  readonly name: string;
  readonly launch: Launch;
  /** `ours`, or a peer's name. */
  readonly key: string;
}

export function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Prints a table, its first column of words and the others of figures. */
export function print(names: readonly string[], rows: readonly (readonly string[])[]): void {
  const columns = names.map((name, at) => ({ name, align: at === 0 ? "left" as const : "right" as const }));
  say(table(columns, rows, { quotes: false }));
}

/** Whether the part that a group needs is there. */
export function isThere(group: Group, { database, prometheus, kubernetes }: Parts): boolean {
  return { postgres: database, prometheus, kubernetes }[group] !== undefined;
}

/** A compiled program's path. */
export const executable = (name: string): string => join(project, "dist", `${name}-mcp`);

/** Our variables for a backend. Without limits: it is the work that is measured. */
function variables(
  group: Group | "platform",
  { database, prometheus, kubeconfig }: Backends,
): Record<string, string> {
  const backend = {
    postgres: { DATABASE_URL: database },
    prometheus: { PROMETHEUS_URL: prometheus },
    kubernetes: { KUBECONFIG: kubeconfig },
    platform: { DATABASE_URL: database, PROMETHEUS_URL: prometheus, KUBECONFIG: kubeconfig },
  };
  return { ...backend[group], RATE_LIMIT_PER_MINUTE: "0" };
}

/** Our program, compiled. */
export function compiled(group: Group | "platform", backends: Backends): Subject {
  const launch = { command: executable(group), args: [], env: variables(group, backends) };
  return { name: `${group}-mcp, compiled`, launch, key: "ours" };
}

/** Our program, from source. */
export function fromSource(group: Group | "platform", backends: Backends): Subject {
  const options = ["run", "--quiet", "--no-prompt", "--config", join(project, "deno.json"), `-P=${group}`];
  const args = [...options, join(project, `src/${group}.ts`)];
  const launch = { command: Deno.execPath(), args, env: variables(group, backends) };
  return { name: `${group}-mcp, from source`, launch, key: "ours" };
}

/** The alternatives for a backend. */
export function alternatives(group: Group, { peers, backends }: Bench): readonly Subject[] {
  return peers.filter((peer) => peer.group === group).map((peer) => {
    const configuration = join(folder, `${peer.name}.toml`);
    if (peer.configuration !== undefined) Deno.writeTextFileSync(configuration, peer.configuration(backends));
    const { command, args } = peerCommand(peer, join(folder, "peers"));
    return {
      name: peer.package,
      key: peer.name,
      launch: {
        command,
        args: [...args, ...peer.args(backends, configuration)],
        env: { ...peer.env(backends), ...kubectlOnPath() },
      },
    };
  });
}

/** Alternatives that start kubectl find the one of the real parts. */
function kubectlOnPath(): Record<string, string> {
  const assets = Deno.env.get("KUBEBUILDER_ASSETS");
  return assets === undefined ? {} : { PATH: `${assets}:${Deno.env.get("PATH") ?? ""}` };
}

/**
 * Compiles the least there can be: `empty`, an executable that answers one line; `one_tool`, a server with one empty
 * tool; `query_tool`, one that asks the database and does nothing else.
 */
export async function floor(name: "empty" | "one_tool" | "query_tool"): Promise<Launch> {
  const output = join(folder, name);
  await buildProgram({
    program: { name, entry: `bench/floors/${name}.ts`, permissions: "", whole: [] },
    flags: ["--allow-net", "--allow-env"],
    target: undefined,
    output,
    say: () => {},
    plain: true,
  });
  return { command: output, args: [], env: {} };
}

/** Opens a session with each subject that can be started; says which can't. Closed with `stack`. */
export async function openSessions(
  subjects: readonly Subject[],
  stack: AsyncDisposableStack,
): Promise<readonly (Subject & { readonly client: StdioClient })[]> {
  const open = [];
  for (const subject of subjects) {
    const client = new StdioClient(subject.launch);
    stack.defer(() => client.close());
    try {
      await client.initialize();
      open.push({ ...subject, client });
    } catch (error) {
      say(`skipped: ${subject.name}: ${messageOf(error)}`);
    }
  }
  return open;
}

/** A port of the loopback interface that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A server over HTTP, ready to be asked; ended with `stack`. */
export async function serveHttp(
  launch: Launch,
  port: number,
  stack: AsyncDisposableStack,
): Promise<{ readonly url: string; readonly pid: number }> {
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
  for (let attempt = 0; attempt < 400; attempt++) {
    try {
      await (await fetch(url)).body?.cancel();
      return { url, pid: child.pid };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  throw new Error(`${launch.command} does not listen`);
}

export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]?.slice(0, 120) ?? "";
}

/** Writes what was measured, beside what it was measured on. */
export async function keep(name: string, result: unknown, peers: readonly Peer[]): Promise<void> {
  const path = join(project, "bench/results", `${name}.json`);
  await Deno.mkdir(dirname(path), { recursive: true });
  const machine = {
    date: new Date().toISOString().slice(0, 10),
    cores: navigator.hardwareConcurrency,
    deno: Deno.version.deno,
    target: Deno.build.target,
    peers: peers.map(({ package: name }) => name),
  };
  await Deno.writeTextFile(path, `${JSON.stringify({ machine, result }, null, 2)}\n`);
}
