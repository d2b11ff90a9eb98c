/** The sections of docs/benchmarks.md: each out of one benchmark's result, some with a chart beside it. */
import { dirname, join } from "node:path";
import type { CallResult } from "./calls.ts";
import type { ManyResults } from "./benchmarks/many.ts";
import type { Attempt } from "./benchmarks/promises.ts";
import type { Grown } from "./benchmarks/size.ts";
import type { Held } from "./benchmarks/soak.ts";
import type { StartResults } from "./benchmarks/start.ts";
import type { TokenResults } from "./benchmarks/tokens.ts";
import { aims, type Measured, told, verdict } from "./aims.ts";
import { barChart } from "./chart.ts";
import { project, say } from "./context.ts";
import { three } from "./statistics.ts";
import type { StartResult } from "./start.ts";

/** Writes a file of the project. */
export async function write(path: string, text: string): Promise<void> {
  const whole = join(project, path);
  await Deno.mkdir(dirname(whole), { recursive: true });
  await Deno.writeTextFile(whole, text);
  say(path);
}

function table(names: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = names.map((_, at) => at === 0 ? "---" : "---:");
  return [line(names), line(rule), ...rows.map(line)].join("\n");
}

const isOurs = (name: string) => /^(postgres|prometheus|kubernetes|platform)-mcp\b/.test(name);
const megabytes = (bytes: number | undefined) => three((bytes ?? NaN) / 1e6);

export function promiseSection(attempts: readonly Attempt[]): string {
  return [
    "## Attacks on read-only",
    "",
    "The same attacks on every server, each with its own read-only settings where it has any. The database role is a",
    "superuser, the cluster identity an administrator. The outcome is what the backend reports afterwards, or what the",
    "answer contained.",
    "",
    table(
      ["attack", "subject", "outcome"],
      attempts.map((
        { attack, name, outcome },
      ) => [`\`${attack}\``, name, outcome === "held" ? "blocked" : `**${outcome}**`]),
    ).replace("| ---: | ---: |", "| --- | --- |"),
    "",
  ].join("\n");
}

export function aimSection(measured: Measured): string {
  const rows = aims(measured).map((aim) => {
    const { limit, values } = told(aim);
    return [aim.aim, limit, values, verdict(aim)];
  });
  return [
    "## Targets and results",
    "",
    table(["target", "limit", "this run", "result"], rows).replace(
      "| ---: | ---: | ---: |",
      "| --- | --- | --- |",
    ),
    "",
  ].join("\n");
}

export async function startSection({ warm, cold, sizes }: StartResults): Promise<string> {
  const floor = warm[0]?.initialize.median ?? NaN;
  const rows = (results: readonly StartResult[]) =>
    results.map(({ name, initialize, list, first, memory, failure }) =>
      failure !== undefined ? [`${name}: ${failure.slice(0, 60)}`, "", "", "", "", "", ""] : [
        name,
        three(initialize.median),
        three(initialize.spread),
        three(initialize.median / floor),
        three(list?.median ?? NaN),
        three(first?.median ?? NaN),
        megabytes(memory?.median),
      ]
    );
  const names = [
    "subject",
    "initialize, ms",
    "±",
    "relative to empty",
    "tools/list, ms",
    "first call, ms",
    "idle MB",
  ];
  await write(
    "docs/charts/start.svg",
    barChart(
      "From spawn to the answer of initialize, milliseconds",
      warm.filter(({ failure }) => failure === undefined).map(({ name, initialize }) => ({
        name,
        value: initialize.median,
        label: `${three(initialize.median)} ms`,
        ours: isOurs(name),
      })),
    ),
  );
  return [
    "## Start",
    "",
    "Time from spawning the process to each answer, and the memory of the process and its children one second after",
    "`tools/list`.",
    "",
    "![Start](charts/start.svg)",
    "",
    table(names, rows(warm)),
    ...(cold === undefined ? [] : [
      "",
      "With a cold file cache (not measured for the servers that run on Node.js):",
      "",
      table(
        names.slice(0, 3).concat("tools/list, ms", "first call, ms"),
        cold.map((result) => [
          result.name,
          three(result.initialize.median),
          three(result.initialize.spread),
          three(result.list?.median ?? NaN),
          three(result.first?.median ?? NaN),
        ]),
      ),
    ]),
    "",
    table(
      ["executable", "MB", "relative to the first"],
      sizes.map(({ name, bytes }) => [name, megabytes(bytes), three(bytes / (sizes[0]?.bytes ?? NaN))]),
    ),
    "",
  ].join("\n");
}

export function callSection(results: Readonly<Record<string, readonly CallResult[]>>): string {
  const tables = Object.entries(results).map(([title, works]) => {
    const floor = works[0]?.time.median ?? NaN;
    const compared = !title.includes("each tool");
    const rows = works.map(({ name, time, failure }) => [
      failure === undefined ? name : `${name}: ${failure.slice(0, 60)}`,
      three(time.median),
      three(time.spread),
      three(time.p99),
      ...(compared ? [three(time.median - floor), three(time.median / floor)] : []),
    ]);
    const names = [
      "subject",
      "p50, ms",
      "±",
      "p99, ms",
      ...(compared ? ["ms over the first", "relative to the first"] : []),
    ];
    return `### ${title}\n\n${table(names, rows)}\n`;
  });
  return [
    "## One call at a time",
    "",
    "Every subject answers the same question. A floor is the least that it takes: the bare driver or HTTP request, or an empty",
    "tool on the same SDK.",
    "",
    ...tables,
  ]
    .join("\n");
}

export function manySection({ loads, replicas, bursts, row }: ManyResults): string {
  const names = ["subject", "clients", "calls/s", "p50, ms", "p99, ms", "failed", "CPU ms per call"];
  const rows = (all: ManyResults["loads"]) =>
    all.map(({ name, clients, perSecond, p50, p99, failures, processor }) => [
      name,
      String(clients),
      three(perSecond),
      three(p50),
      three(p99),
      String(failures),
      three(processor),
    ]);
  return [
    "## Many calls at once, over HTTP",
    "",
    "The clients run on the same cores; the last column is the server's own CPU time.",
    "",
    table(names, rows(loads)),
    "",
    ...(replicas.length === 0 ? [] : ["Replicas, called in turn:", "", table(names, rows(replicas)), ""]),
    ...(row.length === 0 ? [] : [
      "Listing the pods of a namespace over stdio, one call after another:",
      "",
      table(["subject", "calls/s"], row.map(({ name, perSecond }) => [name, three(perSecond)])),
      "",
    ]),
    "500 calls at once over stdio:",
    "",
    table(
      ["subject", "ms until the last answer", "calls/s"],
      bursts.map(({ name, ms }) => [name, three(ms), three(500_000 / ms)]),
    ),
    "",
  ].join("\n");
}

export function sizeSection(results: readonly Grown[]): string {
  return [
    "## Scaling with result size",
    "",
    "Rows of a result, series of an instant query, pods of a namespace; a new process for each size.",
    "",
    table(
      ["subject", "size", "ms", "peak MB", "answer, kB"],
      results.map(({ name, size, ms, peak, bytes, failure }) => [
        failure === undefined ? name : `${name}: ${failure.slice(0, 60)}`,
        size.toLocaleString("en"),
        three(ms),
        megabytes(peak),
        three(bytes / 1e3),
      ]),
    ),
    "",
  ].join("\n");
}

export async function tokenSection(
  { lists, answers, shortest, shortestShown, compared }: TokenResults,
): Promise<string> {
  const tables = [...new Set(answers.map(({ group }) => group))].map((group) => {
    const own = answers.filter((answered) => answered.group === group);
    const subjects = [...new Set(own.flatMap(({ answers }) => Object.keys(answers)))];
    const structured = subjects.filter((name) => own.some((answered) => name in answered.structured));
    const rows = own.map((answered) => [
      answered.question,
      ...subjects.flatMap((name) => [
        answered.answers[name]?.toLocaleString("en") ?? "",
        ...(structured.includes(name) ? [answered.structured[name]?.toLocaleString("en") ?? ""] : []),
      ]),
    ]);
    const columns = subjects.flatMap((name) => [name, ...(structured.includes(name) ? ["structured"] : [])]);
    return `${table([group, ...columns], rows)}\n`;
  });
  const all = ["prometheus: everything there is", "postgres: all rows of a table of 100,000"];
  await write(
    "docs/charts/tokens.svg",
    barChart(
      "Tokens of an answer (logarithmic)",
      answers.filter(({ group, question }) => all.includes(`${group}: ${question}`)).flatMap((
        { question, answers },
      ) =>
        Object.entries(answers).map(([name, cost]) => ({
          name: `${name.split(/[@,]/).find((word) => word !== "") ?? name}: ${question}`.slice(0, 46),
          value: cost,
          label: cost.toLocaleString("en"),
          ours: isOurs(name) && !name.includes("@"),
        }))
      ),
      true,
    ),
  );
  return [
    "## Tokens",
    "",
    "In the o200k encoding. `tools/list` is counted without output schemas, which are not shown to a model.",
    "",
    table(
      ["subject", "tools", "tokens", "tokens per tool", "bytes per tool"],
      lists.map(({ name, tools, tokens, bytes }) => [
        name,
        String(tools),
        tokens.toLocaleString("en"),
        three(tokens / tools),
        three(bytes / tools),
      ]),
    ),
    "",
    `Twenty questions; ours is the shortest answer to ${shortest} of the ${compared} that other servers answer, too. Shortest`,
    "is not always best: an empty result without an explanation takes seven tokens.",
    "",
    "A client that receives structured content may show the model that instead of the text, as Claude Code 2.1.197 does. In",
    `that form, ours is the shortest answer to ${shortestShown}. Errors have no structured form.`,
    "",
    "![Tokens of an answer](charts/tokens.svg)",
    "",
    ...tables,
  ].join("\n");
}

export function soakSection(results: readonly Held[]): string {
  const minutes = [...new Set(results.map(({ minute }) => minute))];
  const names = [...new Set(results.map(({ name }) => name))];
  const rows = names.map((name) => {
    const own = results.filter((held) => held.name === name);
    const span = (of: (held: Held) => number) => `${of(own[0] ?? noHeld)}, ${of(own.at(-1) ?? noHeld)}`;
    return [
      name,
      ...own.map(({ memory }) => megabytes(memory)),
      span(({ files }) => files),
      name.startsWith("postgres") ? span(({ connections }) => connections) : "",
    ];
  });
  return [
    "## Soak",
    "",
    `Mixed calls without a pause for ${three(minutes.at(-1) ?? NaN)} minutes, ${
      (results.at(-1)?.calls ?? 0).toLocaleString("en")
    } in all: memory in MB by minute; open files and connections to PostgreSQL (of both programs that use it) at the`,
    "start and at the end.",
    "",
    table(["subject", ...minutes.map(three), "files", "connections"], rows),
    "",
  ].join("\n");
}

const noHeld: Held = { name: "", minute: NaN, calls: NaN, memory: NaN, files: NaN, connections: NaN };
