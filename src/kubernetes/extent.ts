/** How much of a list an answer holds: for headings, and for the line that says how to see the rest. */
import * as z from "zod";
import { count, plural } from "../common/units.ts";
import { scopeText } from "./scope.ts";

/** How many objects were read, and how many the apiserver says are left. */
export interface Read {
  readonly read: number;
  readonly more: number | "unknown";
}

/** How many there are in all; undefined where the apiserver does not say. */
function totalOf({ read, more }: Read): number | undefined {
  return more === "unknown" ? undefined : read + more;
}

/**
 * `12 services in namespace shop, context kind`; with a part of them only, `50 of 312 services in …`; where the whole is not
 * known, `50 of more than 500 services in …`. Without `namespaced` the kind is in no namespace.
 */
export function heading(
  shown: number,
  all: Read,
  noun: readonly [one: string, many: string],
  where: {
    readonly namespace: string | undefined;
    readonly context: string;
    readonly namespaced?: boolean;
    /** What is said of an empty list: that its namespace may not be there. */
    readonly note?: string | undefined;
  },
): string {
  const total = totalOf(all);
  const place = `${
    where.namespaced === false ? "" : ` in ${scopeText(where.namespace)}`
  }, context ${where.context}`;
  if (total === undefined) return `${count(shown)} of more than ${plural(all.read, ...noun)}${place}`;
  if (total === 0) {
    const elsewhere = elsewhereText(where);
    return `No ${noun[1]}${place}${elsewhere === "" ? "" : `. ${elsewhere}`}`;
  }
  if (total === shown) return `${plural(total, ...noun)}${place}`;
  return `${count(shown)} of ${plural(total, ...noun)}${place}`;
}

/** Advice under an empty list; none for who may not even see whether the namespace exists, and could hardly follow it. */
export function elsewhereText(
  { namespace, note }: { readonly namespace: string | undefined; readonly note?: string | undefined },
): string {
  return namespace === undefined || note !== undefined ? "" : "all_namespaces: true looks everywhere.";
}

/** The line under a list that is not whole; undefined for one that is. `how` is a sentence with its full stop. */
export function cutNotice(shown: number, all: Read, how: string): string | undefined {
  return totalOf(all) === shown ? undefined : `[Cut: ${how}]`;
}

/** The same in structured content. */
export const extentShape = {
  total: z.number().nullable().describe("null: more than were read"),
  shown: z.number(),
  note: z.string().optional(),
};

/** What {@linkcode extentShape} holds; `how` as for {@linkcode cutNotice}, `others` are more sentences of the note. */
export function extentAnswer(
  shown: number,
  all: Read,
  how: string,
  where: { readonly namespace: string | undefined; readonly note: string | undefined },
  ...others: readonly (string | undefined)[]
): { total: number | null; shown: number; note?: string } {
  const total = totalOf(all);
  return {
    total: total ?? null,
    shown,
    ...noteField(
      total === 0 ? elsewhereText(where) : undefined,
      where.note,
      ...others,
      cutNote(shown, all, how),
    ),
  };
}

/** A sentence that says how many are shown as well: the structured form has no heading that does. */
function cutNote(shown: number, all: Read, how: string): string | undefined {
  const total = totalOf(all);
  if (total === shown) return undefined;
  return `Cut: ${count(shown)} of ${
    total === undefined ? `more than ${count(all.read)}` : count(total)
  } shown. ${how}`;
}

/** The `note` of a structured answer: sentences with their full stops; no field where there is none. */
export function noteField(...sentences: readonly (string | undefined)[]): { readonly note?: string } {
  const told = sentences.filter((sentence) => sentence !== undefined && sentence !== "");
  return told.length === 0 ? {} : { note: told.join(" ") };
}
