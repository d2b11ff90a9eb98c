/** "Did you mean", of tables and views: the names nearest to one that PostgreSQL does not know. */
import { CallError } from "../common/errors.ts";
import { nearest } from "../common/nearest.ts";
import { visible } from "../common/visible.ts";
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Database, Transaction } from "./database.ts";
import { ServerError } from "./database_errors.ts";
import { namesSql } from "./relation_sql.ts";

/** The names most like `wanted`, as text that can be shown; the system's only where no other is. */
export async function nearRelations(transaction: Transaction, wanted: string): Promise<readonly string[]> {
  const names = await transaction.query(namesSql);
  const near = (system: string) =>
    nearest(wanted, names.filter((row) => row.system === system).map((row) => row.full ?? ""));
  const users = near("f");
  return (users.length > 0 ? users : near("t")).map((name) => visible(name));
}

/** Does `work`; where it fails for a relation that does not exist, the error says which are near. */
export async function suggestingRelations<T>(
  database: Database,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const wanted = unknownRelation(error);
    if (!(error instanceof CallError) || wanted === undefined) throw error;
    // The transaction that failed answers nothing any more.
    const near = await database.read({ signal }, async (transaction) => {
      await useCatalogueAlone(transaction);
      return await nearRelations(transaction, wanted);
    }).catch(() => []);
    if (near.length === 0) throw error;
    const hint = `did you mean ${near.join(", ")}?`;
    throw new CallError(error.kind, error.message, { hint, cause: error.cause });
  }
}

/** The name, in a server that speaks English; the same SQLSTATE stands for a table that FROM lacks. */
function unknownRelation(error: unknown): string | undefined {
  if (!(error instanceof CallError && error.cause instanceof ServerError)) return undefined;
  if (error.cause.sqlState !== "42P01") return undefined;
  return /^relation "(.+)" does not exist$/.exec(error.cause.message)?.[1];
}
