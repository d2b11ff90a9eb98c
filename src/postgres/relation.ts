/** The kinds of relation that can be read, and the name a caller gives one. */
import { unquoteIdentifier } from "./identifier.ts";

/** In the order of {@linkcode relationCodes}. */
export const relationKinds = [
  "table",
  "partitioned table",
  "view",
  "materialized view",
  "foreign table",
] as const;
export type RelationKind = (typeof relationKinds)[number];

/** pg_class.relkind: https://www.postgresql.org/docs/current/catalog-pg-class.html */
const relationCodes = ["r", "p", "v", "m", "f"] as const;

/** The kind that a relkind stands for. */
export function relationKind(code: string | null | undefined): RelationKind {
  return relationKinds[relationCodes.findIndex((known) => known === code)] ?? "table";
}

/** Readings of a name, best first: as it is, as `schema.name`, with quotes taken off. Quotes are SQL's. */
export function readName(
  text: string,
  schema: string | undefined,
): { schema: string | undefined; name: string }[] {
  const readings: { schema: string | undefined; name: string }[] = [{ schema, name: text }];
  const parts = text.match(/"(?:[^"]|"")+"|[^".]+/g) ?? [];
  const isWhole = parts.join(".") === text;
  const [first, second] = parts.map(unquoteIdentifier);
  if (isWhole && parts.length === 1 && first !== undefined && first !== text) {
    readings.push({ schema, name: first });
  }
  if (isWhole && parts.length === 2 && schema === undefined && first !== undefined && second !== undefined) {
    readings.push({ schema: first, name: second });
  }
  return readings;
}
