/** The sample `tododb` itself: opens PGlite, fills it, and answers on a free loopback port. */
import { PGlite } from "@electric-sql/pglite";
import { serve } from "./socket.ts";

/** Starts the database. Returns its port on 127.0.0.1; it answers until the process or thread ends. */
export async function openTododb(): Promise<number> {
  const backend = await PGlite.create();
  await backend.exec(await Deno.readTextFile(new URL("tododb.sql", import.meta.url)));
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void serve(listener, backend, { database: "tododb", users: ["reader", "postgres"] });
  return listener.addr.port;
}
