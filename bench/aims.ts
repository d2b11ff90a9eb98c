/** What the benchmarks are to show, and what they showed: the misses first of all. */
import type { CallResult } from "./calls.ts";
import type { ManyResults } from "./benchmarks/many.ts";
import type { StartResults } from "./benchmarks/start.ts";
import type { TokenResults } from "./benchmarks/tokens.ts";
import { three } from "./statistics.ts";

/** The results of one run, as far as there are any. */
export interface Measured {
  readonly start: StartResults | undefined;
  readonly call: Readonly<Record<string, readonly CallResult[]>> | undefined;
  readonly many: ManyResults | undefined;
  readonly tokens: TokenResults | undefined;
}

/** One aim: ours come to `values`, each of which is to be at most (or at least) `limit`. */
export interface Aim {
  readonly aim: string;
  readonly limit: number;
  readonly atLeast?: boolean;
  /** By program; NaN where it was not measured. */
  readonly values: Readonly<Record<string, number>>;
}

const empty = "floor: an empty executable";
const oneTool = "floor: one tool of the same SDK";
const backends = ["postgres", "prometheus", "kubernetes"];

/** The aims that were measured. */
export function aims({ start, call, many, tokens }: Measured): readonly Aim[] {
  return [...startAims(start), ...callAims(call), ...manyAims(many), ...tokenAims(tokens)];
}

/** `met`, or by which it was missed. */
export function verdict({ limit, atLeast = false, values }: Aim): string {
  const names = Object.keys(values);
  const missed = names.filter((name) => {
    const value = values[name] ?? NaN;
    return !(atLeast ? value >= limit : value <= limit);
  });
  if (missed.length === 0) return "met";
  return missed.length === names.length ? "**missed**" : `**missed** by ${missed.join(", ")}`;
}

/** `at most 2.2`, and what it came to: `postgres 4.42, prometheus 3.9`. */
export function told(
  { limit, atLeast = false, values }: Aim,
): { readonly limit: string; readonly values: string } {
  return {
    limit: `at ${atLeast ? "least" : "most"} ${limit}`,
    values: Object.entries(values).map(([name, value]) => `${name} ${three(value)}`).join(", "),
  };
}

function startAims(start: StartResults | undefined): readonly Aim[] {
  if (start === undefined) return [];
  const of = (begins: string) => start.warm.find(({ name }) => name.startsWith(begins));
  const ratios = (floor: number | undefined, what: (name: string) => number | undefined) =>
    Object.fromEntries(
      [...backends, "platform"].map((name) => [name, (what(name) ?? NaN) / (floor ?? NaN)]),
    );
  const initialize = (begins: string) => of(begins)?.initialize.median;
  const ours = (name: string) => `${name}-mcp, compiled`;
  const [runtime, ...executables] = start.sizes;
  return [
    {
      aim: "Start time, relative to an empty executable",
      limit: 2.2,
      values: ratios(initialize(empty), (name) => initialize(ours(name))),
    },
    {
      aim: "Start time, relative to one tool on the same SDK",
      limit: 1.1,
      values: ratios(initialize(oneTool), (name) => initialize(ours(name))),
    },
    {
      aim: "Start time, relative to the Prometheus project's server (Go)",
      limit: 1,
      values: {
        prometheus: (initialize(ours("prometheus")) ?? NaN) /
          (initialize("prometheus/prometheus-mcp@") ?? NaN),
      },
    },
    {
      aim: "Idle memory, relative to one tool on the same SDK",
      limit: 1.1,
      values: ratios(of(oneTool)?.memory?.median, (name) => of(ours(name))?.memory?.median),
    },
    {
      aim: "Executable size, relative to the Deno runtime",
      limit: 1.06,
      values: Object.fromEntries(
        executables.map(({ name, bytes }) => [name.replace(/-mcp$/, ""), bytes / (runtime?.bytes ?? NaN)]),
      ),
    },
  ];
}

function callAims(call: Measured["call"]): readonly Aim[] {
  const p50 = (table: string, begins: string) =>
    call?.[table]?.find(({ name }) => name.startsWith(begins))?.time.median ?? NaN;
  if (call === undefined) return [];
  return [
    {
      aim: "A query, milliseconds more than the bare driver",
      limit: 0.6,
      values: { postgres: p50("postgres", "postgres-mcp") - p50("postgres", "floor: npm:postgres") },
    },
    {
      aim: "An instant query, time relative to the Prometheus project's server",
      limit: 1,
      values: { prometheus: p50("prometheus", "prometheus-mcp,") / p50("prometheus", "prometheus/") },
    },
    {
      aim: "Listing pods, time relative to the bare request",
      limit: 1.3,
      values: { kubernetes: p50("kubernetes", "kubernetes-mcp,") / p50("kubernetes", "floor") },
    },
  ];
}

function manyAims(many: ManyResults | undefined): readonly Aim[] {
  if (many === undefined) return [];
  const perSecond = (begins: string) =>
    many.loads.find(({ name, clients }) => name.startsWith(begins) && clients === 8)?.perSecond ?? NaN;
  const inARow = (begins: string) => many.row.find(({ name }) => name.startsWith(begins))?.perSecond ?? NaN;
  return [
    {
      aim:
        "Listing pods in sequence, calls per second relative to the Go server, whose client library throttles it",
      limit: 10,
      atLeast: true,
      values: { kubernetes: inARow("kubernetes-mcp,") / inARow("kubernetes-mcp-server@") },
    },
    {
      aim: "Calls per second over HTTP (8 clients), relative to one empty tool on the same SDK",
      limit: 0.8,
      atLeast: true,
      values: Object.fromEntries(
        backends.map((name) => [name, perSecond(`${name}-mcp`) / perSecond(oneTool)]),
      ),
    },
  ];
}

function tokenAims(tokens: TokenResults | undefined): readonly Aim[] {
  if (tokens === undefined) return [];
  const perTool = ({ bytes, tools }: TokenResults["lists"][number]) => bytes / tools;
  const alternatives: Readonly<Record<string, RegExp>> = {
    prometheus: /^prometheus(-mcp@|\/)/,
    kubernetes: /kubernetes.*@/,
  };
  const values = Object.entries(alternatives).map(([group, pattern]) => {
    const ours = tokens.lists.find(({ name }) => name.startsWith(`${group}-mcp,`));
    const least = Math.min(
      ...tokens.lists.filter(({ name, tools }) => pattern.test(name) && tools > 3).map(perTool),
    );
    return [group, ours === undefined ? NaN : perTool(ours) / least];
  });
  return [
    {
      aim: "Bytes per tool in tools/list, relative to the smallest alternative with more than three tools",
      limit: 1,
      values: Object.fromEntries(values),
    },
    {
      aim: "Questions out of twenty to which our answer is the shortest",
      limit: 15,
      atLeast: true,
      values: { text: tokens.shortest, structured: tokens.shortestShown },
    },
  ];
}
