/** What the caller may have meant, where a statement failed for a name that PostgreSQL does not know. */
import { CallError } from "../common/errors.ts";
import { didYouMean } from "../common/nearest.ts";
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Database, Transaction } from "./database.ts";
import { ServerError } from "./database_errors.ts";
import { jsonPath, saysPath } from "./json_paths.ts";
import { saysFunctions, unknownFunction } from "./near_functions.ts";
import { saysLabels, unknownLabel } from "./near_labels.ts";
import { nearRelations, unknownRelation } from "./near_relations.ts";

/** Does `work`, of the caller's `sql`; where it fails for a name that does not exist, the error says which are there. */
export async function suggesting<T>(
  database: Database,
  signal: AbortSignal,
  sql: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CallError && error.cause instanceof ServerError)) throw error;
    const ask = question(error.cause, sql);
    if (ask === undefined) throw error;
    // The transaction that failed answers nothing any more.
    const hint = await database.read({ signal }, async (transaction) => {
      const { schemas } = await useCatalogueAlone(transaction);
      return await ask(transaction, schemas);
    }).catch(() => undefined);
    if (hint === undefined) throw error;
    throw new CallError(error.kind, error.message, { hint, cause: error.cause });
  }
}

/** What is to be asked of the catalogue, for a hint; undefined where the error is of another kind. */
function question(
  error: ServerError,
  sql: string,
): ((transaction: Transaction, schemas: readonly string[]) => Promise<string | undefined>) | undefined {
  const relation = unknownRelation(error);
  if (relation !== undefined) {
    return async (transaction) => didYouMean(await nearRelations(transaction, relation));
  }
  const label = unknownLabel(error);
  if (label !== undefined) return (transaction, schemas) => saysLabels(transaction, label, schemas);
  const unknown = unknownFunction(error);
  if (unknown !== undefined) return (transaction) => saysFunctions(transaction, unknown);
  const path = jsonPath(error, sql);
  if (path !== undefined) return (transaction, schemas) => saysPath(transaction, path, schemas);
  return undefined;
}
