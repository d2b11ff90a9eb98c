/** Values that a caller binds to `$1`, `$2` … of a statement. */
import { z } from "zod";
import type { Cell } from "./database.ts";

/** The values as a tool's input: JSON's scalars, everything else in PostgreSQL's text format. */
export const parameters = z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])).max(1000)
  .optional()
  .describe("Values of $1, $2 …; arrays, json, dates as text");

/** The values as text, which the server reads by the type that each parameter has in the statement. */
export function bindable(values: z.output<typeof parameters>): readonly Cell[] {
  return (values ?? []).map((value) => value === null ? null : String(value));
}
