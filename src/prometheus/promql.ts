/**
 * PromQL, read with Prometheus's own grammar before it is sent. The grammar here may be older or stricter than the
 * server's, so the server has the last word: {@linkcode readPromql} notes a problem, and only what no server could take
 * is refused.
 */
import type { SyntaxNodeRef } from "@lezer/common";
import type { LRParser } from "@lezer/lr";
import { CallError } from "../common/errors.ts";
import { visible } from "../common/visible.ts";
import { type Expression, expressions, readExpression, type Selector } from "./promql_expression.ts";

/** A place in a query. */
export interface Place {
  /** UTF-16 units from the start. */
  readonly offset: number;
  /** Counted from 1. */
  readonly line: number;
  /** Characters from the start of the line, counted from 1. */
  readonly column: number;
}

/** Where the grammar stumbles, and over what. */
export interface SyntaxProblem extends Place {
  /** As in "Cannot read the query as …". */
  readonly reason: string;
}

/** A query and what is known of it. */
export interface ParsedQuery {
  readonly text: string;
  readonly expression: Expression;
  /** In the order they are written. */
  readonly selectors: readonly Selector[];
  /** What the grammar here does not understand; a newer server may. */
  readonly problem: SyntaxProblem | undefined;
}

let grammar: LRParser | undefined;

/** Loads the grammar; needs a readable environment variable `LOG`, or permission to find it unset. */
export async function loadPromql(): Promise<void> {
  grammar ??= (await import("@prometheus-io/lezer-promql")).parser;
}

/** Longer queries are refused before they are parsed: one that is no PromQL takes ten microseconds a character. */
const longestQuery = 10_000;

/**
 * Reads a query, problems included. Throws {@linkcode CallError} `invalid` for an empty or an immense one;
 * {@linkcode loadPromql} must have been awaited.
 */
export function readPromql(query: string): ParsedQuery {
  if (grammar === undefined) throw new Error("Cannot parse before loadPromql has been awaited");
  if (query.replace(/#.*/g, "").trim() === "") {
    throw new CallError("invalid", "Cannot query as the query is empty", {
      hint: "give a PromQL expression, such as up or sum by (job) (rate(http_requests_total[5m]))",
    });
  }
  if (query.length > longestQuery) {
    throw new CallError("invalid", `Cannot query as the query is longer than ${longestQuery} characters`, {
      hint: "shorten it, for example with a regular expression in place of many alternatives",
    });
  }
  const tree = grammar.parse(query);
  let stumble: { from: number; to: number } | undefined;
  tree.iterate({
    enter(node: SyntaxNodeRef) {
      if (node.type.isError) stumble ??= { from: node.from, to: node.to };
    },
  });
  const top = tree.topNode.firstChild;
  const expression: Expression = top === null || top.type.isError
    ? { kind: "unknown", parts: [] }
    : readExpression(top, query);
  const selectors = [...expressions(expression)].filter((part) => part.kind === "selector");
  return {
    text: query,
    expression,
    selectors,
    problem: stumble === undefined ? unterminated(query) : problemAt(query, stumble),
  };
}

/**
 * Parses a query that this program wrote, or that no server is asked about. Throws {@linkcode CallError} `invalid` that
 * points to the place of a syntax error.
 */
export function parsePromql(query: string): ParsedQuery {
  const parsed = readPromql(query);
  if (parsed.problem !== undefined) throw syntaxError(query, parsed.problem);
  return parsed;
}

/** A syntax error in words, with its place. */
function syntaxError(query: string, problem: SyntaxProblem): CallError {
  return new CallError(
    "invalid",
    `Cannot read the query as PromQL, line ${problem.line}, column ${problem.column}: ${problem.reason}`,
    { hint: `look at ▸ in: ${excerpt(query, problem.offset)}` },
  );
}

/** The place of an offset in UTF-16 units. */
export function placeAt(query: string, offset: number): Place {
  const before = query.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  return {
    offset,
    line: before.split("\n").length,
    column: [...before.slice(lineStart)].length + 1,
  };
}

/** The surroundings of an offset on one line, with `▸` right before it. */
export function excerpt(query: string, offset: number): string {
  const from = Math.max(0, offset - 40);
  const to = Math.min(query.length, offset + 30);
  const before = (from > 0 ? "…" : "") + query.slice(from, offset).toWellFormed();
  const after = query.slice(offset, to).toWellFormed() + (to < query.length ? "…" : "");
  return visible(`${before}▸${after}`);
}

const opening: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

function problemAt(query: string, { from, to }: { from: number; to: number }): SyntaxProblem {
  const open = unclosed(query);
  // An error of no width is a token that is missing: what stands there instead is what a reader can see.
  const offset = from === to ? from + (/^\s*/.exec(query.slice(from))?.[0].length ?? 0) : from;
  const rest = query.slice(offset);
  if (open !== undefined && (rest.trim() === "" || open.quote)) {
    const place = placeAt(query, open.offset);
    return { ...place, reason: `the ${open.text} here is never closed` };
  }
  if (rest.trim() === "") return { ...placeAt(query, query.trimEnd().length), reason: "it ends too early" };
  const token =
    /^(?:[A-Za-z_:$][\w:$]*|[\d.]+\w*|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|[=!<>]+~?|.)/us.exec(rest)
      ?.[0] ?? "";
  return { ...placeAt(query, offset), reason: `unexpected ${visible(token.slice(0, 40).toWellFormed())}` };
}

/** The grammar lets a literal end at a line break or the end of the query; Prometheus does not. */
function unterminated(query: string): SyntaxProblem | undefined {
  const open = unclosed(query);
  return open?.quote
    ? { ...placeAt(query, open.offset), reason: `the ${open.text} here is never closed` }
    : undefined;
}

/** The last bracket, or the quotation mark, that is opened and not closed. */
function unclosed(query: string): { offset: number; text: string; quote: boolean } | undefined {
  const stack: { offset: number; text: string; quote: boolean }[] = [];
  const TOKEN = /#[^\n]*|"(?:[^"\\\n]|\\.)*("?)|'(?:[^'\\\n]|\\.)*('?)|`[^`]*(`?)|[()[\]{}]/gs;
  for (const match of query.matchAll(TOKEN)) {
    const [text, double, single, back] = match;
    const first = text.charAt(0);
    if (first === "#") continue;
    if ((double ?? single ?? back) === "") return { offset: match.index, text: first, quote: true };
    if (opening[first] !== undefined) stack.push({ offset: match.index, text: first, quote: false });
    else if (opening[stack.at(-1)?.text ?? ""] === first) stack.pop();
  }
  return stack.at(-1);
}
