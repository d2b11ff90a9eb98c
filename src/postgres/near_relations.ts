/** "Did you mean", of tables and views: the names nearest to one that PostgreSQL does not know. */
import { nearest } from "../common/nearest.ts";
import { visible } from "../common/visible.ts";
import type { Transaction } from "./database.ts";
import type { ServerError } from "./database_errors.ts";
import { namesSql } from "./relation_sql.ts";

/** The names most like `wanted`, as text that can be shown; the system's only where no other is. */
export async function nearRelations(transaction: Transaction, wanted: string): Promise<readonly string[]> {
  const names = await transaction.query(namesSql);
  const near = (system: string) =>
    nearest(wanted, names.filter((row) => row.system === system).map((row) => row.full ?? ""));
  const users = near("f");
  return (users.length > 0 ? users : near("t")).map((name) => visible(name));
}

/** The name, in a server that speaks English; the same SQLSTATE stands for a table that FROM lacks. */
export function unknownRelation(error: ServerError): string | undefined {
  if (error.sqlState !== "42P01") return undefined;
  const name = /^relation "(.+)" does not exist$/.exec(error.message)?.[1];
  // Oracle's and MySQL's table of one row is not misspelt.
  return name === "dual" ? undefined : name;
}
