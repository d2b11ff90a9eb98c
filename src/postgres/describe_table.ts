/** Tool `describe_table`: what psql's `\d+` says of one relation, in the order a reader needs it. */
import { z } from "zod";
import { CallError } from "../common/errors.ts";
import { fitsBudget, largestThatFits } from "../common/largest_that_fits.ts";
import { nearest } from "../common/nearest.ts";
import { table } from "../common/table.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { count, plural, size } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { printAsSession, useCatalogueAlone } from "./catalogue_session.ts";
import type { Cell, Database, Transaction } from "./database.ts";
import { readName, relationKind, relationKinds } from "./relation.ts";
import { columnsSql, constraintsSql, findSql, indexesSql, namesSql, relationSql } from "./relation_sql.ts";

const input = z.strictObject({
  table_name: z.string().min(1).max(200).describe("A table or view: todos, or sales.orders"),
  schema: z.string().min(1).max(63).optional().describe("Its schema, when table_name does not say it"),
});

const column = z.object({
  name: z.string(),
  type: z.string().describe("As psql prints it"),
  base_type: z.string().optional().describe("Of a domain"),
  labels: z.array(z.string()).optional().describe("Of an enum, the first 50"),
  nullable: z.boolean(),
  default: z.string().nullable().describe("Default, identity or generation expression"),
  comment: z.string().nullable(),
});

const constraint = z.object({ name: z.string(), definition: z.string() });

const output = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.enum(relationKinds),
  comment: z.string().nullable(),
  estimated_rows: z.number().nullable(),
  bytes: z.number().nullable(),
  readable: z.boolean().describe("Whether the role may SELECT from it"),
  column_count: z.number(),
  columns: z.array(column),
  primary_key: z.string().nullable(),
  unique: z.array(constraint),
  foreign_keys: z.array(constraint),
  referenced_by: z.array(constraint.extend({ table: z.string() })),
  checks: z.array(constraint),
  indexes: z.array(z.object({ name: z.string(), definition: z.string(), valid: z.boolean() })),
  view_definition: z.string().nullable(),
  partitioning: z.string().nullable(),
  row_security: z.boolean(),
  also_named_so: z.array(z.string()).describe("Relations of the same name in other schemas"),
});
type Description = z.output<typeof output>;

/** Describes a table, partitioned table, view, materialized view or foreign table. */
export function describeTable(database: Database): Tool {
  return defineTool({
    name: "describe_table",
    title: "Describe a table",
    description:
      "Describes one table or view: columns with type, nullability, default and comment; primary key, unique, " +
      "foreign keys in both directions, checks, indexes; a view's definition. A misspelt name gets the nearest ones.",
    input,
    output,
    run: (args, { signal }) =>
      database.read({ signal }, async (transaction) => {
        const path = await useCatalogueAlone(transaction);
        const { oid, others } = await find(transaction, args, path.schemas);
        await printAsSession(transaction, path);
        return await read(transaction, oid, others);
      }),
    present,
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
  const names = await transaction.query(namesSql);
  const wanted = args.schema === undefined ? args.table_name : `${args.schema}.${args.table_name}`;
  const near = (system: string) =>
    nearest(wanted, names.filter((row) => row.system === system).map((row) => row.full ?? ""));
  const users = near("f");
  const close = (users.length > 0 ? users : near("t")).map((name) => visible(name));
  throw new CallError("not_found", `There is no table or view named ${JSON.stringify(visible(wanted))}`, {
    hint: close.length > 0 ? `Did you mean ${close.join(", ")}` : "Call list_tables to see what there is",
  });
}

async function read(transaction: Transaction, oid: string, others: string[]): Promise<Description> {
  const [relation] = await transaction.query(relationSql, [oid]);
  if (relation === undefined) throw new CallError("not_found", "The table was dropped in this moment");
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
    comment: relation.comment ?? null,
    estimated_rows: numberOrNull(relation.tuples),
    bytes: numberOrNull(relation.bytes),
    readable: relation.readable === "t",
    column_count: columns.length,
    columns: columns.map((row) => ({
      name: row.name ?? "",
      type: row.type ?? "",
      ...(row.base_type === null || row.base_type === undefined ? {} : { base_type: row.base_type }),
      ...(row.labels === null || row.labels === undefined ? {} : { labels: readLabels(row.labels) }),
      nullable: row.nullable === "t",
      default: defaultText(row),
      comment: row.comment ?? null,
    })),
    primary_key: ofType("p")[0]?.definition ?? null,
    unique: ofType("u"),
    foreign_keys: ofType("f"),
    referenced_by: constraints.filter((item) => item.type === "r")
      .map(({ table, name, definition }) => ({ table, name, definition })),
    checks: [...ofType("c"), ...ofType("x")],
    indexes: indexes.map((row) => ({
      name: row.name ?? "",
      definition: indexText(row.definition ?? "", row.is_unique === "t"),
      valid: row.valid === "t",
    })),
    view_definition: relation.view_definition ?? null,
    partitioning: partitioningText(relation),
    row_security: relation.row_security === "t",
    also_named_so: others,
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

/** Cuts what matters least until the description fits: long texts first, then lists, columns last. */
function present(whole: Description, budget: number): Presentation<Description> {
  const make = (kept: Description) => ({
    text: render(kept, whole),
    structured: kept,
    rows: kept.columns.length,
  });
  for (const limit of [Infinity, 8_000, 2_000, 500, 120]) {
    const kept = shorten(whole, limit, limit === Infinity ? Infinity : Math.max(10, limit / 20));
    const answer = make(kept);
    if (fitsBudget(answer, budget)) return answer;
  }
  const least = shorten(whole, 60, 5);
  return largestThatFits(
    whole.columns.length,
    (shown) => make({ ...least, columns: least.columns.slice(0, shown) }),
    budget,
  );
}

/** The description with texts of at most `characters` and lists, but for the columns, of at most `items`. */
function shorten(whole: Description, characters: number, items: number): Description {
  const cut = (text: string) => text.length <= characters ? text : `${text.slice(0, characters)}…`;
  const cutOrNull = (text: string | null) => text === null ? null : cut(text);
  const list = <Item extends { readonly definition: string }>(whole: readonly Item[]) =>
    whole.slice(0, items).map((item) => ({ ...item, definition: cut(item.definition) }));
  return {
    ...whole,
    comment: cutOrNull(whole.comment),
    view_definition: cutOrNull(whole.view_definition),
    columns: whole.columns.map((item) => ({
      ...item,
      ...(item.labels === undefined ? {} : { labels: item.labels.slice(0, items).map(cut) }),
      default: cutOrNull(item.default),
      comment: cutOrNull(item.comment),
    })),
    unique: list(whole.unique),
    foreign_keys: list(whole.foreign_keys),
    referenced_by: list(whole.referenced_by),
    checks: list(whole.checks),
    indexes: list(whole.indexes),
    also_named_so: whole.also_named_so.slice(0, items),
  };
}

function render(kept: Description, whole: Description): string {
  const facts = [
    kept.kind,
    kept.estimated_rows === null ? "" : `about ${plural(kept.estimated_rows, "row")}`,
    kept.bytes === null ? "" : size(kept.bytes),
    kept.partitioning ?? "",
    kept.row_security ? "row-level security" : "",
    kept.readable ? "" : "this role has no right to SELECT from it",
  ].filter((fact) => fact !== "");
  const columns = table(
    [{ name: "column" }, { name: "type" }, { name: "null" }, { name: "default" }, { name: "comment" }],
    kept.columns.map((item) => [
      item.name,
      typeText(item),
      item.nullable ? "yes" : "no",
      item.default,
      item.comment,
    ]),
    { nullText: "", quotes: false },
  );
  const sections = [
    section(
      "Primary key",
      kept.primary_key === null ? [] : [kept.primary_key.replace(/^PRIMARY KEY /, "")],
      1,
    ),
    section("Unique", kept.unique.map(named), whole.unique.length),
    section("Foreign keys", kept.foreign_keys.map(named), whole.foreign_keys.length),
    section(
      "Referenced by",
      kept.referenced_by.map((item) => `${item.table}: ${item.definition}`),
      whole.referenced_by.length,
    ),
    section("Checks", kept.checks.map(named), whole.checks.length),
    section(
      "Indexes",
      kept.indexes.map((item) => `${named(item)}${item.valid ? "" : " INVALID"}`),
      whole.indexes.length,
    ),
    section("Definition", kept.view_definition === null ? [] : [kept.view_definition], 1),
    section("Of the same name", kept.also_named_so, whole.also_named_so.length),
  ];
  const missing = kept.columns.length < whole.columns.length
    ? [
      `[Cut: the first ${count(kept.columns.length)} of ${plural(whole.columns.length, "column")} shown. ` +
      "Query information_schema.columns for the others.]",
    ]
    : [];
  const title = `${visible(kept.schema)}.${visible(kept.name)}: ${
    facts.map((fact) => visible(fact)).join(", ")
  }`;
  const comment = kept.comment === null ? [] : [visible(kept.comment)];
  return [title, ...comment, "", columns, ...missing, ...sections.flat()].join("\n");
}

function typeText({ type, base_type, labels }: Description["columns"][number]): string {
  if (base_type !== undefined) return `${type} (${base_type})`;
  return labels === undefined ? type : `${type} (${labels.join(", ")})`;
}

function named({ name, definition }: { readonly name: string; readonly definition: string }): string {
  return `${name}: ${definition}`;
}

function section(title: string, lines: readonly string[], total: number): readonly string[] {
  if (lines.length === 0) return [];
  // Only a view's definition has lines of its own; a name with a line break must not look like words of ours.
  const keepLines = title === "Definition";
  const shown = lines.map((line) => `  ${visible(line, { keepLines }).replaceAll("\n", "\n  ")}`);
  const more = total > lines.length
    ? [`  [Cut: the first ${count(lines.length)} of ${count(total)} shown.]`]
    : [];
  return ["", `${title}:`, ...shown, ...more];
}
