/** Why a tool can't be called with some arguments: which of them, what it must be, and what came. */
import * as z from "zod";
import { listed, withOthers } from "./listing.ts";
import { maskSecrets } from "./secrets_mask.ts";
import { shortened } from "./shortened.ts";
import type { Tool } from "./tool.ts";
import { count, plural } from "./units.ts";
import { visible } from "./visible.ts";

/** Arguments that one sentence speaks of, and unknown ones that it names. */
const mostTold = 5;
/** Characters of a text that is shown, and of one that is looked at for secrets. */
const shownCharacters = 40;
const maskedCharacters = 10_000;

/** A part of a JSON Schema, as far as the arguments of tools need it. */
type Schema = z.core.JSONSchema.BaseSchema;

/** What is wrong with the arguments, in a sentence a model can act on. */
export function explainIssues(tool: Tool, error: z.ZodError, args: unknown): string {
  return visible(`Cannot call ${tool.name} with these arguments: ${issueWords(tool.input, error, args)}`);
}

/** The issues of a value that is none of `schema`, each place once; `whole` names the value where it is none at all. */
export function issueWords(
  schema: z.ZodType,
  error: z.ZodError,
  value: unknown,
  whole = "arguments",
): string {
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  const told = new Map<string, string>();
  for (const issue of error.issues) {
    if (issue.code === "unrecognized_keys") {
      told.set("", unknownWords(issue.keys, Object.keys(root.properties ?? {})));
      continue;
    }
    const place = placeOf(issue.path) || whole;
    if (!told.has(place)) told.set(place, `${place} ${mismatch(root, value, issue.path)}`);
  }
  const words = [...told.values()];
  const more = words.length - mostTold;
  return [...words.slice(0, mostTold), ...(more > 0 ? [`and ${count(more)} more`] : [])].join("; ");
}

function unknownWords(unknown: readonly string[], known: readonly string[]): string {
  const keys = withOthers(unknown.slice(0, mostTold).map((key) => quoted(key)), unknown.length - mostTold);
  const takes = known.length === 0 ? "there are no arguments" : `the arguments are ${known.join(", ")}`;
  return `unknown argument${unknown.length === 1 ? "" : "s"} ${keys}; ${takes}`;
}

/** `quantiles[1]`, `ref.type`. */
function placeOf(path: readonly PropertyKey[]): string {
  return path.map((part) => typeof part === "number" ? `[${part}]` : `.${visible(String(part).slice(0, 64))}`)
    .join("").replace(/^\./, "");
}

function mismatch(root: Schema, value: unknown, path: readonly PropertyKey[]): string {
  let schema: Schema = root;
  let given = value;
  let isOptional = false;
  for (const part of path) {
    isOptional = typeof part === "string" && !(schema.required ?? []).includes(part);
    schema = schemaAt(schema, part);
    given = memberOf(given, part);
  }
  const wanted = expected(schema, given);
  if (given === undefined) return `is missing: it must be ${wanted}`;
  return `must be ${wanted}${isOptional && given === null ? ", or left out" : ""}, not ${
    what(given, schema)
  }`;
}

function schemaAt(schema: Schema, part: PropertyKey): Schema {
  const { properties, items, additionalProperties } = schema;
  const inner = typeof part === "number" ? items : properties?.[String(part)] ?? additionalProperties;
  return typeof inner === "object" && !Array.isArray(inner) ? inner : {};
}

function memberOf(value: unknown, part: PropertyKey): unknown {
  return value !== null && typeof value === "object" && Object.hasOwn(value, part)
    ? (value as Readonly<Record<PropertyKey, unknown>>)[part]
    : undefined;
}

/** What a schema takes: `a whole number from 1 to 100`; how long it may be, where its length is what is wrong. */
function expected(schema: Schema, given: unknown): string {
  const { type, anyOf, minLength, maxLength, minItems, maxItems } = schema;
  if (schema.enum !== undefined) return listed(schema.enum.map((each) => JSON.stringify(each)), "or");
  const kinds: readonly unknown[] = anyOf ??
    (Array.isArray(type) ? type.map((each) => ({ type: each })) : []);
  if (kinds.length > 0) return listed(kinds.map((each) => expected(Object(each), given)), "or");
  switch (type) {
    case "string":
      return `a string${typeof given === "string" ? range(minLength, maxLength, "character") : ""}`;
    case "integer":
      return `a whole number${bounds(schema)}`;
    case "number":
      return `a number${bounds(schema)}`;
    case "boolean":
      return "true or false";
    case "null":
      return "null";
    case "array":
      return `an array${Array.isArray(given) ? range(minItems, maxItems, "item") : ""}`;
    case "object":
      return "an object";
  }
  return "something else";
}

/** ` of 1 to 8 items`. */
function range(least = 0, most: number | undefined, unit: string): string {
  if (most === undefined) return least === 0 ? "" : ` of at least ${plural(least, unit)}`;
  return least === 0 ? ` of at most ${plural(most, unit)}` : ` of ${count(least)} to ${plural(most, unit)}`;
}

/** ` from 1 to 100`, ` above 0 and below 100`. */
function bounds(
  { minimum = -Infinity, maximum = Infinity, exclusiveMinimum, exclusiveMaximum }: Schema,
): string {
  // A whole number is bounded by what JSON's numbers hold, which nobody needs to be told.
  const least = minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const most = maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (least !== undefined && most !== undefined) return ` from ${count(least)} to ${count(most)}`;
  const words = [
    ...(least === undefined ? [] : [`of at least ${count(least)}`]),
    ...(exclusiveMinimum === undefined ? [] : [`above ${count(Number(exclusiveMinimum))}`]),
    ...(most === undefined ? [] : [`of at most ${count(most)}`]),
    ...(exclusiveMaximum === undefined ? [] : [`below ${count(Number(exclusiveMaximum))}`]),
  ];
  return words.length === 0 ? "" : ` ${words.join(" and ")}`;
}

/** What came in place of it: its kind where that is what is wrong, and as much of it as can be looked at. */
function what(value: unknown, schema: Schema): string {
  if (Array.isArray(value)) return schema.type === "array" ? `one of ${count(value.length)}` : "an array";
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") return `${takesText(schema) ? "the number " : ""}${String(value)}`;
  if (typeof value !== "string") return "an object";
  if (schema.type === "string" && schema.enum === undefined) {
    return value === "" ? "an empty one" : `one of ${count(value.length)}`;
  }
  return `${takesText(schema) ? "" : "the string "}${quoted(value)}`;
}

function takesText(schema: Schema): boolean {
  return schema.type === "string" || schema.enum?.every((each) => typeof each === "string") === true;
}

/** Text of a caller in quotes: masked, made visible, and short. */
function quoted(text: string): string {
  return JSON.stringify(shortened(visible(maskSecrets(text.slice(0, maskedCharacters))), shownCharacters));
}
