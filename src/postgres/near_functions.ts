/** "Did you mean", of functions: PostgreSQL's own that take as many arguments and are spelt almost alike. */
import { didYouMean, nearest } from "../common/nearest.ts";
import type { Transaction } from "./database.ts";
import type { ServerError } from "./database_errors.ts";
import { functionHint, missingFunction } from "./other_functions.ts";
import { functionNamesSql } from "./relation_sql.ts";

/** Shorter names are one letter away from too many. */
const LEAST_LENGTH = 4;

/** Of the grammar, not of the catalogue; of any number of arguments. */
const grammatical = ["coalesce", "greatest", "least"];

export interface UnknownFunction {
  readonly name: string;
  readonly count: number;
}

/** In a server that speaks English, and where it is not another database's; `count(*)` has no argument. */
export function unknownFunction(error: ServerError): UnknownFunction | undefined {
  if (error.sqlState !== "42883" || functionHint(error.message) !== undefined) return undefined;
  const missing = missingFunction(error.message);
  return missing && { name: missing.name, count: missing.types.length };
}

/** Undefined where a function has that name: it is the arguments that don't fit. */
export async function saysFunctions(
  transaction: Transaction,
  { name, count }: UnknownFunction,
): Promise<string | undefined> {
  const rows = await transaction.query(functionNamesSql, [name, String(count)]);
  if (rows.some((row) => row.name === name)) return undefined;
  const typed = [...grammatical, ...rows.map((row) => row.name ?? "")].filter((other) =>
    Math.abs(other.length - name.length) <= Math.max(1, Math.floor(name.length / 4))
  );
  const near = name.length < LEAST_LENGTH ? [] : nearest(name, typed, 2);
  return didYouMean(near, " or ") ?? "there is no function of that name";
}
