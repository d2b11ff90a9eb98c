/**
 * Statements that were given up and run on at the server: PostgreSQL ends one where it looks for a reason to, and code
 * of a library that it calls, an XPath expression for instance, does not look.
 */
import { CallError } from "../common/errors.ts";
import { ServerError } from "./database_errors.ts";
import { marked } from "./own_mark.ts";
import { RowReader } from "./row_reader.ts";
import type { Session } from "./session.ts";

const limits = { maxRows: 1000, cellBytes: 100, answerBytes: 100_000 };

/** Which of them still run: a process of the number, with a statement that began before it was given up. Runs on any path. */
const aliveSql = marked(`select a.pid::pg_catalog.text as pid
  from rows from (pg_catalog.unnest($1::pg_catalog.int4[]), pg_catalog.unnest($2::pg_catalog.float8[])) as given_up(pid, ms),
    pg_catalog.pg_stat_activity a
  where a.pid operator(pg_catalog.=) given_up.pid and a.state operator(pg_catalog.=) 'active'::pg_catalog.text
    and coalesce(a.wait_event_type, '') operator(pg_catalog.<>) 'Client'::pg_catalog.text
    and pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() operator(pg_catalog.-) a.query_start)
      operator(pg_catalog.*) 1000::pg_catalog.float8 operator(pg_catalog.>=) given_up.ms`);

/** Those of one program. */
export class Runaways {
  /** By the server's process: since when, in milliseconds. */
  readonly #since = new Map<string, number>();

  /** Remembers what a session that is given up may leave behind; behind a pooler its process is another one's. */
  note({ failure, direct, processId }: Session): void {
    if (failure?.gaveUp === true && direct && processId !== undefined) {
      this.#since.set(processId, performance.now());
    }
  }

  /** Throws {@linkcode CallError} where there are more than `most` with those that still run; `busy` counts the new one. */
  async makeRoom(
    session: Session,
    { busy, most, timeoutMs }: { readonly busy: number; readonly most: number; readonly timeoutMs: number },
  ): Promise<void> {
    if (this.#since.size === 0) return;
    const alive = await this.#alive(session, timeoutMs);
    for (const pid of this.#since.keys()) if (!alive.has(pid)) this.#since.delete(pid);
    if (alive.size + busy <= most) return;
    throw new CallError(
      "unavailable",
      `Cannot run another statement as ${
        alive.size === 1 ? "one that was given up still runs" : `${alive.size} that were given up still run`
      } at the server, which can't be made to end ${alive.size === 1 ? "it" : "them"}`,
      { hint: "ask again in a while" },
    );
  }

  async #alive(session: Session, timeoutMs: number): Promise<ReadonlySet<string>> {
    const reader = new RowReader(limits);
    const now = performance.now();
    const list = (values: Iterable<unknown>) => `{${[...values].join(",")}}`;
    const ages = list(this.#since.values().map((since) => now - since));
    try {
      await session.run(aliveSql, [list(this.#since.keys()), ages], { reader, timeoutMs });
    } catch (error) {
      if (error instanceof ServerError) return new Set();
      throw error;
    }
    return new Set(reader.rows.map(([pid]) => pid ?? ""));
  }
}
