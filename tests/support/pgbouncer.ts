/** A real PgBouncer in transaction mode in front of a test's server; `PGBOUNCER_BIN` names the program, else `PATH`. */
import { permitted } from "./permitted.ts";
import { freePort, listens } from "./real_program.ts";
import type { TestPostgres } from "./postgres.ts";
import { until } from "./until.ts";

/** A running PgBouncer. */
export interface PgBouncer extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
}

function program(): string | undefined {
  if (!permitted) return undefined;
  const given = Deno.env.get("PGBOUNCER_BIN");
  // Debian puts it where only an administrator's PATH looks.
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin"];
  const candidates = given === undefined || given === ""
    ? folders.map((folder) => `${folder}/pgbouncer`)
    : [given];
  return candidates.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** Whether there is one; with `CI=true` a missing one is a failure and not a reason to skip. */
export const pgbouncerAvailable: boolean = (() => {
  const found = program() !== undefined;
  if (!found && permitted && Deno.env.get("CI") === "true") {
    throw new Error("Cannot find pgbouncer: set PGBOUNCER_BIN to the program");
  }
  return found;
})();

/** Starts it with `poolSize` connections to the server, which all of its clients share. */
export async function startPgBouncer(server: TestPostgres, poolSize: number): Promise<PgBouncer> {
  const path = program();
  if (path === undefined) throw new Error("Cannot find pgbouncer: set PGBOUNCER_BIN to the program");
  const port = freePort();
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "pgbouncer-" });
  await Deno.writeTextFile(
    `${folder}/pgbouncer.ini`,
    [
      "[databases]",
      `* = host=${server.host} port=${server.port} user=${server.superuser} password='${
        server.password.replaceAll("'", "''")
      }'`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = any",
      "pool_mode = transaction",
      `default_pool_size = ${poolSize}`,
      "max_client_conn = 200",
      "",
    ].join("\n"),
  );
  const { uid, gid } = await Deno.stat(server.dataDirectory);
  if (Deno.uid() === 0 && uid !== null && gid !== null) {
    for (const name of [folder, `${folder}/pgbouncer.ini`]) await Deno.chown(name, uid, gid);
  }
  const process = new Deno.Command(path, {
    args: [`${folder}/pgbouncer.ini`],
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
    ...(Deno.uid() === 0 && uid !== null && gid !== null ? { uid, gid } : {}),
  }).spawn();
  const stop = async () => {
    process.kill("SIGKILL");
    await process.status;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await until("PgBouncer listens", () => listens(port));
  } catch (error) {
    await stop();
    throw error;
  }
  return { host: "127.0.0.1", port, [Symbol.asyncDispose]: stop };
}
