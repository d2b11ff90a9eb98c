/**
 * Starts the sample `tododb`: real PostgreSQL as WebAssembly with 1,000 users, 8,000 todos and 5,000 events, for
 * the demo, `serve:postgres --demo`, and tests where there is no PostgreSQL.
 *
 * What it can't show: one backend serves all connections in turn, so there are no locks, no statement timeouts
 * and no cancellation.
 */
import { fileURLToPath } from "node:url";

/** A running sample database. It accepts any number of connections, without password or encryption. */
export interface SampleDatabase extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** May read the sample's tables and nothing else. The user `postgres` connects too, as the superuser. */
  readonly user: "reader";
  readonly database: "tododb";
  /** `postgres://` with all of these. */
  readonly url: string;
  /** Ends the database and every connection to it; nothing of it stays. */
  close(): Promise<void>;
}

/**
 * Starts the sample in a process of its own, in 2 to 4 seconds. Needs permission to run Deno.
 *
 * @throws {Error} with the process's own words when it does not come up
 */
export async function startSampleDatabase(): Promise<SampleDatabase> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--config", configPath, "-P=sample", programPath],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const complaint = new Response(process.stderr).text();
  const output = process.stdout.getReader();
  const { value } = await output.read();
  const port = Number(new TextDecoder().decode(value));
  const closed = async () => {
    // A statement that never ends keeps the process from seeing the end of its input.
    const backstop = setTimeout(() => process.kill("SIGKILL"), 1000);
    await process.stdin.close().catch(() => {});
    await Promise.all([process.status, complaint, output.cancel()]);
    clearTimeout(backstop);
  };
  if (!port) {
    await closed();
    throw new Error(`Cannot start the sample database: ${(await complaint).trim()}`);
  }
  return describe(port, closed);
}

/**
 * Starts the sample in a thread of this process, with this process's own permissions (loopback, read). It ends
 * with the process. Its last event is of this moment, and all its other times are as far from it as they ever are.
 */
export async function startSampleThread(): Promise<SampleDatabase> {
  const thread = new Worker(new URL("sample/thread.ts", import.meta.url), { type: "module" });
  const port = await new Promise<number>((resolve, reject) => {
    thread.onmessage = (event) => resolve(event.data);
    thread.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`Cannot start the sample database: ${event.message}`));
    };
  });
  return describe(port, () => Promise.resolve(thread.terminate()));
}

const programPath = fileURLToPath(new URL("sample/process.ts", import.meta.url));
const configPath = fileURLToPath(new URL("../deno.json", import.meta.url));

function describe(port: number, close: () => Promise<void>): SampleDatabase {
  const [host, user, database] = ["127.0.0.1", "reader", "tododb"] as const;
  const url = `postgres://${user}@${host}:${port}/${database}?sslmode=disable`;
  return { host, port, user, database, url, close, [Symbol.asyncDispose]: close };
}
