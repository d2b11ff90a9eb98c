/** What there is to say of a relation, and how: as psql's `\d+` does, in the order a reader needs it. */
import * as z from "zod";
import { filled } from "../common/structured.ts";
import { fitsBudget, largestThatFits } from "../common/largest_that_fits.ts";
import { shortened } from "../common/shortened.ts";
import { table } from "../common/table.ts";
import type { Presentation } from "../common/tool.ts";
import { count, plural, size } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { displayWidth } from "../common/width.ts";
import { relationKinds } from "./relation.ts";

const column = z.object({
  name: z.string(),
  type: z.string().describe("As psql prints it"),
  base_type: z.string().optional().describe("Of a domain"),
  labels: z.array(z.string()).optional().describe("Of an enum, the first 50"),
  nullable: z.boolean(),
  default: z.string().optional().describe("Default, identity or generation expression"),
  comment: z.string().optional(),
});

const constraint = z.object({ name: z.string(), definition: z.string() });

/** Characters of a type or a default that a table pads its column for. */
const padded = 32;

/** What describe_table says of one relation; what there is none of, or is not known, is absent. */
export const relationDescription = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.enum(relationKinds),
  notes: z.array(z.string()).optional().describe("What was cut"),
  comment: z.string().optional(),
  estimated_rows: z.number().optional(),
  bytes: z.number().optional(),
  partitioning: z.string().optional(),
  row_security: z.literal(true).optional(),
  readable: z.literal(false).optional().describe("The role may not SELECT from it"),
  column_count: z.number(),
  columns: z.array(column),
  primary_key: z.string().optional(),
  unique: z.array(constraint).optional(),
  foreign_keys: z.array(constraint).optional(),
  referenced_by: z.array(z.object({ table: z.string(), ...constraint.shape })).optional(),
  checks: z.array(constraint).optional(),
  indexes: z.array(constraint.extend({ valid: z.literal(false).optional() })).optional(),
  view_definition: z.string().optional(),
  also_named_so: z.array(z.string()).optional().describe("Relations of the same name in other schemas"),
});
export type RelationDescription = z.output<typeof relationDescription>;

/** Cuts what matters least until the description fits `budget` bytes: long texts first, then lists, columns last. */
export function presentRelation(
  whole: RelationDescription,
  budget: number,
): Presentation<RelationDescription> {
  const make = (kept: RelationDescription) => ({
    text: render(kept, whole),
    structured: withNotes(kept, whole),
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
function shorten(whole: RelationDescription, characters: number, items: number): RelationDescription {
  const cut = (text: string) => shortened(text, characters);
  const list = <Item extends { readonly definition: string }>(whole: readonly Item[] | undefined) =>
    whole?.slice(0, items).map((item) => ({ ...item, definition: cut(item.definition) }));
  const { comment, view_definition: definition } = whole;
  return {
    ...whole,
    ...filled({
      comment: comment === undefined ? undefined : cut(comment),
      view_definition: definition === undefined ? undefined : cut(definition),
      columns: whole.columns.map((item) => ({
        ...item,
        ...filled({
          labels: item.labels?.slice(0, items).map(cut),
          default: item.default === undefined ? undefined : cut(item.default),
          comment: item.comment === undefined ? undefined : cut(item.comment),
        }),
      })),
      unique: list(whole.unique),
      foreign_keys: list(whole.foreign_keys),
      referenced_by: list(whole.referenced_by),
      checks: list(whole.checks),
      indexes: list(whole.indexes),
      also_named_so: whole.also_named_so?.slice(0, items),
    }),
  };
}

/** The structured answer: what was cut stands before the columns. */
function withNotes(kept: RelationDescription, whole: RelationDescription): RelationDescription {
  const lists = ["unique", "foreign_keys", "referenced_by", "checks", "indexes", "also_named_so"] as const;
  const notes = [
    ...columnsCut(kept, whole),
    ...lists.flatMap((name) => {
      const [shown, all] = [kept[name]?.length ?? 0, whole[name]?.length ?? 0];
      return shown < all ? [`Cut: the first ${count(shown)} of ${count(all)} ${name} shown.`] : [];
    }),
  ];
  const { schema, name, kind, ...others } = kept;
  return notes.length === 0 ? kept : { schema, name, kind, notes, ...others };
}

function columnsCut(kept: RelationDescription, whole: RelationDescription): readonly string[] {
  return kept.columns.length === whole.columns.length ? [] : [
    `Cut: the first ${count(kept.columns.length)} of ${plural(whole.columns.length, "column")} shown. ` +
    "Query information_schema.columns for the others.",
  ];
}

function render(kept: RelationDescription, whole: RelationDescription): string {
  const facts = [
    kept.kind,
    kept.estimated_rows === undefined ? "" : `about ${plural(kept.estimated_rows, "row")}`,
    kept.bytes === undefined ? "" : size(kept.bytes),
    kept.partitioning ?? "",
    kept.row_security ? "row-level security" : "",
    kept.readable === undefined ? "" : "this role has no right to SELECT from it",
  ].filter((fact) => fact !== "");
  const hasComments = kept.columns.some((item) => item.comment !== undefined);
  const isBelow = (item: Column) => hasComments && displayWidth(item.default ?? "") > padded;
  const columns = table(
    ["column", "type", "null", "default", ...(hasComments ? ["comment"] : [])].map((name) => ({ name })),
    kept.columns.map((item) => [
      item.name,
      typeText(item),
      item.nullable ? "yes" : "no",
      isBelow(item) ? "(see below)" : item.default ?? null,
      ...(hasComments ? [item.comment ?? null] : []),
    ]),
    { nullText: "", quotes: false },
  );
  const sections = [
    section(
      "Primary key",
      kept.primary_key === undefined ? [] : [kept.primary_key.replace(/^PRIMARY KEY /, "")],
      1,
    ),
    section("Labels", kept.columns.flatMap(labelsBelow), 0),
    section("Defaults", kept.columns.filter(isBelow).map((item) => `${item.name}: ${item.default}`), 0),
    section("Unique", kept.unique?.map(named), whole.unique?.length),
    section("Foreign keys", kept.foreign_keys?.map(named), whole.foreign_keys?.length),
    section(
      "Referenced by",
      kept.referenced_by?.map((item) => `${item.table}: ${item.definition}`),
      whole.referenced_by?.length,
    ),
    section("Checks", kept.checks?.map(named), whole.checks?.length),
    section(
      "Indexes",
      kept.indexes?.map((item) => `${named(item)}${item.valid === false ? " INVALID" : ""}`),
      whole.indexes?.length,
    ),
    section("Definition", kept.view_definition === undefined ? [] : [kept.view_definition], 1),
    section("Of the same name", kept.also_named_so, whole.also_named_so?.length),
  ];
  const missing = columnsCut(kept, whole).map((notice) => `[${notice}]`);
  const title = `${visible(kept.schema)}.${visible(kept.name)}: ${
    facts.map((fact) => visible(fact)).join(", ")
  }`;
  const comment = kept.comment === undefined ? [] : [visible(kept.comment)];
  return [title, ...comment, "", columns, ...missing, ...sections.flat()].join("\n");
}

type Column = RelationDescription["columns"][number];

/** An enum's labels stand behind its name where the table has room for them, and below it where not. */
function typeText({ type, base_type, labels }: Column): string {
  if (base_type !== undefined) return `${type} (${base_type})`;
  if (labels === undefined) return type;
  const whole = `${type} (${labels.join(", ")})`;
  return whole.length <= padded ? whole : `${type} (see below)`;
}

function labelsBelow(column: Column): readonly string[] {
  const { name, base_type, labels } = column;
  const isBelow = base_type === undefined && labels !== undefined && typeText(column).endsWith("(see below)");
  return isBelow ? [`${name}: ${labels.join(", ")}`] : [];
}

function named({ name, definition }: { readonly name: string; readonly definition: string }): string {
  return `${name}: ${definition}`;
}

function section(title: string, lines: readonly string[] = [], total = 0): readonly string[] {
  if (lines.length === 0) return [];
  // Only a view's definition has lines of its own; a name with a line break must not look like words of ours.
  const keepLines = title === "Definition";
  const shown = lines.map((line) => `  ${visible(line, { keepLines }).replaceAll("\n", "\n  ")}`);
  const more = total > lines.length
    ? [`  [Cut: the first ${count(lines.length)} of ${count(total)} shown.]`]
    : [];
  return ["", `${title}:`, ...shown, ...more];
}
