/**
 * A real PostgreSQL server for tests: `initdb` into a temporary folder, started on a Unix socket and a free
 * TCP port of the loopback interface, stopped and removed when disposed.
 *
 * Programs are taken from `POSTGRES_BIN`, else from `PATH`. PostgreSQL refuses to run as root, so that a
 * root process starts it as the user `postgres`.
 */
import { spawnSync } from "node:child_process";
import { freePort } from "./real_program.ts";

/** A running server. Every local connection is trusted; over TCP `scram-sha-256` asks for a password. */
export interface TestPostgres {
  /** Loopback address, for TCP. */
  readonly host: string;
  readonly port: number;
  /** Folder of the Unix socket; the same port. */
  readonly socket: string;
  /** The bootstrap superuser and its password over TCP. */
  readonly superuser: string;
  readonly password: string;
  /** Folder with postgresql.conf, pg_hba.conf and the files; belongs to the server's user. */
  readonly dataDirectory: string;
  /** e.g. 150018 */
  readonly version: number;
  /** Ends every session at once and starts the server again on the same port. */
  restart(): Promise<void>;
  /** Stops the server; `immediate` is a crash without a goodbye. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
  /** Starts the server again after `stop`. */
  start(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Settings for `startPostgres`. */
export interface TestPostgresOptions {
  /** Further lines of postgresql.conf, e.g. `shared_preload_libraries = 'pg_stat_statements'`. */
  readonly settings?: readonly string[];
  /** The server's command line, e.g. `-c fsync=off`. */
  readonly commandLine?: string;
}

const SUPERUSER = "postgres";
const PASSWORD = "a superuser's password";

async function run(command: string, args: readonly string[], user?: Identity): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
    cwd: "/",
  }).output();
  if (code !== 0) throw new Error(`${command} ${args[0] ?? ""}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** The folder with `initdb` and `postgres`, or undefined where there is none. */
function binaries(): string | undefined {
  try {
    const given = Deno.env.get("POSTGRES_BIN");
    const folders = given !== undefined && given !== "" ? [given] : (Deno.env.get("PATH") ?? "").split(":");
    for (const folder of folders) {
      try {
        // initdb wants to be called in the folder where postgres is: follow a link to it.
        return Deno.realPathSync(`${folder}/initdb`).replace(/\/initdb$/, "");
      } catch { /* the next folder */ }
    }
  } catch { /* no permission to look */ }
  return undefined;
}

/**
 * Whether a server can be started here; for `Deno.test({ ignore: !postgresAvailable })`. With `CI=true` a
 * missing server is a failure and not a reason to skip.
 */
export const postgresAvailable: boolean = (() => {
  const can = (["run", "read", "write", "net", "env"] as const)
    .every((name) => Deno.permissions.querySync({ name }).state === "granted");
  const found = can && binaries() !== undefined;
  if (!found && can && Deno.env.get("CI") === "true") {
    throw new Error("Cannot find initdb: set POSTGRES_BIN to the folder of PostgreSQL's programs");
  }
  return found;
})();

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

function serverUser(): Identity | undefined {
  if (Deno.uid() !== 0) return undefined;
  const [, , uid, gid] = (Deno.readTextFileSync("/etc/passwd").match(/^postgres:.*$/m)?.[0] ?? "").split(":");
  if (uid === undefined || gid === undefined) {
    throw new Error("Cannot start PostgreSQL as root without a user named postgres");
  }
  return { uid: Number(uid), gid: Number(gid) };
}

/** Starts a server of its own: about a second. */
export async function startPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const bin = binaries();
  if (bin === undefined) {
    throw new Error("Cannot find initdb: set POSTGRES_BIN to the folder of PostgreSQL's programs");
  }
  const user = serverUser();
  // Short, since the path of a Unix socket has at most 107 bytes.
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "pg-" });
  const dataDirectory = `${folder}/data`;
  const passwordFile = `${folder}/password`;
  await Deno.writeTextFile(passwordFile, PASSWORD);
  if (user !== undefined) {
    await Deno.chown(passwordFile, user.uid, user.gid);
    await Deno.chown(folder, user.uid, user.gid);
  }
  await run(`${bin}/initdb`, [
    `--pgdata=${dataDirectory}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--auth-local=trust",
    "--auth-host=scram-sha-256",
    "--no-sync",
  ], user);
  const port = freePort();
  await Deno.writeTextFile(
    `${dataDirectory}/postgresql.conf`,
    [
      "",
      "listen_addresses = '127.0.0.1'",
      `port = ${port}`,
      `unix_socket_directories = '${folder}'`,
      "fsync = off",
      "synchronous_commit = off",
      "full_page_writes = off",
      "max_connections = 50",
      "shared_buffers = 32MB",
      // On, as servers have it, but it never comes: what it does depends on when.
      "autovacuum_naptime = 2147483",
      ...(options.settings ?? []),
      "",
    ].join("\n"),
    { append: true },
  );

  const control = async (...args: string[]): Promise<void> => {
    await run(`${bin}/pg_ctl`, [...args, `--pgdata=${dataDirectory}`, "--silent", "--wait"], user);
  };
  const given = options.commandLine === undefined ? [] : [`--options=${options.commandLine}`];
  const start = () => control("start", `--log=${folder}/log`, ...given);
  const stop = (mode: "fast" | "immediate" = "fast") => control("stop", `--mode=${mode}`);

  let running = true;
  const release = async (): Promise<void> => {
    if (running) await stop("immediate").catch(() => {});
    running = false;
    globalThis.removeEventListener("unload", abandon);
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  };
  // A server shared by a test process ends with it: no test can know that it is the last.
  const abandon = (): void => {
    spawnSync(`${bin}/pg_ctl`, ["stop", "--mode=immediate", "--silent", `--pgdata=${dataDirectory}`], {
      cwd: "/",
      ...user,
    });
    Deno.removeSync(folder, { recursive: true });
  };
  globalThis.addEventListener("unload", abandon);

  try {
    await start();
  } catch (error) {
    running = false;
    const log = await Deno.readTextFile(`${folder}/log`).catch(() => "");
    await release();
    throw new Error(`Cannot start PostgreSQL: ${log}`, { cause: error });
  }
  const version = await run(`${bin}/postgres`, ["--version"], user);
  const [, major = "0", minor = "0"] = version.match(/(\d+)\.(\d+)/) ?? [];
  return {
    host: "127.0.0.1",
    port,
    socket: folder,
    superuser: SUPERUSER,
    password: PASSWORD,
    dataDirectory,
    version: Number(major) * 10_000 + Number(minor),
    restart: () => control("restart", "--mode=fast", `--log=${folder}/log`),
    start: async () => {
      await start();
      running = true;
    },
    stop: async (mode) => {
      await stop(mode);
      running = false;
    },
    [Symbol.asyncDispose]: release,
  };
}

let shared: Promise<TestPostgres> | undefined;

/** The one server that the tests of this process share; it ends with the process. */
export function sharedPostgres(): Promise<TestPostgres> {
  return shared ??= startPostgres();
}
