/** PostgreSQL's cancel: a connection of its own that shows the session's key and says nothing else. */
import type { Logger } from "../common/log.ts";
import { ConnectionError } from "./database_errors.ts";
import type { Session } from "./session.ts";
import type { TlsSettings } from "./socket.ts";

/** A statement that is to end. */
export interface CancelledStatement {
  readonly session: Session;
  /** Resolves when it ended or was given up. */
  readonly ended: Promise<unknown>;
  /** Given up: the session was closed under it, and the server may go on running it. */
  state: "running" | "over" | "given up";
}

/** More at once would only slow a server down that is too busy already. */
const maxConnections = 4;
/** Milliseconds that one connection may take. */
const attemptMs = 10_000;
/** Milliseconds after which a statement is left to the server's statement_timeout. */
const lastMs = 30_000;
/** Milliseconds after which a cancel that did not end the statement is sent again: twice as long each time. */
const pauseMs = { first: 100, longest: 1600 } as const;

/** Cancels statements, a few at once; goes on for those whose session was closed, as they run on at the server. */
export class Canceller {
  readonly #tls: TlsSettings;
  readonly #log: Logger;
  readonly #trying = new Set<Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #connections = 0;

  constructor(tls: TlsSettings, log: Logger) {
    this.#tls = tls;
    this.#log = log;
  }

  /** Resolves with the number of cancels that were sent, when the statement is over or can't be reached any more. */
  cancel(statement: CancelledStatement): Promise<number> {
    const trying = this.#try(statement);
    this.#trying.add(trying);
    return trying.finally(() => this.#trying.delete(trying));
  }

  /** Waits for the cancels that are still being tried. */
  async settled(): Promise<void> {
    await Promise.all(this.#trying);
  }

  async #try(statement: CancelledStatement): Promise<number> {
    const { session, ended } = statement;
    const signal = AbortSignal.timeout(lastMs);
    let sent = 0;
    let pause: number = pauseMs.first;
    // A cancel that meets the server between two messages of a statement is lost: it is sent until one hits.
    while (!signal.aborted) {
      await this.#turn();
      let delivered = false;
      const blind = statement.state === "given up";
      try {
        if (statement.state === "over") return sent;
        sent++;
        delivered = await sendCancel(
          session,
          this.#tls,
          AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]),
        );
      } catch (error) {
        // Not a word where the statement ended by itself meanwhile.
        if (statement.state !== "over") {
          this.#log.warn("cannot cancel a statement", { reason: String(error) });
        }
        if (statement.state === "given up" && isRefused(error)) return sent;
      } finally {
        this.#connections--;
        this.#waiting.shift()?.();
      }
      // Nobody will tell how the statement ends: the server has taken note, and that is all there is.
      if (blind && delivered) return sent;
      await sleep(pause, statement.state === "running" ? ended : undefined);
      pause = Math.min(2 * pause, pauseMs.longest);
      if (statement.state === "over") return sent;
    }
    this.#log.warn("gave up to cancel a statement", { seconds: lastMs / 1000 });
    return sent;
  }

  async #turn(): Promise<void> {
    while (this.#connections >= maxConnections) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    this.#connections++;
  }
}

async function sleep(milliseconds: number, unless: Promise<unknown> | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race(unless === undefined ? [promise] : [promise, unless]);
  clearTimeout(timer);
}

/** Nothing listens there any more, so that nothing runs there. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof ConnectionError ? error.callError.cause : undefined;
  return cause instanceof Error && "code" in cause &&
    (cause.code === "ECONNREFUSED" || cause.code === "ENOENT");
}

/**
 * Asks the server to cancel what `session` runs. Whether the server has taken note, which it shows by closing the
 * connection; best effort all the same, as the statement may end by itself first. Throws {@linkcode ConnectionError}.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
async function sendCancel(session: Session, tls: TlsSettings, signal: AbortSignal): Promise<boolean> {
  const key = session.cancelKey;
  // Without a key there is nothing to try, now or later.
  if (key?.length !== 8) return true;
  // The key is a secret: it goes as protected as the session does.
  const sslMode = session.encrypted ? tls.sslMode === "prefer" ? "require" : tls.sslMode : "disable";
  const { openSocket } = await import("./socket.ts");
  const socket = await openSocket(session.identity.address, { ...tls, sslMode }, {
    signal,
    timeoutMs: attemptMs,
  });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  // One that ends a TLS connection without TLS's goodbye has closed it too.
  socket.on(
    "error",
    (error: Error) => resolve(!("code" in error && /^(ECONNRESET|EPIPE)$/.test(`${error.code}`))),
  );
  socket.on("close", () => resolve(true));
  socket.resume();
  // CancelRequest: a length of 16, the code 80877102, the process and its key.
  socket.write(Uint8Array.of(0, 0, 0, 16, 4, 210, 22, 46, ...key));
  const give = () => resolve(false);
  signal.addEventListener("abort", give);
  if (signal.aborted) give();
  const delivered = await promise;
  signal.removeEventListener("abort", give);
  socket.destroy();
  return delivered;
}
