/** Tool `list_resources`: objects of any kind, in the columns that the apiserver prints for it. */
import * as z from "zod";
import { cutText } from "../common/cell.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { table } from "../common/table.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { visible } from "../common/visible.ts";
import type { Clusters, TableAnswer } from "./api.ts";
import { cutNotice, extentAnswer, extentShape, heading } from "./extent.ts";
import { refuseMissing } from "./find_pods.ts";
import type { ResourceType } from "./paths.ts";
import { resolveScope, scopeAnswer, scopeInput, scopeShape, selectorInput } from "./scope.ts";

/** Bytes of one cell. */
const maxCell = 200;

const input = z.strictObject({
  kind: z.string().min(1).max(253).describe(
    "As kubectl takes it: deploy, cronjobs.batch, a CRD's plural",
  ),
  ...scopeInput,
  ...selectorInput,
  wide: z.boolean().optional().describe("All columns"),
  limit: z.int().min(1).max(1000).default(100),
});

const output = z.object({
  kind: z.string(),
  resource: z.string().describe("With its group"),
  ...scopeShape,
  ...extentShape,
  columns: z.array(z.string()),
  rows: z.array(z.array(z.string().nullable())),
});

/** How to see the others, where a list was cut. */
const less = "Narrow it with namespace, label_selector or field_selector, or raise limit.";

interface Found {
  readonly context: string;
  readonly type: ResourceType;
  readonly namespace: string | undefined;
  /** A namespace was named for a kind that is in none. */
  readonly unscoped: boolean;
  readonly answer: TableAnswer;
  readonly wide: boolean;
  readonly note: string | undefined;
}

/** Lists objects. */
export function listResources(clusters: Clusters): Tool {
  return defineTool({
    name: "list_resources",
    title: "List any kind",
    description:
      "Objects of any kind, custom ones included, in kubectl's columns. If there is a get_ tool for it, that says more.",
    input,
    output,
    async run(
      { kind, wide = false, limit, label_selector, field_selector, ...args },
      { signal },
    ): Promise<Found> {
      const cluster = clusters.cluster(args.context);
      const namespace = resolveScope(cluster, args);
      const type = await cluster.type(kind, { signal });
      const scope = type.namespaced ? namespace : undefined;
      const answer = await cluster.table(type, scope, {
        signal,
        limit,
        ...(label_selector === undefined ? {} : { labelSelector: label_selector }),
        ...(field_selector === undefined ? {} : { fieldSelector: field_selector }),
      });
      const note = answer.rows.length === 0
        ? await refuseMissing(cluster, scope, qualified(type), signal)
        : undefined;
      const unscoped = !type.namespaced && args.namespace !== undefined;
      return { context: cluster.context, type, namespace: scope, unscoped, answer, wide, note };
    },
    present(found, budget) {
      const { columns, rows } = cellsOf(found);
      return largestThatFits(rows.length, (shown) => ({
        text: render(found, columns, rows.slice(0, shown)),
        structured: structuredOf(found, columns, rows.slice(0, shown)),
        rows: shown,
      }), budget);
    },
  });
}

/** `deployments.apps`, as kubectl and RBAC rules name it. */
export function qualified({ plural, group }: ResourceType): string {
  return group === "" ? plural : `${plural}.${group}`;
}

type Row = readonly (string | null)[];

/** The columns that are shown, with the namespace in front where there are several. */
function cellsOf({ answer, wide, type, namespace }: Found): {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
} {
  const many = type.namespaced && namespace === undefined;
  const chosen = answer.columns.map((column, index) => ({ ...column, index }))
    .filter(({ priority }) => wide || priority === 0);
  return {
    columns: [...(many ? ["NAMESPACE"] : []), ...chosen.map(({ name }) => visible(name.toUpperCase()))],
    rows: answer.rows.map((row) => [
      ...(many ? [row.namespace ?? null] : []),
      ...chosen.map(({ index }) => cellText(row.cells[index])),
    ]),
  };
}

function cellText(cell: unknown): string | null {
  if (cell === null || cell === undefined || cell === "") return null;
  const { text, mark } = cutText(typeof cell === "object" ? JSON.stringify(cell) : String(cell), {
    limit: maxCell,
  });
  return text + mark;
}

function structuredOf(
  found: Found,
  columns: readonly string[],
  rows: readonly Row[],
): z.output<typeof output> {
  const { type, answer, unscoped } = found;
  const all = { read: answer.rows.length, more: answer.more };
  return {
    kind: type.kind,
    resource: qualified(type),
    ...(type.namespaced ? scopeAnswer(found) : { context: found.context }),
    ...extentAnswer(rows.length, all, less, found, unscoped ? unscopedText(type) : undefined),
    columns: [...columns],
    rows: rows.map((row) => [...row]),
  };
}

function unscopedText({ kind }: ResourceType): string {
  return `${kind} is a kind without namespaces: these are all there are.`;
}

function render(found: Found, columns: readonly string[], rows: readonly Row[]): string {
  const { type, answer, unscoped } = found;
  const all = { read: answer.rows.length, more: answer.more };
  const name = qualified(type);
  const lines = [heading(rows.length, all, [type.kind, name], { ...found, namespaced: type.namespaced })];
  if (found.note !== undefined) lines.push(visible(found.note));
  if (unscoped) lines.push(unscopedText(type));
  if (rows.length > 0) {
    lines.push("", table(columns.map((name) => ({ name })), rows, { nullText: "-", quotes: false }));
  }
  const notice = cutNotice(rows.length, all, less);
  if (notice !== undefined) lines.push("", notice);
  return lines.join("\n");
}
