/**
 * PromQL expressions as a tree of our own, read from the tree that Prometheus's grammar makes
 * (`@prometheus-io/lezer-promql`). What the grammar did not understand is `unknown`, with whatever it holds.
 */
import type { SyntaxNode } from "@lezer/common";
import { type Matcher, unquote } from "./promql_literal.ts";
import { durationSeconds } from "./time.ts";

/** A vector selector; a `__name__="x"` matcher or a quoted name is its metric. */
export interface Selector {
  readonly kind: "selector";
  readonly metric: string | undefined;
  /** Without the one that is the metric. */
  readonly matchers: readonly Matcher[];
  /** Where it stands in the query, in UTF-16 units. */
  readonly from: number;
  readonly to: number;
}

/** A call of a function. */
export interface Call {
  readonly kind: "call";
  readonly name: string;
  readonly args: readonly Expression[];
}

/** An aggregation such as `sum by (job) (…)`. */
export interface Aggregate {
  readonly kind: "aggregate";
  readonly operator: string;
  /** The labels it keeps, if it names them. */
  readonly by: readonly string[] | undefined;
  /** The labels it drops, if it names them. */
  readonly without: readonly string[] | undefined;
  readonly args: readonly Expression[];
}

/** Two expressions with an operator between them. */
export interface Binary {
  readonly kind: "binary";
  readonly operator: string;
  readonly bool: boolean;
  /** Whether it says how to match: `on`, `ignoring`. */
  readonly matching: boolean;
  readonly left: Expression;
  readonly right: Expression;
  /** As the sides are written. */
  readonly texts: readonly [left: string, right: string];
}

/** A PromQL expression; parentheses, `offset` and `@` leave no trace but `shifted`. */
export type Expression =
  | Selector
  | Call
  | Aggregate
  | Binary
  /** `x[5m]`; seconds where they are written as a plain duration or number. */
  | { readonly kind: "range"; readonly of: Expression; readonly seconds: number | undefined }
  | {
    readonly kind: "subquery";
    readonly of: Expression;
    readonly seconds: number | undefined;
    readonly step: number | undefined;
  }
  /** `modifier` is `offset 1h` or `@ end()` as it is written; empty for `smoothed` and `anchored`. */
  | { readonly kind: "shifted"; readonly of: Expression; readonly modifier: string }
  | { readonly kind: "unary"; readonly of: Expression }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "unknown"; readonly parts: readonly Expression[] };

/** Every expression in it, itself first. */
export function* expressions(expression: Expression): Generator<Expression> {
  yield expression;
  for (const part of partsOf(expression)) yield* expressions(part);
}

/** The expressions directly below. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "call":
    case "aggregate":
      return expression.args;
    case "binary":
      return [expression.left, expression.right];
    case "range":
    case "subquery":
    case "shifted":
    case "unary":
      return [expression.of];
    case "unknown":
      return expression.parts;
    default:
      return [];
  }
}

/** Expressions inside one another that are read; what lies deeper is `unknown`. */
const deepest = 300;

/** Reads a node of the grammar's tree. */
export function readExpression(node: SyntaxNode, query: string, depth = 0): Expression {
  if (depth > deepest) return { kind: "unknown", parts: [] };
  const text = (of: SyntaxNode) => query.slice(of.from, of.to);
  const children = childrenOf(node);
  const inner = () =>
    children.filter(({ name }) => isExpression(name)).map((child) => readExpression(child, query, depth + 1));
  const only = (): Expression => inner()[0] ?? { kind: "unknown", parts: [] };
  switch (node.name) {
    case "VectorSelector":
      return readSelector(node, query);
    case "MatrixSelector":
      return { kind: "range", of: only(), seconds: seconds(text, children) };
    case "SubqueryExpr": {
      const [, step] = children.filter(({ name }) => name === "DurationExpr");
      return {
        kind: "subquery",
        of: only(),
        seconds: seconds(text, children),
        step: step && secondsOf(text(step)),
      };
    }
    case "OffsetExpr":
    case "StepInvariantExpr":
      return { kind: "shifted", of: only(), modifier: query.slice(children[0]?.to, node.to).trim() };
    case "AnchoredExpr":
    case "SmoothedExpr":
      return { kind: "shifted", of: only(), modifier: "" };
    case "ParenExpr":
      return only();
    case "UnaryExpr":
      return { kind: "unary", of: only() };
    case "NumberDurationLiteral":
      return { kind: "number", value: numberOf(text(node)) };
    case "StringLiteral":
      return { kind: "string", value: unquote(text(node)) ?? "" };
    case "FunctionCall": {
      const name = children.find((child) => child.name === "FunctionIdentifier");
      return {
        kind: "call",
        name: name === undefined ? "" : text(name),
        args: argumentsOf(children, query, depth),
      };
    }
    case "AggregateExpr": {
      const operator = children.find(({ name }) => name === "AggregateOp");
      const modifier = children.find(({ name }) => name === "AggregateModifier");
      const labels = modifier && groupingLabels(modifier, query);
      return {
        kind: "aggregate",
        operator: operator === undefined ? "" : text(operator).toLowerCase(),
        by: modifier?.getChild("By") ? labels : undefined,
        without: modifier?.getChild("Without") ? labels : undefined,
        args: argumentsOf(children, query, depth),
      };
    }
    case "BinaryExpr": {
      const [left, right] = children.filter(({ name }) => isExpression(name));
      const operator = children.find(({ name }) => binaryOperators.has(name));
      if (left === undefined || right === undefined || operator === undefined) break;
      return {
        kind: "binary",
        operator: text(operator).toLowerCase(),
        bool: children.some(({ name }) => name === "BoolModifier"),
        matching: children.some(({ name }) => name === "MatchingModifierClause"),
        left: readExpression(left, query, depth + 1),
        right: readExpression(right, query, depth + 1),
        texts: [text(left), text(right)],
      };
    }
  }
  return { kind: "unknown", parts: inner() };
}

const binaryOperators = new Set(
  "Pow Mul Div Mod Atan2 Add Sub Eql Gte Gtr TrimUpper TrimLower Lte Lss Neq And Unless Or".split(" "),
);
const expressionNodes = new Set(
  ("AggregateExpr BinaryExpr FunctionCall MatrixSelector NumberDurationLiteral OffsetExpr AnchoredExpr SmoothedExpr " +
    "ParenExpr StringLiteral SubqueryExpr UnaryExpr VectorSelector StepInvariantExpr").split(" "),
);

function isExpression(name: string): boolean {
  return expressionNodes.has(name);
}

function childrenOf(node: SyntaxNode): readonly SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) children.push(child);
  return children;
}

function argumentsOf(children: readonly SyntaxNode[], query: string, depth: number): readonly Expression[] {
  const body = children.find(({ name }) => name === "FunctionCallBody");
  if (body === undefined) return [];
  return childrenOf(body).filter(({ name }) => isExpression(name)).map((child) =>
    readExpression(child, query, depth + 1)
  );
}

function groupingLabels(modifier: SyntaxNode, query: string): readonly string[] {
  const labels = modifier.getChild("GroupingLabels");
  if (labels === null) return [];
  return childrenOf(labels).flatMap((label) => {
    const text = query.slice(label.from, label.to);
    if (label.name === "LabelName") return [text];
    return label.name === "QuotedLabelName" ? [unquote(text) ?? text] : [];
  });
}

function readSelector(node: SyntaxNode, query: string): Selector {
  const identifier = node.getChild("Identifier");
  let metric = identifier === null ? undefined : query.slice(identifier.from, identifier.to);
  const matchers: Matcher[] = [];
  const list = node.getChild("LabelMatchers");
  for (const child of list === null ? [] : childrenOf(list)) {
    const text = (of: SyntaxNode | null) => of === null ? "" : query.slice(of.from, of.to);
    if (child.name === "QuotedLabelName") metric ??= unquote(text(child));
    if (child.name !== "UnquotedLabelMatcher" && child.name !== "QuotedLabelMatcher") continue;
    const label = child.name === "UnquotedLabelMatcher"
      ? text(child.getChild("LabelName"))
      : unquote(text(child.getChild("QuotedLabelName")));
    const operator = text(child.getChild("MatchOp"));
    const value = unquote(text(child.getChild("StringLiteral")));
    if (label === undefined || value === undefined || !isOperator(operator)) continue;
    if (label === "__name__" && operator === "=" && metric === undefined) metric = value;
    else matchers.push([label, operator, value]);
  }
  return { kind: "selector", metric, matchers, from: node.from, to: node.to };
}

function isOperator(text: string): text is Matcher[1] {
  return text === "=" || text === "!=" || text === "=~" || text === "!~";
}

function seconds(text: (of: SyntaxNode) => string, children: readonly SyntaxNode[]): number | undefined {
  const duration = children.find(({ name }) => name === "DurationExpr");
  return duration && secondsOf(text(duration));
}

function secondsOf(text: string): number | undefined {
  const trimmed = text.trim();
  return /^\d+(?:\.\d+)?$/.test(trimmed) ? Number(trimmed) : durationSeconds(trimmed);
}

function numberOf(text: string): number {
  const plain = text.replaceAll("_", "").toLowerCase();
  const word = /^([-+]?)(inf|nan)$/.exec(plain);
  if (word !== null) return word[2] === "nan" ? NaN : word[1] === "-" ? -Infinity : Infinity;
  const duration = durationSeconds(plain.replace(/^[-+]/, ""));
  if (duration !== undefined) return plain.startsWith("-") ? -duration : duration;
  return Number(plain);
}
