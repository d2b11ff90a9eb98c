/**
 * Asks the guard about generated statements on a real server, runs those that it accepts as the superuser, and looks
 * whether anything changed: `deno task fuzz [statements] [seed]`, and in the tests with a few.
 */
import assert from "@std/assert";
import { CallError } from "../../../src/common/errors.ts";
import { authorize, inspect } from "../../../src/postgres/guard.ts";
import type { TestPostgres } from "../../support/postgres.ts";
import { generate, type KnownFunction } from "./generate.ts";
import { catalogueOf, connect, reading, state } from "./server.ts";

/** What came of the statements. */
export interface FuzzReport {
  readonly statements: number;
  readonly accepted: number;
  /** Accepted, and answered by PostgreSQL with rows and not with an error. */
  readonly ran: number;
}

/** How many statements are between two looks at the state. */
const batch = 2_000;

/** Throws when a defect shows: another error than {@linkcode CallError}, or a state that is not the same afterwards. */
export async function fuzz(
  server: TestPostgres,
  seed: number,
  count: number,
  progress: (report: FuzzReport) => void = () => {},
): Promise<FuzzReport> {
  const sql = connect(server, "postgres");
  const report = { statements: 0, accepted: 0, ran: 0 };
  try {
    const functions = await sql<KnownFunction[]>`
      select case when n.nspname in ('pg_catalog', 'public') then quote_ident(p.proname)
          else quote_ident(n.nspname) || '.' || quote_ident(p.proname) end as name,
        array_to_json(array(select format_type(t, null) from unnest(p.proargtypes) t)) as arguments
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where p.prokind <> 'p' order by 1, 2::text`;
    const known = functions.map(({ name, arguments: types }) => ({
      name,
      arguments: typeof types === "string" ? JSON.parse(types) : types,
    }));
    /** What the session itself would keep of a statement. A library that is loaded only brings settings with a dot. */
    const session = async () =>
      JSON.stringify([
        await sql`select name, setting from pg_settings where name not like '%.%' order by name`,
        await sql`select locktype, mode, relation from pg_locks where pid = pg_backend_pid() and mode <> 'AccessShareLock'
          and locktype <> 'virtualxid'`,
        await sql`select count(*) from pg_prepared_statements where not from_sql is false`,
        await sql`select pg_listening_channels()`,
      ]);
    const look = async () => await state(server) + await session();
    let before = await look();
    let recent: string[] = [];
    for (const text of generate(seed, count, known)) {
      if (await attempt(text)) recent.push(text);
      if (++report.statements % batch === 0 || report.statements === count) {
        const after = await look();
        if (after !== before) {
          throw new Error(`${difference(before, after)} changed after one of:\n${recent.join("\n")}`);
        }
        before = after;
        recent = [];
        progress({ ...report });
      }
    }
  } finally {
    await sql.end();
  }
  return report;

  /** Whether the guard accepted it. */
  async function attempt(text: string): Promise<boolean> {
    let passed = false;
    try {
      await reading(sql, async (transaction) => {
        const inspected = inspect(text);
        await authorize(inspected, catalogueOf(transaction), { allowFunctions: [] });
        passed = true;
        report.accepted++;
        await transaction.unsafe("set local statement_timeout = 300");
        await transaction.unsafe(text);
        report.ran++;
      });
    } catch (error) {
      const isServers = error instanceof Error && error.name === "PostgresError";
      if (!(error instanceof CallError) && !isServers) throw new Error(`on: ${text}`, { cause: error });
      // A read-only transaction that had to refuse a write is one that the guard should have refused.
      const code = isServers && "code" in error ? String(error.code) : "";
      assert.notEqual(code, "25006", `the guard accepted a write: ${text}`);
    }
    return passed;
  }
}

/** Where two states begin to differ, and how. */
function difference(before: string, after: string): string {
  let at = 0;
  while (before[at] === after[at]) at++;
  const around = (text: string) => text.slice(Math.max(0, at - 100), at + 100);
  return `"${around(before)}" to "${around(after)}"`;
}
