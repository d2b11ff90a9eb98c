/** What went wrong between us and PostgreSQL, in words the caller can act on; never the password or a URL. */
import { exhaustedHint } from "../common/bounded_fetch.ts";
import { CallError, type CallErrorKind } from "../common/errors.ts";
import type { ErrorFields } from "./backend_messages.ts";
import { refusedHint } from "./refused_statements.ts";
import type { ServerAddress } from "./settings.ts";

/** Who connects where; all of it may be shown. */
export interface ConnectionIdentity {
  readonly address: ServerAddress;
  readonly database: string;
  readonly user: string;
}

/** `db:5432`, `[::1]:5432`, or `the Unix socket on port 5432`: a folder is a path of this machine. */
export function nameAddress({ host, port }: ServerAddress): string {
  if (host.startsWith("/")) return `the Unix socket of port ${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An error that PostgreSQL sent. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  /** https://www.postgresql.org/docs/current/errcodes-appendix.html */
  readonly sqlState: string;
  readonly fields: ErrorFields;

  constructor(fields: ErrorFields) {
    super(fields.get("M") ?? "unknown error");
    this.fields = fields;
    const code = fields.get("C") ?? "";
    // A server that lies may put any text there.
    this.sqlState = /^[0-9A-Z]{5}$/.test(code) ? code : "XX000";
  }
}

/** The connection broke, or never came to be; the session is of no more use. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  /** What the caller is told. */
  readonly callError: CallError;
  /** It was ended here, whatever the server was at. */
  readonly gaveUp: boolean;

  constructor(callError: CallError, { gaveUp = false } = {}) {
    super(callError.message, { cause: callError.cause });
    this.callError = callError;
    this.gaveUp = gaveUp;
  }
}

const kinds: Readonly<Record<string, CallErrorKind>> = {
  "25006": "refused", // read_only_sql_transaction
  "42501": "refused", // insufficient_privilege
  "57014": "unavailable", // query_canceled
  "55P03": "unavailable", // lock_not_available
  "42P01": "not_found", // undefined_table
  "3F000": "not_found", // invalid_schema_name
};

const hints: Readonly<Record<string, string>> = {
  "25006": "only statements that read can run here",
  "55P03": "another session holds a lock: ask again in a moment, or find it in pg_locks",
  "40001": "ask again: a standby had to replay a change that this query was reading",
  "40P01": "ask again",
  "53200": "the server is out of memory: ask for less, for example with a narrower where clause",
  "53400": "the server's limit was reached: ask for less, for example with a narrower where clause",
  "42703": "look at the table's columns with describe_table",
  "42P01": "look for the table with list_tables",
  "25P02": "an earlier statement of the same transaction failed",
};

/** Line and column of a 1-based position in characters, with that line cut to what can be read. */
function locate(sql: string, position: number): string {
  // PostgreSQL counts characters, JavaScript UTF-16 units.
  const before = [...sql].slice(0, position - 1).join("");
  const start = before.lastIndexOf("\n") + 1;
  const line = before.split("\n").length;
  const column = [...before.slice(start)].length + 1;
  const end = sql.indexOf("\n", start);
  const text = [...sql.slice(start, end === -1 ? sql.length : end)];
  const from = Math.max(0, column - 41);
  const excerpt = text.slice(from, from + 80).join("");
  const isCut = from + 80 < text.length;
  // A statement's own end, and a full stop after it, would be two.
  const shown = isCut ? `${excerpt.trim()}…` : excerpt.replace(/[;\s]+$/, "").trimStart();
  return `at line ${line}, column ${column}: ${from > 0 ? "…" : ""}${shown}`;
}

/** An error of a statement. `sql` is the caller's own text, or undefined when it was ours. */
export function describeServerError(
  error: ServerError,
  options: { readonly sql?: string | undefined; readonly statementTimeoutMs: number },
): CallError {
  const { fields, sqlState } = error;
  if (sqlState === "57014" && /statement timeout/.test(error.message)) {
    return new CallError(
      "unavailable",
      `Cannot finish the statement within ${seconds(options.statementTimeoutMs)}`,
      {
        hint:
          "ask for less: a narrower where clause, an aggregate, or an index (explain_query shows the plan); an operator can raise STATEMENT_TIMEOUT_MS",
        cause: error,
      },
    );
  }
  const parts = [`${error.message} (SQLSTATE ${sqlState})`];
  const position = Number(fields.get("P"));
  if (options.sql !== undefined && Number.isSafeInteger(position) && position > 0) {
    parts.push(locate(options.sql, position));
  }
  const detail = fields.get("D");
  if (detail !== undefined) parts.push(detail.replace(/\.$/, ""));
  const kind = kinds[sqlState] ??
    (/^(22|42|26|34|0A|21)/.test(sqlState)
      ? "invalid"
      : /^(57|53|58)/.test(sqlState)
      ? "unavailable"
      : "failed");
  const other = /"datestyle" setting/i.test(fields.get("H") ?? "")
    ? "write dates as 2026-01-31"
    : options.sql === undefined
    ? undefined
    : refusedHint(error, options.sql, position);
  const own = sqlState === "42501" ? rightHint(error.message) : hints[sqlState];
  const hint = other ??
    [fields.get("H")?.replace(/\.$/, ""), own].filter((text) => text !== undefined).join("; ");
  return new CallError(kind, `Cannot run the statement as PostgreSQL says: ${parts.join("; ")}`, {
    hint: hint === "" ? undefined : hint,
    cause: error,
  });
}

function rightHint(message: string): string {
  const match = message.match(
    /^permission denied for (table|view|materialized view|foreign table|schema|sequence|function) (.+)$/,
  );
  if (match === null) return "the database role lacks a right: an operator can grant it";
  const [, kind, name] = match;
  const right = kind === "schema" ? "USAGE" : kind === "function" ? "EXECUTE" : "SELECT";
  return `the database role needs ${right} on ${kind} ${name}: an operator can grant it`;
}

/** An error that ended the session or its start: always about the server, never about a statement. */
export function describeSessionEnd(error: ServerError, identity: ConnectionIdentity): CallError {
  const where = nameAddress(identity.address);
  const { database, user } = identity;
  const options = (hint: string) => ({ hint, cause: error });
  const unavailable = (message: string, hint: string) => new CallError("unavailable", message, options(hint));
  switch (error.sqlState) {
    case "28P01":
      return unavailable(
        `Cannot log in to ${where} as the password of user ${
          JSON.stringify(user)
        } is wrong, or there is no such role`,
        "an operator must correct DB_USER and DB_PASSWORD (or DB_PASSWORD_FILE), or DATABASE_URL",
      );
    case "28000":
      return unavailable(
        `Cannot log in to ${where} as user ${JSON.stringify(user)}: ${error.message}`,
        "an operator must check DB_USER, DB_SSLMODE and the server's pg_hba.conf",
      );
    case "3D000":
      return unavailable(
        `Cannot use database ${JSON.stringify(database)} as ${where} has no such database`,
        "an operator must correct DB_NAME or DATABASE_URL",
      );
    case "42501":
      return unavailable(
        `Cannot use database ${JSON.stringify(database)} as user ${JSON.stringify(user)} lacks CONNECT on it`,
        "an operator can grant it",
      );
    case "53300":
      return unavailable(
        `Cannot connect to ${where} as all of its connections are taken`,
        "ask again in a moment; an operator can lower DB_POOL_SIZE or raise the server's max_connections",
      );
    case "57P03":
      return unavailable(
        `Cannot connect to ${where} as it does not accept connections now: ${error.message}`,
        "ask again in a moment",
      );
    case "57P01":
    case "57P02":
    case "57P05":
      return unavailable(
        `Cannot continue as ${where} ended the connection: ${error.message}`,
        "ask again in a moment",
      );
    case "25P03":
      return unavailable(
        "Cannot continue as the transaction waited for too long between two statements",
        "ask again",
      );
    default:
      return unavailable(
        `Cannot use ${where}: ${error.message} (SQLSTATE ${error.sqlState})`,
        "ask again, or have an operator look at the server's log",
      );
  }
}

/** `30 s`, `1.5 s`, `250 ms`. */
export function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${milliseconds / 1000} s`;
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** A connection that could not be made: DNS, TCP, TLS. */
export function describeConnectFailure(error: unknown, address: ServerAddress): CallError {
  if (error instanceof CallError) return error;
  if (error instanceof ConnectionError) return error.callError;
  const where = nameAddress(address);
  const code = codeOf(error);
  const unavailable = (reason: string, hint: string) =>
    new CallError("unavailable", `Cannot connect to ${where} as ${reason}`, { hint, cause: error });
  const settings =
    "an operator must check DB_HOST and DB_PORT, or DATABASE_URL, and whether PostgreSQL runs there";
  if (error instanceof Deno.errors.NotCapable || code === "EPERM") {
    return unavailable("this program was not given permission for it", permissionHint(address));
  }
  switch (code) {
    case "ECONNREFUSED":
      return unavailable("nothing accepts connections there", settings);
    case "ENOENT":
      return unavailable("there is no such socket", settings);
    case "EACCES":
      return unavailable("the operating system does not allow it", settings);
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_NONAME":
    case "EAI_NODATA":
      return unavailable(
        "the host's name is unknown",
        "an operator must check the spelling in DB_HOST or DATABASE_URL, the VPN and the DNS",
      );
    case "EMFILE":
    case "ENFILE":
      return unavailable("this program cannot open any more connections or files", exhaustedHint);
    case "ETIMEDOUT":
      return unavailable("it does not answer", settings);
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return unavailable("there is no route to it", settings);
    case "ECONNRESET":
    case "EPIPE":
      return unavailable("it closed the connection at once", "ask again in a moment");
    default:
      return unavailable("the connection failed", settings);
  }
}

/** The permission that is missing, by our own option for an executable and by Deno's flag for the source. */
export function permissionHint(address: ServerAddress): string {
  return address.host.startsWith("/")
    ? "connect over TCP (DB_HOST=localhost), or use a build with --allow-read and --allow-write for the socket's folder alone: deno task compile:postgres --read=FOLDER --write=FOLDER"
    : `an operator must build this program with deno task compile:postgres --net=${nameAddress(address)}, ` +
      `or start it from source with --allow-net=${nameAddress(address)}`;
}
