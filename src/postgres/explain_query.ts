/** Tool `explain_query`: how PostgreSQL runs one SELECT, where its time goes, and what a person could do about it. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { bracketless, filled } from "../common/structured.ts";
import { fitsBudget, largestThatFits } from "../common/largest_that_fits.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { plural, size } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Cell, Database, Transaction } from "./database.ts";
import { describeServerError, ServerError } from "./database_errors.ts";
import { authorize, type GuardedStatement, inspect, type Inspected } from "./guard.ts";
import { bindable, checkValues, parameters } from "./parameters.ts";
import { type Plan, readPlan } from "./plan.ts";
import { type Finding, findingsOf, isFast, rulesFor } from "./plan_findings.ts";
import { offsetOf } from "./plan_offset.ts";
import { readFacts } from "./plan_relations.ts";
import {
  costliest,
  estimates,
  head,
  isOncePerProcess,
  leftOut,
  mostImportant,
  nodeLines,
  remarks,
  tree,
} from "./plan_text.ts";
import { nodeName } from "./plan_names.ts";
import { suggesting } from "./suggestions.ts";

/** What the tool needs to know of the settings. */
export interface ExplainQueryOptions {
  readonly allowFunctions: readonly string[];
  /** A measured statement that takes fewer milliseconds, planning included, has nothing to gain; 1 unless given. */
  readonly fastMs?: number;
}

const input = z.strictObject({
  sql: z.string().describe("One SELECT, VALUES or TABLE, without EXPLAIN"),
  parameters,
  analyze: z.boolean().default(false).describe(
    "Runs it in full, read-only, for real times, rows and buffers",
  ),
});

const output = z.object({
  measured: z.boolean().describe("False: not run, all numbers are the planner's estimates"),
  execution_ms: z.number().optional(),
  planning_ms: z.number().optional(),
  rows: z.number().optional().describe("Absent: not run"),
  expected_rows: z.number(),
  cost: z.number().describe("The planner's, in its own unit"),
  costliest: z.string().describe("The node that takes the most by itself"),
  notes: z.array(z.string()).optional().describe("Pages read, settings, what was looked for, what was cut"),
  findings: z.array(z.object({
    title: z.string(),
    evidence: z.string(),
    advice: z.string(),
    statement: z.string().optional().describe("What a person could run; this server only reads"),
    caution: z.string().optional().describe("What to know before it is run"),
    share: z.number().describe("How much of the time or cost it is about, 0 to 1"),
  })).describe("What explains most first"),
  nodes_left_out: z.number(),
  nodes: z.array(z.object({
    depth: z.number(),
    name: z.string(),
    share: z.number().describe("Its own, 0 to 1, of the time or cost"),
    self_ms: z.number().optional(),
    rows: z.number().optional().describe("Per loop; absent: not run"),
    expected_rows: z.number().describe("Per loop"),
    cost: z.number().optional().describe("Including everything below it; absent: run"),
    loops: z.number().optional().describe("0: never executed; absent: one, or not run"),
    processes: z.number().optional().describe("Each of which ran it once; absent: one"),
    details: z.array(z.string()).optional(),
  })).describe("In the order EXPLAIN prints them"),
});
type Explained = z.output<typeof output>;

/** Bytes of JSON that a plan may take. */
const planBytes = 4 << 20;

/** Explains one read-only statement; with `analyze` it runs, inside the same guard and rollback as every other. */
export function explainQuery(database: Database, options: ExplainQueryOptions): Tool {
  return defineTool({
    name: "explain_query",
    title: "Explain a query",
    description:
      "How PostgreSQL runs one SELECT: the plan as a tree, where most of the cost goes and why (missing index, wrong " +
      "estimate, spill to disk …), and what a person could do. Estimates, unless analyze.",
    input,
    output,
    async run({ sql, analyze, parameters }, { signal }): Promise<Explanation> {
      const prefix = explainPrefix(analyze);
      // The text that runs is what the guard passes, EXPLAIN included.
      const inspected = inspectPrefixed(prefix, sql);
      const values = bindable(parameters);
      // GENERIC_PLAN would do without, but not over the extended protocol: the server wants every parameter bound.
      checkValues(inspected.references.parameters, values.length, {
        verb: "plan",
        hint: "Give a value for each of $1, $2 …, one it usually runs with: the plan depends on them",
      });
      return await suggesting(database, signal, sql, () =>
        database.read({ signal }, async (transaction) => {
          const statement = await authorize(inspected, transaction, options);
          const plan = readPlan(
            await fetchPlan(transaction, statement, values).catch((error: unknown) => {
              throw inCallersWords(error, { sql, prefix, analyze });
            }),
          );
          // Afterwards, since it changes the search path, which the plan would show.
          const facts = { ...await readFacts(transaction, plan.nodes), offset: offsetOf(sql, values) };
          const fast = isFast(plan, options.fastMs ?? 1);
          return { plan, fast, findings: fast ? [] : findingsOf({ plan, facts }) };
        }));
    },
    present,
  });
}

/** What the server said, and what the rules make of it. */
interface Explanation {
  readonly plan: Plan;
  /** Whether it took no time to speak of. */
  readonly fast: boolean;
  readonly findings: readonly Finding[];
}

/** VERBOSE for the tables' schemas and for each worker. A line of its own, so that errors point into the caller's text. */
function explainPrefix(analyze: boolean): string {
  const measured = analyze ? ", ANALYZE, BUFFERS, TIMING" : "";
  return `EXPLAIN (FORMAT JSON, VERBOSE, COSTS, SETTINGS, SUMMARY${measured})\n`;
}

/** Where the guard does not take it, the error is that of the caller's own text, if there is one. */
function inspectPrefixed(prefix: string, sql: string): Inspected {
  try {
    return inspect(prefix + sql);
  } catch (error) {
    checkIsQuery(sql);
    throw error;
  }
}

function checkIsQuery(sql: string): void {
  const { kind } = inspect(sql);
  if (kind === "select") return;
  throw new CallError(
    "invalid",
    kind === "explain"
      ? "Cannot explain an EXPLAIN as the statement itself is wanted"
      : "Cannot explain SHOW as only a SELECT has a plan",
    {
      hint: kind === "explain"
        ? "Send the statement without EXPLAIN; analyze: true stands for EXPLAIN ANALYZE"
        : "Run it with query_database",
    },
  );
}

async function fetchPlan(
  transaction: Transaction,
  statement: GuardedStatement,
  values: readonly Cell[],
): Promise<string> {
  const limits = { maxRows: 1, cellBytes: planBytes, answerBytes: planBytes };
  const { rows, cut } = await transaction.fetch(statement, values, limits);
  const json = rows[0]?.[0];
  if (json === null || json === undefined) {
    throw new CallError("failed", "Cannot read the plan as the server gave none");
  }
  if (cut.size > 0) {
    const bytes = cut.get("0:0") ?? planBytes;
    throw new CallError(
      "refused",
      `Cannot show the plan as it has ${size(bytes)}, and ${size(planBytes)} is the most`,
      {
        hint: "Explain a part of the query, shorten long values in it, or restrict it to fewer partitions",
      },
    );
  }
  return json;
}

/** Errors point into the caller's text, and the advice to call this tool is left out. */
function inCallersWords(
  error: unknown,
  { sql, prefix, analyze }: { readonly sql: string; readonly prefix: string; readonly analyze: boolean },
): unknown {
  if (!(error instanceof CallError) || !(error.cause instanceof ServerError)) return error;
  const { cause } = error;
  if (cause.sqlState === "57014" && error.kind === "unavailable") {
    return new CallError("unavailable", error.message, {
      hint: analyze
        ? "call it again without analyze for the plan with estimates, or explain a part of the query; an operator can raise STATEMENT_TIMEOUT_MS"
        : error.hint,
      cause,
    });
  }
  const position = Number(cause.fields.get("P"));
  if (!Number.isSafeInteger(position) || position <= prefix.length) return error;
  const moved = new ServerError(new Map(cause.fields).set("P", String(position - prefix.length)));
  // The timeout is only told of errors without a position.
  return describeServerError(moved, { sql, statementTimeoutMs: 0 });
}

/** Findings, and characters of an expression, that are given up for more of the tree. */
const levels = [[5, 240], [5, 80], [3, 80], [2, 40], [1, 40], [0, 40]] as const;
/** Nodes that a reader needs beside the findings. */
const fewNodes = 12;
/** Nodes that a reader takes in at a glance, and how many are too few over that to be worth a cut. */
const manyNodes = 25;
const slack = 5;

function present(explanation: Explanation, budget: number): Presentation<Explained> {
  const { plan } = explanation;
  let best: Presentation<Explained> | undefined;
  for (const [findings, characters] of levels) {
    const lines = nodeLines(plan, characters);
    const most = lines.length <= manyNodes + slack ? lines.length : manyNodes;
    const answer = largestThatFits(most, (shown) => {
      const kept = mostImportant(plan, shown);
      return make(explanation, findings, lines.filter(({ node }) => kept.has(node)));
    }, budget);
    best = answer;
    if (fitsBudget(answer, budget) && answer.rows >= Math.min(fewNodes, most)) break;
  }
  return best ?? make(explanation, 0, []);
}

function make(
  { plan, fast, findings }: Explanation,
  most: number,
  lines: ReturnType<typeof nodeLines>,
): Presentation<Explained> {
  const told = findings.slice(0, most);
  const { run, circumstances } = remarks(plan);
  const verdict = verdictLines(plan, { fast, found: findings.length, told: told.length });
  const structured: Explained = {
    measured: plan.measured,
    ...filled({
      execution_ms: plan.executionMs,
      planning_ms: plan.planningMs,
      rows: plan.root.totalRows,
    }),
    expected_rows: plan.root.estimatedRows,
    cost: plan.root.number("Total Cost") ?? 0,
    costliest: nodeName(costliest(plan).node),
    ...filled({
      notes: [
        ...verdict.map(bracketless),
        ...leftOut(plan, lines.length),
        ...(plan.measured ? [] : [estimates]),
        ...run,
        ...circumstances,
      ],
    }),
    findings: told.map(({ share, statement, ...finding }) => ({
      ...finding,
      ...filled({ statement, caution: statement?.split("\n").some(blocksWriters) ? waits : undefined }),
      share: rounded(share),
    })),
    nodes_left_out: plan.nodes.length - lines.length,
    nodes: lines.map(({ node, name, details }) => ({
      depth: node.depth,
      name,
      share: rounded(node.share),
      ...filled({ self_ms: node.selfMs === undefined ? undefined : rounded(node.selfMs), rows: node.rows }),
      expected_rows: node.estimatedRows,
      ...filled({
        cost: node.rows === undefined ? node.number("Total Cost") : undefined,
        loops: node.loops === 1 ? undefined : node.loops,
        processes: isOncePerProcess(node) ? node.processes : undefined,
        details: [...details],
      }),
    })),
  };
  const text = [
    ...head(plan),
    "",
    ...told.flatMap(findingLines),
    ...verdict,
    "",
    `Plan (${plan.measured ? "each node's own part of the time" : "each node's own part of the cost"}):`,
    ...tree(plan, lines),
  ].join("\n");
  return { text, structured, rows: lines.length };
}

/** What is said where nothing was found, or not all of it is told. */
function verdictLines(
  { measured }: Plan,
  { fast, found, told }: { readonly fast: boolean; readonly found: number; readonly told: number },
): readonly string[] {
  if (fast) return ["Nothing stands out: in less than a millisecond there is little to gain."];
  if (found === 0) {
    const looked = rulesFor(measured).map(({ looksAt }) => looksAt).join(", ");
    return [`Nothing stands out in the ${measured ? "measurements" : "estimates"}. Looked for: ${looked}.`];
  }
  return told < found ? [`[Cut: the first ${told} of ${plural(found, "finding")} shown.]`] : [];
}

function findingLines({ title, evidence, advice, statement }: Finding, index: number): readonly string[] {
  return [
    `${index + 1}. ${title}.`,
    `   Evidence: ${evidence}.`,
    `   ${advice}.`,
    ...statementLines(statement),
  ];
}

const waits = "writes wait until it is built";

/** Of a partitioned table, which takes no CONCURRENTLY. */
function blocksWriters(line: string): boolean {
  return /^CREATE INDEX (?!CONCURRENTLY)/.test(line);
}

/** One statement a line: two in one go make a transaction of their own, which CONCURRENTLY refuses. */
function statementLines(statement: string | undefined): readonly string[] {
  return (statement?.split("\n") ?? []).map((line, at) =>
    `   ${at === 0 ? "A person could run: " : "and: "}${visible(line)}${
      blocksWriters(line) ? ` -- ${waits}` : ""
    }`
  );
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
