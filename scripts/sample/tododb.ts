/** The sample `tododb` itself: opens PGlite, fills it, and answers on a free loopback port. */
import { PGlite } from "@electric-sql/pglite";
import { serve } from "./socket.ts";

/** When the sample's clock stands still, as tododb.sql writes it. */
const still = "2026-06-30 12:00:00+00";

/**
 * Starts the database. Returns its port on 127.0.0.1; it answers until the process or thread ends. Its last event is of
 * `clock`, or, where the rows are to be the same every time, of the moment at which the sample's clock stands still.
 */
export async function openTododb(clock?: Date): Promise<number> {
  const backend = await PGlite.create();
  const sql = await Deno.readTextFile(new URL("tododb.sql", import.meta.url));
  if (!sql.includes(`'${still}'`)) throw new Error("Cannot set the clock of tododb.sql: it has another form");
  await backend.exec(clock === undefined ? sql : sql.replace(`'${still}'`, `'${clock.toISOString()}'`));
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void serve(listener, backend, { database: "tododb", users: ["reader", "postgres"] });
  return listener.addr.port;
}
