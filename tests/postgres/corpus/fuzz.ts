/**
 * Asks the guard about generated statements on a real server, runs those that it accepts as the superuser, and looks
 * whether anything changed: `deno task fuzz [statements] [seed] [from]`, and in the tests with a few.
 */
import assert from "@std/assert";
import { CallError } from "../../../src/common/errors.ts";
import { authorize, inspect } from "../../../src/postgres/guard.ts";
import type { TestPostgres } from "../../support/postgres.ts";
import { generate, type KnownFunction } from "./generate.ts";
import { difference, Oracle } from "./oracle.ts";
import { catalogueOf } from "./server.ts";

/** What came of the statements. */
export interface FuzzReport {
  readonly statements: number;
  readonly accepted: number;
  /** Accepted, and answered by PostgreSQL with rows and not with an error. */
  readonly ran: number;
}

/** How many statements are between two looks at what is outside of the session. */
const batch = 2_000;

/** Throws when a defect shows: another error than {@linkcode CallError}, or something that the oracle sees. */
export async function fuzz(
  server: TestPostgres,
  seed: number,
  count: number,
  { from = 0, progress = () => {} }: {
    /** How many of the first are only made, and not tried: to go on where another run ended. */
    readonly from?: number;
    readonly progress?: (report: FuzzReport) => void;
  } = {},
): Promise<FuzzReport> {
  await using oracle = await Oracle.start(server);
  const report = { statements: 0, accepted: 0, ran: 0 };
  const functions = await knownFunctions(oracle);
  let before = await oracle.look();
  let end = await oracle.logEnd();
  let recent: string[] = [];
  let made = 0;
  for (const text of generate(seed, from + count, functions)) {
    if (made++ < from) continue;
    if (await attempt(text)) recent.push(text);
    if (++report.statements % batch === 0 || report.statements === count) {
      const after = [await oracle.look(), ...await oracle.kept()].join();
      const written = await oracle.written(end);
      if (after !== before || written.length > 0) {
        const what = after === before ? `The log got ${written}` : `${difference(before, after)} changed`;
        throw new Error(`${what} after one of:\n${recent.join("\n")}`);
      }
      before = after;
      end = await oracle.logEnd();
      recent = [];
      progress({ ...report });
    }
  }
  return report;

  /** Whether the guard accepted it. */
  async function attempt(text: string): Promise<boolean> {
    let inspected;
    try {
      inspected = inspect(text);
    } catch (error) {
      return refused(error, text);
    }
    await oracle.begin();
    try {
      await authorize(inspected, catalogueOf(oracle.sql), { allowFunctions: [] });
    } catch (error) {
      await oracle.sql.unsafe("rollback");
      return refused(error, text);
    }
    report.accepted++;
    const { seen, error } = await oracle.run(text);
    assert.deepEqual(seen, [], `the guard accepted: ${text}`);
    // A read-only transaction that had to refuse a write is one that the guard should have refused.
    assert.notEqual(error?.code, "25006", `the guard accepted a write: ${text}`);
    if (error === undefined) report.ran++;
    return true;
  }
}

/** False, where the guard or the server's catalogue refused; else a defect. */
function refused(error: unknown, text: string): false {
  const isServers = error instanceof Error && error.name === "PostgresError";
  if (!(error instanceof CallError) && !isServers) throw new Error(`on: ${text}`, { cause: error });
  return false;
}

async function knownFunctions({ sql }: Oracle): Promise<KnownFunction[]> {
  const functions = await sql<(KnownFunction & { readonly arguments: readonly string[] | string })[]>`
    select case when n.nspname in ('pg_catalog', 'public') then quote_ident(p.proname)
        else quote_ident(n.nspname) || '.' || quote_ident(p.proname) end as name, p.prokind as kind,
      array_to_json(array(select format_type(t, null) from unnest(p.proargtypes) t)) as arguments
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where p.prokind <> 'p' order by 1, 3::text`;
  return functions.map(({ name, kind, arguments: types }) => ({
    name,
    kind,
    arguments: typeof types === "string" ? JSON.parse(types) : types,
  }));
}
