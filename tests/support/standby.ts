/** A hot standby of a test's own server, made of a copy of its files, which streams from it. */
import type { OwnServer } from "./own_server.ts";
import { freePort } from "./real_program.ts";

/** A running standby; its socket is in the folder of the primary's. */
export interface Standby extends AsyncDisposable {
  readonly port: number;
}

/**
 * Copies the server, whose roles are those of the copy, and starts the copy under the name `standby_1`. The server is
 * stopped for the copy, as not every distribution has pg_basebackup.
 */
export async function startStandby({ server, execute }: OwnServer): Promise<Standby> {
  const [row] = await execute("select setting from pg_config where name = 'BINDIR'");
  const bin = String(row?.setting);
  const { uid, gid } = await Deno.stat(server.dataDirectory);
  const folder = `${server.socket}/standby`;
  const run = async (program: string, ...args: string[]) => {
    const { code, stderr } = await new Deno.Command(program.startsWith("/") ? program : `${bin}/${program}`, {
      args,
      cwd: "/",
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      // Only root can be somebody else, and only root has to.
      ...(Deno.uid() === 0 && uid !== null && gid !== null ? { uid, gid } : {}),
    }).output();
    if (code !== 0) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
  };
  const port = freePort();
  await server.stop();
  await run("/bin/cp", "-a", server.dataDirectory, folder);
  await Deno.writeTextFile(`${folder}/standby.signal`, "");
  await Deno.writeTextFile(
    `${folder}/postgresql.auto.conf`,
    `primary_conninfo = 'host=${server.socket} port=${server.port} user=${server.superuser} application_name=standby_1'\n`,
    { append: true },
  );
  await server.start();
  await run(
    "pg_ctl",
    "start",
    "--silent",
    "--wait",
    `--pgdata=${folder}`,
    `--log=${server.socket}/standby.log`,
    `--options=-p ${port}`,
  );
  return {
    port,
    [Symbol.asyncDispose]: () => run("pg_ctl", "stop", "--silent", "--mode=immediate", `--pgdata=${folder}`),
  };
}
