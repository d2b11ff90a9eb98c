/**
 * PromQL, read with Prometheus's own grammar before it is sent. The grammar here may be older or stricter than the
 * server's, so the server has the last word: {@linkcode readPromql} notes where it stumbles, and only what no server
 * could take is refused.
 */
import type { SyntaxNodeRef } from "@lezer/common";
import type { LRParser } from "@lezer/lr";
import { CallError } from "../common/errors.ts";
import { visible } from "../common/visible.ts";
import { type Expression, expressions, readExpression, type Selector } from "./promql_expression.ts";

/** A query and what is known of it. */
export interface ParsedQuery {
  readonly text: string;
  readonly expression: Expression;
  /** In the order they are written. */
  readonly selectors: readonly Selector[];
  /** Where the grammar here stumbles, in UTF-16 units from the start; a newer server may understand it. */
  readonly stumblesAt: number | undefined;
}

let grammar: LRParser | undefined;

/** Loads the grammar; needs a readable environment variable `LOG`, or permission to find it unset. */
export async function loadPromql(): Promise<void> {
  grammar ??= (await import("@prometheus-io/lezer-promql")).parser;
}

/** Longer queries are refused before they are parsed: one that is no PromQL takes ten microseconds a character. */
const longestQuery = 10_000;

/**
 * Reads a query, one with a syntax error too. Throws {@linkcode CallError} `invalid` for an empty or an immense one;
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
    stumblesAt: stumble === undefined ? unterminated(query) : placeOf(query, stumble),
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

function placeOf(query: string, { from, to }: { from: number; to: number }): number {
  const open = unclosed(query);
  // An error of no width is a token that is missing: what stands there instead is what a reader can see.
  const offset = from === to ? from + (/^\s*/.exec(query.slice(from))?.[0].length ?? 0) : from;
  const isAtEnd = query.slice(offset).trim() === "";
  if (open !== undefined && (isAtEnd || open.quote)) return open.offset;
  return isAtEnd ? query.trimEnd().length : offset;
}

/** The grammar lets a literal end at a line break or the end of the query; Prometheus does not. */
function unterminated(query: string): number | undefined {
  const open = unclosed(query);
  return open?.quote ? open.offset : undefined;
}

/** The last bracket, or the quotation mark, that is opened and not closed. */
function unclosed(query: string): { offset: number; quote: boolean } | undefined {
  const stack: { offset: number; bracket: string; quote: boolean }[] = [];
  const TOKEN = /#[^\n]*|"(?:[^"\\\n]|\\.)*("?)|'(?:[^'\\\n]|\\.)*('?)|`[^`]*(`?)|[()[\]{}]/gs;
  for (const match of query.matchAll(TOKEN)) {
    const [text, double, single, back] = match;
    const first = text.charAt(0);
    if (first === "#") continue;
    if ((double ?? single ?? back) === "") return { offset: match.index, quote: true };
    if (opening[first] !== undefined) stack.push({ offset: match.index, bracket: first, quote: false });
    else if (opening[stack.at(-1)?.bracket ?? ""] === first) stack.pop();
  }
  return stack.at(-1);
}
