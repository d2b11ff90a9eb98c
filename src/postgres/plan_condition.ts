/**
 * Which columns a condition of a plan compares, as far as an index could answer it. PostgreSQL prints conditions as SQL,
 * which its own parser reads; what only a plan can hold (`hashed SubPlan 1`) is written as SQL before.
 */
import { CallError } from "../common/errors.ts";
import { isRecord } from "../common/record.ts";
import { parseStatements } from "./parser.ts";
import { type Words, wordsIn } from "./plan_words.ts";
import { asList, children, type ParseNode, parseNode, rawStatements } from "./statement.ts";

/** One comparison of a column with a value or with another table's column, ANDed with the others. */
export interface Comparison {
  readonly column: string;
  /** Its table's, where the condition says it. */
  readonly alias: string | undefined;
  /** What is taken out of it, step by step: `-> 'a'`, `->> 'b'` of JSON. */
  readonly path: readonly string[];
  /** A function of that one argument around the column, e.g. `lower`. */
  readonly wrapper: string | undefined;
  /** The type that the column is cast to before it is compared, or given to the function. */
  readonly cast: string | undefined;
  /** What an index is asked: a value, a range, a beginning (`LIKE 'a%'`, `~ '^ab'`), a part (`LIKE '%a%'`), what is inside (`@>`). */
  readonly how: "equal" | "range" | "prefix" | "part" | "inside";
  /** Of `inside`, the operator with the column on its left, and the constant on its right as text. */
  readonly asked?: { readonly operator: string; readonly text: string | undefined };
  /** Of `inside`, where words are made of texts in the query; `column` is the first of them. */
  readonly words?: Words;
  /** The one value that it is equal to, the same text for the same value; undefined for a list and for another column. */
  readonly value: string | undefined;
}

/** A condition, as far as it is understood. */
export interface Condition {
  /** How many conditions are ANDed. */
  readonly parts: number;
  readonly comparisons: readonly Comparison[];
  /** The sides of the first OR among them, and what each compares. */
  readonly sides: readonly (readonly Comparison[])[];
  /** Every column named anywhere in it. */
  readonly columns: readonly string[];
}

const nothing: Condition = { parts: 0, comparisons: [], sides: [], columns: [] };
const ranges = new Set(["<", "<=", ">", ">="]);
const likes = new Set(["~~", "~~*"]);
const regexes = new Set(["~", "~*"]);
/** A regular expression that begins with two plain characters, and one with a part that is plain text; without an OR. */
const begun = /^\^[\w @:/-]{2}[^|]*$/;
const plainPart = /^\^?(?:\.[*+]?)*[\w @:/-]{4,}(?:[\w @:/-]|\.[*+]?)*\$?$/;
/** Operators that look inside a value, and the same with the sides exchanged, where there is one. */
const insides: Readonly<Record<string, string | undefined>> = {
  "@>": "<@",
  "<@": "@>",
  "&&": "&&",
  "@@": "@@",
  "@?": undefined,
  "?": undefined,
  "?|": undefined,
  "?&": undefined,
};
/** Functions whose text a plan may print as converted to text. */
const givesText = new Set(["lower", "upper", "btrim", "md5"]);

/** Reads a condition as a plan prints it. */
export function readCondition(text: string): Condition {
  let top: ParseNode | undefined;
  try {
    const [statement] = rawStatements(parseStatements(`select ${asSql(text)}`));
    const target = parseNode(asList(statement?.fields["targetList"] ?? [])[0]);
    top = target === undefined ? undefined : parseNode(target.fields["val"]);
  } catch (error) {
    if (error instanceof CallError) return nothing;
    throw error;
  }
  if (top === undefined) return nothing;
  const parts = conjuncts(top);
  return {
    parts: parts.length,
    comparisons: parts.flatMap(comparisonsOf),
    sides: sidesOf(parts.find(isOr)),
    columns: [...new Set([...columnsIn(top)].map(({ column }) => column))],
  };
}

/** From 17 on what an init plan gives is named, which was `$0` before: a value. A subplan is asked for each row. */
function asSql(text: string): string {
  return text.replace(/\(InitPlan (\d+)\)\.col(\d+)/g, "$$$1$2")
    .replace(/(?:alternatives: )?(?:hashed )?SubPlan \d+(?: or (?:hashed )?SubPlan \d+)*(?=\))/g, "select")
    .replace(/(^|\()(?:ANY|ALL) (?=\()/g, "$1");
}

function conjuncts(node: ParseNode): ParseNode[] {
  if (node.type !== "BoolExpr" || node.fields["boolop"] !== "AND_EXPR") return [node];
  return nodesOf(node.fields["args"]).flatMap(conjuncts);
}

function isOr(node: ParseNode): boolean {
  return node.type === "BoolExpr" && node.fields["boolop"] === "OR_EXPR";
}

function sidesOf(either: ParseNode | undefined): (readonly Comparison[])[] {
  if (either === undefined) return [];
  return nodesOf(either.fields["args"]).flatMap((side) =>
    isOr(side) ? sidesOf(side) : [conjuncts(side).flatMap(comparisonsOf)]
  );
}

/** None for what no plain index answers: OR, `<>`, arithmetic; two where one column is compared with another. */
function comparisonsOf(node: ParseNode): Comparison[] {
  if (node.type === "NullTest" && node.fields["nulltesttype"] === "IS_NULL") {
    return nodesOf([node.fields["arg"]]).flatMap((side) => compared(side, "equal", "null") ?? []);
  }
  // A boolean column stands for itself, and `NOT done` for done = false.
  if (node.type === "ColumnRef") return [compared(node, "equal", "true") ?? []].flat();
  if (node.type === "BoolExpr" && node.fields["boolop"] === "NOT_EXPR") {
    const [side] = nodesOf(node.fields["args"]);
    return side?.type === "ColumnRef" ? [compared(side, "equal", "false") ?? []].flat() : [];
  }
  const isAny = node.fields["kind"] === "AEXPR_OP_ANY";
  if (node.type !== "A_Expr" || !isAny && node.fields["kind"] !== "AEXPR_OP") return [];
  const names = nodesOf(node.fields["name"]).map((part) => String(part.fields["sval"]));
  const operator = names.at(-1) ?? "";
  const [left] = nodesOf([node.fields["lexpr"]]);
  const [right] = nodesOf([node.fields["rexpr"]]);
  if (left === undefined || right === undefined) return [];
  // With a schema before it, it is not the built-in one.
  if (Object.hasOwn(insides, operator)) {
    return isAny || names.length > 1 ? [] : insideOf(operator, left, right);
  }
  if (likes.has(operator) && !isAny) {
    const pattern = constantText(right);
    if (pattern === undefined) return [];
    const isPrefix = operator === "~~" && /^[^%_\\]/.test(pattern);
    return [compared(left, isPrefix ? "prefix" : "part") ?? []].flat();
  }
  if (regexes.has(operator) && !isAny) {
    const pattern = constantText(right) ?? "";
    const isPrefix = operator === "~" && begun.test(pattern);
    if (!isPrefix && !plainPart.test(pattern)) return [];
    return [compared(left, isPrefix ? "prefix" : "part") ?? []].flat();
  }
  if (ranges.has(operator) && left.type === "RowExpr" && right.type === "RowExpr") {
    const [first] = nodesOf(left.fields["args"]);
    const [other] = nodesOf(right.fields["args"]);
    if (first === undefined || other === undefined) return [];
    return [...apart(compared(first, "range"), other), ...apart(compared(other, "range"), first)];
  }
  const how = operator === "=" ? "equal" : ranges.has(operator) ? "range" : undefined;
  if (how === undefined) return [];
  const own = (side: ParseNode, other: ParseNode) =>
    apart(compared(side, how, how === "equal" && !isAny ? constantValue(other) : undefined), other);
  return [...own(left, right), ...isAny ? [] : own(right, left)];
}

function insideOf(operator: string, left: ParseNode, right: ParseNode): Comparison[] {
  const exchanged = insides[operator];
  const own = (side: ParseNode, operator: string, other: ParseNode) => {
    const words = operator === "@@" ? wordsIn(side) : undefined;
    const found = words === undefined ? compared(side, "inside") : wordsOf(words);
    const asked = { operator, text: constantText(other) ?? constantsIn(other) };
    return apart(found === undefined ? undefined : { ...found, asked }, other);
  };
  return [
    ...own(left, operator, right),
    ...exchanged === undefined ? [] : own(right, exchanged, left),
  ];
}

/** What a call such as `to_tsquery('!a')` is given, which the planner does not work out before. */
function constantsIn(node: ParseNode): string | undefined {
  const texts = [...children(node)].flatMap(({ node }) => constantText(node) ?? constantsIn(node) ?? []);
  return texts.length === 0 ? undefined : texts.join(" ");
}

function wordsOf(words: Words): Comparison | undefined {
  const [first, ...more] = columnsIn(words.source);
  if (first === undefined || more.some(({ alias }) => alias !== first.alias)) return undefined;
  return { ...first, path: [], wrapper: undefined, cast: undefined, how: "inside", value: undefined, words };
}

/** Two columns of one row compared with each other: no index helps. */
function apart(found: Comparison | undefined, other: ParseNode): Comparison[] {
  const isApart = [...columnsIn(other)].every(({ alias }) => alias !== found?.alias) &&
    !holdsSubplan(other);
  return found !== undefined && isApart ? [found] : [];
}

function holdsSubplan(node: ParseNode): boolean {
  return node.type === "SubLink" || [...children(node)].some((child) => holdsSubplan(child.node));
}

/** The column that a side of a comparison consists of. */
export function compared(side: ParseNode, how: Comparison["how"], value?: string): Comparison | undefined {
  if (side.type === "ColumnRef") {
    const [found] = columnsIn(side);
    return found === undefined
      ? undefined
      : { ...found, path: [], wrapper: undefined, cast: undefined, how, value };
  }
  if (side.type === "TypeCast") {
    const [inner] = nodesOf([side.fields["arg"]]);
    const found = inner === undefined ? undefined : compared(inner, how, value);
    const cast = typeName(side.fields["typeName"]);
    if (found?.wrapper !== undefined && cast === "text" && givesText.has(found.wrapper)) return found;
    // Of several conversions, or of one of what a function gives, no index of ours would be the same expression.
    if (found === undefined || found.wrapper !== undefined || found.cast !== undefined) return undefined;
    return { ...found, cast };
  }
  if (side.type === "A_Expr") {
    const [left] = nodesOf([side.fields["lexpr"]]);
    const [right] = nodesOf([side.fields["rexpr"]]);
    const step = nodesOf(side.fields["name"]).map((part) => String(part.fields["sval"])).at(-1) ?? "";
    if (left === undefined || right === undefined || !/^(->>?|#>>?)$/.test(step)) return undefined;
    const found = compared(left, how, value);
    const key = constantLiteral(right);
    if (found === undefined || key === undefined || found.wrapper !== undefined || found.cast !== undefined) {
      return undefined;
    }
    return { ...found, path: [...found.path, `${step} ${key}`] };
  }
  if (side.type === "FuncCall") {
    const names = nodesOf(side.fields["funcname"]).map((part) => String(part.fields["sval"]));
    const [argument, ...more] = nodesOf(side.fields["args"]);
    const name = names.at(-1);
    if (argument === undefined || more.length > 0 || name === undefined) return undefined;
    const found = compared(argument, how, value);
    return found === undefined || found.wrapper !== undefined ? undefined : { ...found, wrapper: name };
  }
  return undefined;
}

/** A constant or a parameter, whatever type it is cast to. */
function constantValue(node: ParseNode): string | undefined {
  if (node.type === "TypeCast") {
    const [inner] = nodesOf([node.fields["arg"]]);
    return inner === undefined ? undefined : constantValue(inner);
  }
  if (node.type !== "A_Const" && node.type !== "ParamRef") return undefined;
  return JSON.stringify({ ...node.fields, location: undefined });
}

/** A key or a place as SQL writes it; undefined for what a plain literal can't hold. */
function constantLiteral(node: ParseNode): string | undefined {
  const text = constantText(node);
  if (text !== undefined) return text.includes("\\") ? undefined : `'${text.replaceAll("'", "''")}'`;
  const value = node.type === "A_Const" ? node.fields["ival"] : undefined;
  return isRecord(value) ? String(value["ival"] ?? 0) : undefined;
}

/** The text of a constant, whatever type it is cast to. */
export function constantText(node: ParseNode): string | undefined {
  if (node.type === "TypeCast") {
    const [inner] = nodesOf([node.fields["arg"]]);
    return inner === undefined ? undefined : constantText(inner);
  }
  const value = node.type === "A_Const" ? node.fields["sval"] : undefined;
  return isRecord(value) && typeof value["sval"] === "string" ? value["sval"] : undefined;
}

function* columnsIn(
  node: ParseNode,
): Generator<{ readonly column: string; readonly alias: string | undefined }> {
  if (node.type === "ColumnRef") {
    const names = nodesOf(node.fields["fields"]).map((part) => String(part.fields["sval"] ?? ""));
    const column = names.at(-1);
    if (column !== undefined && column !== "") yield { column, alias: names.at(-2) };
  }
  for (const child of children(node)) yield* columnsIn(child.node);
}

/** The last part of a type's name, as the parser has it. */
export function typeName(value: unknown): string {
  const names = isRecord(value) ? nodesOf(value["names"]) : [];
  return String(names.at(-1)?.fields["sval"] ?? "");
}

/** The nodes of a list, without its NULLs. */
export function nodesOf(value: unknown): ParseNode[] {
  return (Array.isArray(value) ? value : []).flatMap((item) =>
    item === undefined ? [] : parseNode(item) ?? []
  );
}
