/**
 * Runs statements on PostgreSQL: each call in a transaction of its own that only reads and is rolled back
 * whatever happens. Speaks to the server through {@linkcode Session}s, of which a {@linkcode Pool} keeps a few.
 */
import { CallError } from "../common/errors.ts";
import type { Logger } from "../common/log.ts";
import { anySignal } from "../common/waiting.ts";
import { type CancelledStatement, Canceller } from "./cancel.ts";
import { ConnectionError } from "./database_errors.ts";
import { type Lease, Pool } from "./pool.ts";
import { Runaways } from "./runaways.ts";
import type { Session } from "./session.ts";
import type { DatabaseSettings } from "./settings.ts";
import { OutdatedSession, stillHolds } from "./guard.ts";
import { type Begun, foresee, type Foresight } from "./foresight.ts";
import { checkText, ReadTransaction, type Transaction } from "./transaction.ts";
import { type Beginning, beginReading, leaveClean } from "./transaction_bounds.ts";

export type { Cell } from "./row_reader.ts";
export type { Rows, Transaction } from "./transaction.ts";

/** How one call reads. */
export interface ReadOptions {
  /** Aborts the call; what it runs is cancelled at the server. */
  readonly signal: AbortSignal;
  /** The statement that `work` is going to run: where the guard has let it pass before, it is sent with the beginning. */
  readonly foresight?: Foresight;
  /** Milliseconds for each statement, and for the wait for a connection; the settings' statement timeout by default. */
  readonly timeoutMs?: number;
}

/** What tests set. */
export interface DatabaseOptions {
  /** Milliseconds that each host may take to connect and log in; 10,000 by default. */
  readonly connectTimeoutMs?: number;
}

const connectTimeoutMs = 10_000;
/** How long a cancelled statement may take to end before its connection is closed under it. */
const cancelMs = 2000;

/** One PostgreSQL database. Connections are opened when they are needed. */
export class Database implements AsyncDisposable {
  readonly #settings: DatabaseSettings;
  readonly #log: Logger;
  readonly #pool: Pool;
  readonly #canceller: Canceller;
  readonly #runaways = new Runaways();
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  /** format_type's answers for the built-in types, which never change. */
  readonly #typeNames = new Map<string, string>();

  constructor(settings: DatabaseSettings, log: Logger, options: DatabaseOptions = {}) {
    this.#settings = settings;
    this.#log = log;
    this.#canceller = new Canceller(settings, log);
    this.#pool = new Pool({
      size: settings.poolSize,
      open: (signal) => this.#open(signal, options.connectTimeoutMs ?? connectTimeoutMs),
    });
  }

  /**
   * Runs `work` in a transaction: repeatable read, read only, with a snapshot taken and the timeouts set; rolled back
   * at the end. Throws {@linkcode CallError}, and what `work` throws. When the signal aborts it rejects at once, and
   * the statement is cancelled at the server.
   */
  async read<T>(options: ReadOptions, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    using either = anySignal(options.signal, this.#closing.signal);
    const { signal } = either;
    const cancelled = Promise.withResolvers<never>();
    cancelled.promise.catch(() => {});
    const onAbort = () => cancelled.reject(cancellation(signal));
    if (signal.aborted) throw cancellation(signal);
    signal.addEventListener("abort", onAbort);
    const running = this.#runInSession(signal, options, work);
    const settled = running.then(() => {}, () => {});
    this.#running.add(settled);
    settled.finally(() => this.#running.delete(settled));
    try {
      return await Promise.race([running, cancelled.promise]);
    } catch (error) {
      if (error instanceof ConnectionError) throw error.callError;
      throw signal.aborted && !(error instanceof CallError) ? cancellation(signal) : error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** The role that the connections log in as. */
  get user(): string {
    return this.#settings.user;
  }

  /** What the pool's connections are doing. */
  get connections(): Pool["use"] {
    return this.#pool.use;
  }

  /** Whether all connections are with calls, so that a question would only wait behind them. */
  get isBusy(): boolean {
    return this.#pool.isFull;
  }

  /** Cancels what runs, and ends all connections: within 2 s, or 30 s where the server can hardly be reached. */
  async close(): Promise<void> {
    this.#closing.abort(
      new CallError("unavailable", "Cannot ask the database as the program is stopping"),
    );
    await Promise.all(this.#running);
    await this.#canceller.settled();
    await this.#pool.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Opens a connection, unless there would be too many with those whose statements run on without us. */
  async #open(signal: AbortSignal, timeoutMs: number): Promise<Session> {
    const { openSession } = await import("./connect.ts");
    const session = await openSession(this.#settings, { signal, connectTimeoutMs: timeoutMs });
    try {
      const { busy } = this.#pool.use;
      await this.#runaways.makeRoom(session, { busy, most: this.#settings.poolSize, timeoutMs });
      return session;
    } catch (error) {
      void session.close();
      throw error;
    }
  }

  #give(session: Session, clean: Promise<boolean>): void {
    this.#runaways.note(session);
    this.#pool.give(session, clean);
  }

  /** In another session where the guard wants one: nothing of the caller's has run in the first, which is closed. */
  async #runInSession<T>(
    signal: AbortSignal,
    options: Omit<ReadOptions, "signal">,
    work: (transaction: Transaction) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      try {
        return await this.#run(signal, options, work);
      } catch (error) {
        if (!(error instanceof OutdatedSession)) throw error;
      }
    }
  }

  async #run<T>(
    signal: AbortSignal,
    { timeoutMs = this.#settings.statementTimeoutMs, foresight }: Omit<ReadOptions, "signal">,
    work: (transaction: Transaction) => Promise<T>,
  ): Promise<T> {
    if (foresight !== undefined) checkText(foresight.inspected.sql, foresight.parameters);
    const { session, beginning, begun } = await this.#begin(signal, timeoutMs, foresight);
    const transaction = new ReadTransaction(session, beginning, {
      statementTimeoutMs: timeoutMs,
      typeNames: this.#typeNames,
      begun,
    });
    const interrupted = Promise.withResolvers<never>();
    interrupted.promise.catch(() => {});
    let interruption: Promise<void> | undefined;
    let certain = true;
    const onAbort = () => {
      interruption = this.#interrupt(session, transaction).then((known) => {
        certain = known;
        interrupted.reject(cancellation(signal));
      });
    };
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    try {
      return await Promise.race([work(transaction), interrupted.promise]);
    } catch (error) {
      if (error instanceof OutdatedSession) certain = false;
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
      await interruption;
      await transaction.end();
      // The caller need not wait for it; the next one does.
      this.#give(session, certain ? leaveClean(session) : Promise.resolve(false));
    }
  }

  /** A session in a transaction. One that died while it was idle is replaced, as nothing of the caller's was sent. */
  async #begin(
    signal: AbortSignal,
    timeoutMs: number,
    foresight: Foresight | undefined,
  ): Promise<
    { readonly session: Session; readonly beginning: Beginning; readonly begun: Begun | undefined }
  > {
    for (;;) {
      let lease: Lease;
      try {
        lease = await this.#pool.take({ signal, timeoutMs });
      } catch (error) {
        if (error instanceof ConnectionError) {
          this.#log.warn("cannot connect to the database", { reason: error.message });
        }
        throw error;
      }
      const { session, used } = lease;
      let onAbort = () => session.fail(silence());
      try {
        if (signal.aborted) onAbort();
        const foreseen = foresight === undefined ? undefined : foresee(session, foresight, timeoutMs);
        const reading = beginReading(session, timeoutMs, { used, foreseen });
        let abandoned: Promise<void> | undefined;
        // What is foreseen may run already.
        if (foreseen !== undefined) onAbort = () => void (abandoned = this.#abandon(session, reading));
        signal.addEventListener("abort", onAbort);
        const beginning = await reading.catch(async (error) => {
          await abandoned;
          throw abandoned === undefined ? error : cancellation(signal);
        });
        await abandoned;
        if (abandoned !== undefined) throw cancellation(signal);
        const { state, running } = beginning;
        if (foresight === undefined || foreseen === undefined || running === undefined) {
          return { session, beginning, begun: undefined };
        }
        const { verdicts } = session;
        stillHolds(foresight.inspected, { state, verdicts }, foresight.options, foreseen.kept);
        const { reader, portalRows } = foreseen.statement.options;
        return { session, beginning, begun: { ...foresight, running, reader, portalRows } };
      } catch (error) {
        this.#give(session, Promise.resolve(false));
        if (!(used && session.failure !== undefined) || signal.aborted) throw error;
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    }
  }

  /** Cancels the statement that was sent with the beginning, and closes the session: a cancel may still be on its way. */
  async #abandon(session: Session, reading: Promise<Beginning>): Promise<void> {
    const ended = reading.then(({ running }) => running).catch(() => {});
    const statement: CancelledStatement = { session, ended, state: "running" };
    const timeout = setTimeout(() => {
      if (statement.state === "running") statement.state = "given up";
      session.fail(silence());
    }, cancelMs);
    void this.#canceller.cancel(statement);
    await ended;
    clearTimeout(timeout);
    if (statement.state === "running") statement.state = "over";
    session.fail(silence());
  }

  /** Cancels the statement in flight. Whether it is certain that the cancel hit it, and not what comes next. */
  async #interrupt(session: Session, transaction: ReadTransaction): Promise<boolean> {
    const inFlight = transaction.refuse();
    if (inFlight === undefined) return true;
    const late = Promise.withResolvers<number>();
    const statement: CancelledStatement = { session, ended: inFlight, state: "running" };
    const timeout = setTimeout(() => {
      // The server still runs it, and the cancel goes on without us.
      if (statement.state === "running") statement.state = "given up";
      session.fail(silence());
      late.resolve(Infinity);
    }, cancelMs);
    try {
      const sent = this.#canceller.cancel(statement);
      const ending = await inFlight;
      if (statement.state === "running") statement.state = "over";
      // Of several cancels, or one that is still on its way, one may hit what comes next.
      return ending === "cancelled" && await Promise.race([sent, late.promise]) === 1;
    } finally {
      clearTimeout(timeout);
    }
  }
}

function cancellation(signal: AbortSignal): CallError {
  return signal.reason instanceof CallError
    ? signal.reason
    : new CallError("cancelled", "Cannot answer as the call was cancelled", { cause: signal.reason });
}

function silence(): ConnectionError {
  return new ConnectionError(new CallError("cancelled", "Cannot answer as the call was cancelled"), {
    gaveUp: true,
  });
}
