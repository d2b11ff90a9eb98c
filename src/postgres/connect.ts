/** Finds a server that fits among the settings' hosts, and logs in. */
import { CallError } from "../common/errors.ts";
import { ConnectionError, describeServerError, nameAddress, ServerError } from "./database_errors.ts";
import { RowReader } from "./row_reader.ts";
import { Session } from "./session.ts";
import type { DatabaseSettings, ServerAddress, SslMode } from "./settings.ts";
import { openSocket } from "./socket.ts";

/** When to stop trying. */
export interface ConnectOptions {
  readonly signal: AbortSignal;
  /** Milliseconds for the socket of each host, and for the log-in. */
  readonly connectTimeoutMs: number;
}

/** Tries the hosts in turn, as libpq does. Throws {@linkcode ConnectionError}; an aborted signal rejects with its reason. */
export async function openSession(settings: DatabaseSettings, options: ConnectOptions): Promise<Session> {
  const { hosts, targetSessionAttrs } = settings;
  // prefer-standby is two rounds: a standby, then anything.
  const rounds = targetSessionAttrs === "prefer-standby" ? ["standby", "any"] as const : [targetSessionAttrs];
  let failure: unknown;
  for (const wanted of rounds) {
    for (const address of hosts) {
      try {
        return await openOne(settings, address, wanted, options);
      } catch (error) {
        options.signal.throwIfAborted();
        if (!(error instanceof ConnectionError)) throw error;
        failure = error;
        // As libpq: a host that answered, and refused this user, ends the search.
        if (error.callError.cause instanceof ServerError && !/^57|^53/.test(error.callError.cause.sqlState)) {
          throw error;
        }
      }
    }
  }
  throw failure;
}

type Wanted = Exclude<DatabaseSettings["targetSessionAttrs"], "prefer-standby">;

async function openOne(
  settings: DatabaseSettings,
  address: ServerAddress,
  wanted: Wanted,
  options: ConnectOptions,
): Promise<Session> {
  try {
    return await logIn(settings, address, settings.sslMode, wanted, options);
  } catch (error) {
    const cause = error instanceof ConnectionError ? error.callError.cause : undefined;
    // As libpq: where pg_hba.conf wants no TLS, prefer goes without.
    if (settings.sslMode === "prefer" && cause instanceof ServerError && cause.sqlState === "28000") {
      return await logIn(settings, address, "disable", wanted, options);
    }
    throw error;
  }
}

async function logIn(
  settings: DatabaseSettings,
  address: ServerAddress,
  sslMode: SslMode,
  wanted: Wanted,
  options: ConnectOptions,
): Promise<Session> {
  const { database, user } = settings;
  const { signal, connectTimeoutMs } = options;
  const password = readPassword(settings, address);
  const socket = await openSocket(address, { sslMode, sslRootCert: settings.sslRootCert }, {
    signal,
    timeoutMs: connectTimeoutMs,
  });
  const session = new Session(socket, { address, database, user }, { password });
  const onAbort = () =>
    session.fail(new ConnectionError(new CallError("cancelled", "Cannot connect as the call was cancelled")));
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    const reader = new RowReader({ maxRows: 1, cellBytes: 100, answerBytes: 1000 });
    await session.run(
      wanted === "any"
        ? "select pg_catalog.pg_backend_pid()"
        : "select pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')",
      [],
      { reader, timeoutMs: connectTimeoutMs },
    );
    const [pid, recovery, readOnly] = reader.rows[0] ?? [];
    session.recognise(pid);
    const fits = wanted === "any" ||
      (wanted === "standby" && recovery === "t") || (wanted === "primary" && recovery === "f") ||
      (wanted === "read-only" && readOnly === "on") || (wanted === "read-write" && readOnly === "off");
    if (!fits) {
      throw new ConnectionError(
        new CallError(
          "unavailable",
          `Cannot connect as no host is what target_session_attrs=${wanted} asks for`,
          {
            hint: "an operator must check the hosts and target_session_attrs in DATABASE_URL",
          },
        ),
      );
    }
    return session;
  } catch (error) {
    const failure = error instanceof ConnectionError
      ? error
      : error instanceof ServerError
      ? new ConnectionError(describeServerError(error, { statementTimeoutMs: 0 }))
      : undefined;
    if (failure === undefined) throw error;
    session.fail(failure);
    throw failure;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function readPassword({ password }: DatabaseSettings, address: ServerAddress): string | undefined {
  try {
    return password();
  } catch (cause) {
    throw new ConnectionError(
      new CallError("unavailable", `Cannot log in to ${nameAddress(address)} as the password can't be read`, {
        hint: "an operator must check the file that DB_PASSWORD_FILE or DATABASE_URL_FILE names",
        cause,
      }),
    );
  }
}
