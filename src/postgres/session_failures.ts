/** How a session ends before its time: each a sentence for the caller. */
import { CallError } from "../common/errors.ts";
import {
  ConnectionError,
  type ConnectionIdentity,
  describeConnectFailure,
  nameAddress,
  seconds,
} from "./database_errors.ts";

/** The answer to one statement is more than the program takes. */
export function tooLarge(): ConnectionError {
  return new ConnectionError(
    new CallError("refused", "Cannot return the answer as it is larger than 64 MB", {
      hint: "select fewer columns or rows, or a part of a long value: left(column, 1000)",
    }),
  );
}

/** Nothing came for `timeoutMs` milliseconds. */
export function silent({ address }: ConnectionIdentity, timeoutMs: number): ConnectionError {
  const where = nameAddress(address);
  return new ConnectionError(
    new CallError("unavailable", `Cannot get an answer as ${where} was silent for ${seconds(timeoutMs)}`, {
      hint: "ask again in a moment",
    }),
    { gaveUp: true },
  );
}

/** What came is not what a PostgreSQL server sends. */
export function notUnderstood({ address }: ConnectionIdentity, cause: unknown): ConnectionError {
  const where = nameAddress(address);
  return new ConnectionError(
    new CallError("unavailable", `Cannot understand ${where} as it does not speak PostgreSQL's protocol`, {
      hint: "an operator must check that DB_HOST and DB_PORT, or DATABASE_URL, name a PostgreSQL server",
      cause,
    }),
  );
}

/** The connection ended: after the log-in, or before it was over. */
export function lost(
  { address }: ConnectionIdentity,
  loggedIn: boolean,
  cause?: unknown,
): ConnectionError {
  return new ConnectionError(
    loggedIn
      ? new CallError(
        "unavailable",
        `Cannot continue as the connection to ${nameAddress(address)} was lost`,
        {
          hint: "ask again in a moment",
          cause,
        },
      )
      : describeConnectFailure(
        Object.assign(new Error("closed", { cause }), { code: "ECONNRESET" }),
        address,
      ),
  );
}
