/**
 * Takes the secrets out of a table as the apiserver prints it. The columns of a custom kind show any field under any
 * name, and a table does not say which: the objects come along, and what is masked in them is masked in their cells.
 */
import { isCredentialName } from "./credential_name.ts";
import { isReferenceName } from "./credential_value.ts";
import { fields } from "./fields.ts";
import { mask } from "./masked_value.ts";
import { type RedactedKind, redactObject } from "./redact.ts";
import { MASK, redactText } from "./redact_text.ts";

/** A table (meta.k8s.io/v1 Table), as far as it matters here. */
export interface PrintedTable {
  readonly columnDefinitions?: readonly { readonly name: string }[] | undefined;
  readonly rows?: readonly PrintedRow[] | null | undefined;
}

interface PrintedRow {
  readonly cells: readonly unknown[];
  readonly object?: unknown;
}

/** The groups whose columns the apiserver itself defines. */
const OWN_GROUPS: ReadonlySet<string> = new Set([
  "",
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "apiregistration.k8s.io",
  "apps",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "coordination.k8s.io",
  "discovery.k8s.io",
  "events.k8s.io",
  "flowcontrol.apiserver.k8s.io",
  "networking.k8s.io",
  "node.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "resource.k8s.io",
  "scheduling.k8s.io",
  "storage.k8s.io",
]);

/** Whether the columns of a kind may show any of its fields: their table must be asked for with its objects. */
export function isPrintedByPath({ group }: RedactedKind): boolean {
  return !OWN_GROUPS.has(group);
}

/** A copy of `table` without secrets, whose rows keep no more of their objects than the metadata. */
export function redactTable<Redacted extends PrintedTable>(type: RedactedKind, table: Redacted): Redacted {
  const names = (table.columnDefinitions ?? []).map(({ name }) => name);
  const rows = table.rows?.map((row) => {
    const object = fields(row.object);
    const redacted = redactObject(type, object);
    const hidden = maskedIn(isPrintedByPath(type) ? object : undefined, redacted);
    const cells = row.cells.map((cell, index) =>
      index === 0 ? cell : redactCell(names[index] ?? "", cell, hidden)
    );
    return { ...row, cells, object: { metadata: redacted["metadata"] } };
  });
  // Rows keep their other fields.
  return (rows === undefined ? table : { ...table, rows }) as Redacted;
}

/** Texts and numbers of `object` that are not in `redacted`, with what stands in their place. */
function maskedIn(object: unknown, redacted: unknown): ReadonlyMap<unknown, string> {
  const hidden = new Map<unknown, string>();
  // Not by recursion: an object may be nested as deeply as it likes.
  const pairs: [before: unknown, after: unknown][] = [[object, redacted]];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [before, after] = pair;
    if (before === after) continue;
    if (typeof before === "number" || (typeof before === "string" && before !== "")) {
      hidden.set(before, typeof after === "string" ? after : MASK);
    }
    if (typeof before !== "object" || before === null) continue;
    // What is nested too deeply has become a text.
    const kept = fields(after);
    for (const [key, value] of Object.entries(before)) {
      if (key !== "managedFields") pairs.push([value, Object.hasOwn(kept, key) ? kept[key] : undefined]);
    }
  }
  return hidden;
}

function redactCell(name: string, cell: unknown, hidden: ReadonlyMap<unknown, string>): unknown {
  const known = hidden.get(cell);
  if (known !== undefined) return known;
  if (typeof cell !== "string") return cell;
  if (isCredentialName(name.replaceAll(" ", "-")) && !isReferenceName(name, cell)) return mask(cell);
  return maskWithin(redactText(cell), hidden);
}

/** A text shorter than this is in too many others: it is looked for in quotes alone. */
const shortest = 6;
/** Characters that are looked through for one cell. */
const mostWork = 10_000_000;

/** Lists and maps are printed as one text, in JSON. */
function maskWithin(cell: string, hidden: ReadonlyMap<unknown, string>): string {
  if (hidden.size * cell.length > mostWork) return MASK;
  let masked = cell;
  for (const [secret, left] of hidden) {
    if (typeof secret !== "string") continue;
    masked = masked.replaceAll(JSON.stringify(secret), () => JSON.stringify(left));
    if (secret.length >= shortest) masked = masked.replaceAll(secret, () => left);
  }
  return masked;
}
