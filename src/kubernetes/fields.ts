/** Reads fields of raw API objects, whose shape nobody has promised: what is missing or of another type is absent. */
import { isRecord } from "../common/record.ts";

/** A field by its path; only own properties, so that a path never reaches a prototype. */
export function field(object: unknown, ...path: readonly (string | number)[]): unknown {
  let at = object;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    // It is an object and has that key.
    at = (at as Readonly<Record<string | number, unknown>>)[key];
  }
  return at;
}

/** A string, unless it is empty. */
export function textField(object: unknown, ...path: readonly (string | number)[]): string | undefined {
  const value = field(object, ...path);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** An object's name; empty where it has none. */
export function nameOf(object: unknown): string {
  return textField(object, "metadata", "name") ?? "";
}

/** Its namespace; empty where it is in none. */
export function namespaceOf(object: unknown): string {
  return textField(object, "metadata", "namespace") ?? "";
}

/** A finite number. */
export function numberField(object: unknown, ...path: readonly (string | number)[]): number | undefined {
  const value = field(object, ...path);
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** Whether a field is `true`. */
export function isTrue(object: unknown, ...path: readonly (string | number)[]): boolean {
  return field(object, ...path) === true;
}

/** The items of a list; none when there is no list. */
export function listField(object: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const value = field(object, ...path);
  return Array.isArray(value) ? value : [];
}

/** The entries of a map whose values are strings: labels, selectors, annotations. */
export function textEntries(
  object: unknown,
  ...path: readonly (string | number)[]
): readonly (readonly [key: string, value: string])[] {
  const value = field(object, ...path);
  if (!isRecord(value)) return [];
  return Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string");
}

/** A time (RFC 3339) in milliseconds since 1970. */
export function timeField(object: unknown, ...path: readonly (string | number)[]): number | undefined {
  const time = Date.parse(textField(object, ...path) ?? "");
  return Number.isNaN(time) ? undefined : time;
}

/** An object's fields, as unknown; none where it is no object. */
export function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

/** A list's items, each with its fields. */
export function entries(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

/** A string; empty where it is none. */
export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The strings of a list. */
export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
