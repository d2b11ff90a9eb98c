/** Values that a caller binds to `$1`, `$2` … of a statement. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { plural } from "../common/units.ts";
import type { Cell } from "./database.ts";

/** The values as a tool's input: JSON's scalars, everything else in PostgreSQL's text format. */
export const parameters = z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])).max(1000)
  .optional()
  .describe("Values of $1, $2 …; arrays, json, dates as text");

/** The values as text, which the server reads by the type that each parameter has in the statement. */
export function bindable(values: z.output<typeof parameters>): readonly Cell[] {
  return (values ?? []).map((value) => value === null ? null : String(value));
}

/**
 * Throws {@linkcode CallError} `invalid` unless there is a value for each parameter: the server only speaks of "bind".
 * `needed` are as many as the statement wants, `hint` is what to do where some are missing, in place of the usual.
 */
export function checkValues(
  needed: number,
  given: number,
  { verb = "run", hint = "Pass a value for each of $1, $2 … in parameters" } = {},
): void {
  if (needed === given) return;
  throw new CallError(
    "invalid",
    `Cannot ${verb} the statement as it has ${plural(needed, "parameter")} and ${
      plural(given, "value")
    } came with it`,
    { hint: needed === 0 ? "Leave parameters out, or use them in the statement as $1, $2 …" : hint },
  );
}
