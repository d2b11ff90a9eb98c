/** Tool `describe_table`: what psql's `\d+` says of one relation, in the order a reader needs it. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { filled } from "../common/structured.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { printAsSession, useCatalogueAlone } from "./catalogue_session.ts";
import type { Cell, Database, Transaction } from "./database.ts";
import { nearRelations } from "./near_relations.ts";
import { readName, relationKind } from "./relation.ts";
import { presentRelation, type RelationDescription, relationDescription } from "./relation_description.ts";
import {
  columnsSql,
  constraintsSql,
  findSql,
  indexesSql,
  otherKindsSql,
  relationSql,
} from "./relation_sql.ts";

const input = z.strictObject({
  table_name: z.string().min(1).max(200).describe("todos, or sales.orders"),
  schema: z.string().min(1).max(63).optional().describe("If not part of table_name"),
});

/** Describes a table, partitioned table, view, materialized view or foreign table. */
export function describeTable(database: Database): Tool {
  return defineTool({
    name: "describe_table",
    title: "Describe a table",
    description:
      "One table or view: columns with type, nullability, default and comment; keys in both directions, checks, " +
      "indexes; a view's definition. Suggests similar names for a misspelt one.",
    input,
    output: relationDescription,
    run: (args, { signal }) =>
      database.read({ signal }, async (transaction) => {
        const path = await useCatalogueAlone(transaction);
        const { oid, others } = await find(transaction, args, path.schemas);
        await printAsSession(transaction, path);
        return await read(transaction, oid, others);
      }),
    present: presentRelation,
  });
}

/** The one relation that is meant. Throws {@linkcode CallError} with the candidates when there is not one. */
async function find(
  transaction: Transaction,
  args: z.output<typeof input>,
  path: readonly string[],
): Promise<{ oid: string; others: string[] }> {
  for (const { schema, name } of readName(args.table_name, args.schema)) {
    const rows = await transaction.query(findSql, [name, schema ?? null]);
    const found = rows.map((row) => ({ oid: row.oid ?? "", schema: row.schema ?? "", full: row.full ?? "" }));
    // As psql does: of several, the one that the search path finds first.
    const onPath = path.flatMap((schema) => found.filter((item) => item.schema === schema))[0];
    const chosen = found.length === 1 ? found[0] : onPath;
    if (chosen !== undefined) {
      return { oid: chosen.oid, others: found.filter((item) => item !== chosen).map((item) => item.full) };
    }
    if (found.length > 1) {
      throw new CallError("invalid", `Several tables are named ${JSON.stringify(visible(name))}`, {
        hint: `Say which: ${found.slice(0, 20).map((item) => visible(item.full)).join(", ")}`,
      });
    }
  }
  await refuseOtherKind(transaction, args, path);
  const wanted = args.schema === undefined ? args.table_name : `${args.schema}.${args.table_name}`;
  const close = await nearRelations(transaction, wanted);
  throw new CallError("not_found", `There is no table or view named ${JSON.stringify(visible(wanted))}`, {
    hint: close.length > 0 ? `Did you mean ${close.join(", ")}?` : "Call list_tables to see what there is",
  });
}

/** Throws {@linkcode CallError} where the name is that of something else: what it is, and how to read it. */
async function refuseOtherKind(
  transaction: Transaction,
  args: z.output<typeof input>,
  path: readonly string[],
): Promise<void> {
  for (const { schema, name } of readName(args.table_name, args.schema)) {
    const rows = await transaction.query(otherKindsSql, [name, schema ?? null]);
    const found = path.flatMap((schema) => rows.filter((row) => row.schema === schema))[0] ?? rows[0];
    if (found === undefined) continue;
    const full = visible(found.full ?? "");
    const { what, hint } = otherKind(found.kind ?? "", full, visible(found.of ?? ""));
    throw new CallError("not_found", `${full} is ${what}, not a table or view`, { hint });
  }
}

function otherKind(kind: string, full: string, of: string): { what: string; hint: string } {
  const query = (sql: string) => `Call query_database with ${sql}`;
  switch (kind) {
    case "S":
      return { what: "a sequence", hint: query(`SELECT last_value FROM ${full}`) };
    case "i":
    case "I":
      return { what: `an index of ${of}`, hint: `Describe ${of}` };
    case "c":
      return { what: "a composite type", hint: query(`SELECT (NULL::${full}).* for its columns`) };
    case "type e":
      return { what: "an enum type", hint: query(`SELECT enum_range(NULL::${full}) for its labels`) };
    case "type d":
      return { what: `a domain over ${of}`, hint: "Describe a table that has a column of it" };
    default:
      return { what: "a type", hint: "Describe a table that has a column of it" };
  }
}

async function read(transaction: Transaction, oid: string, others: string[]): Promise<RelationDescription> {
  const [relation] = await transaction.query(relationSql, [oid]);
  if (relation === undefined) throw new CallError("not_found", "The table was dropped just now");
  const columns = await transaction.query(columnsSql, [oid]);
  const constraints = (await transaction.query(constraintsSql, [oid])).map((row) => ({
    type: row.type ?? "",
    table: row.table ?? "",
    name: row.name ?? "",
    definition: row.definition ?? "",
  }));
  const indexes = await transaction.query(indexesSql, [oid]);
  const ofType = (type: string) =>
    constraints.filter((item) => item.type === type).map(({ name, definition }) => ({ name, definition }));
  return {
    schema: relation.schema ?? "",
    name: relation.name ?? "",
    kind: relationKind(relation.relkind),
    ...filled({
      comment: relation.comment,
      estimated_rows: numberOrNull(relation.tuples),
      bytes: numberOrNull(relation.bytes),
      partitioning: partitioningText(relation),
      row_security: relation.row_security === "t" ? true as const : undefined,
      readable: relation.readable === "t" ? undefined : false as const,
    }),
    column_count: columns.length,
    columns: columns.map((row) => ({
      name: row.name ?? "",
      type: row.type ?? "",
      ...filled({
        base_type: row.base_type,
        labels: row.labels === null || row.labels === undefined ? undefined : readLabels(row.labels),
      }),
      nullable: row.nullable === "t",
      ...filled({ default: defaultText(row), comment: row.comment }),
    })),
    ...filled({
      primary_key: ofType("p")[0]?.definition,
      unique: ofType("u"),
      foreign_keys: ofType("f"),
      referenced_by: constraints.filter((item) => item.type === "r")
        .map(({ table, name, definition }) => ({ table, name, definition })),
      checks: [...ofType("c"), ...ofType("x")],
      indexes: indexes.map((row) => ({
        name: row.name ?? "",
        definition: indexText(row.definition ?? "", row.is_unique === "t"),
        ...(row.valid === "t" ? {} : { valid: false as const }),
      })),
      view_definition: relation.view_definition,
      also_named_so: others,
    }),
  };
}

type Row = Readonly<Record<string, Cell>>;

/** What stands for a missing value: a default, an identity, the expression of a generated column. */
function defaultText({ identity, generated, expression }: Row): string | null {
  if (identity === "a") return "generated always as identity";
  if (identity === "d") return "generated by default as identity";
  if (generated === "s") return `generated always as (${expression}) stored`;
  if (generated === "v") return `generated always as (${expression})`;
  return expression ?? null;
}

function partitioningText({ partition_key, partitions, parent, bound, server }: Row): string | null {
  const parts = [
    partition_key === null || partition_key === undefined
      ? ""
      : `PARTITION BY ${partition_key}, ${plural(partitions ?? "0", "partition")}`,
    parent === null || parent === undefined ? "" : `partition of ${parent} ${bound}`,
    server === null || server === undefined ? "" : `foreign table of server ${server}`,
  ].filter((part) => part !== "");
  return parts.length === 0 ? null : parts.join("; ");
}

/** What follows the index's name and its table's in CREATE INDEX. */
function indexText(definition: string, isUnique: boolean): string {
  const using = definition.indexOf(" USING ");
  const rest = using < 0 ? definition : definition.slice(using + " USING ".length);
  return isUnique ? `UNIQUE ${rest}` : rest;
}

/** Enum labels, which the catalogue query gives as a JSON array. */
function readLabels(json: string): string[] {
  const labels: unknown = JSON.parse(json);
  return Array.isArray(labels) ? labels.slice(0, 50).map(String) : [];
}

function numberOrNull(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text);
}
