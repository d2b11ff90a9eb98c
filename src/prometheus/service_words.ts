/** What all answers about a service say of the service itself. */
import * as z from "zod";
import { filled } from "../common/structured.ts";
import { visible } from "../common/visible.ts";
import type { Service } from "./service.ts";
import { utc } from "./time.ts";

/** The argument. */
export const serviceArgument = z.string().min(1).max(500)
  .describe("Its job, service or app; or label=value,label=value");

/** The fields of an answer. */
export const serviceOutput = {
  service: z.string(),
  found_by: z.string().describe("The matchers that were taken"),
  also_found_by: z.array(z.string()).optional().describe("Other matchers, passed over"),
};

/** See {@linkcode serviceFields}. */
export interface ServiceFields {
  readonly service: string;
  /** How it was found. */
  readonly found: { readonly found_by: string; readonly also_found_by?: string[] };
  /** Sentences without a full stop. */
  readonly notes: readonly string[];
}

/** Those fields, and notes for the answer's own. */
export function serviceFields({ name, text, others, notes, goneSince }: Service): ServiceFields {
  return {
    service: name,
    found: { found_by: text, ...filled({ also_found_by: others.slice(0, 5).map(({ text }) => text) }) },
    notes: [
      ...notes,
      ...(goneSince === undefined
        ? []
        : [`it has no samples any more: the last was at ${utc(Math.floor(goneSince))}`]),
    ],
  };
}

/** The line that says how the service was found. */
export function serviceLines(
  { found_by, also_found_by = [] }: {
    readonly found_by: string;
    readonly also_found_by?: readonly string[] | undefined;
  },
): string[] {
  const also = also_found_by.length === 0
    ? ""
    : `; passed over ${also_found_by.map((text) => visible(text)).join(", ")}`;
  return [`found by ${visible(found_by)}${also}`];
}
