/**
 * One TCP connection of a client, and the one behind it to the HTTP server of this process: what comes is passed on byte
 * by byte, once the head of the first request is there, and whoever takes too long is let go.
 */
import { writeAll } from "../write_all.ts";
import { judgeHead, refusals } from "./request_head.ts";

/** What a client may take of a connection. */
export interface ConnectionLimits {
  /** Milliseconds for the head of a request, from its first byte, or from the connection's beginning. */
  readonly headMs: number;
  /** Milliseconds between two requests. */
  readonly idleMs: number;
  /** Milliseconds for the client to take the bytes that are there for it. */
  readonly writeMs: number;
  /** Bytes of the head of the first request. */
  readonly maxHeadBytes: number;
}

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly limits: ConnectionLimits;
  /** Connects to the server. */
  readonly dial: () => Promise<Deno.TcpConn>;
}

/** Milliseconds for a client to read the last answer of a server that has closed. */
const lingerMs = 1_000;
const bufferBytes = 16_384;

/** A connection that is open. */
export class Connection {
  readonly #client: Deno.TcpConn;
  readonly #options: ConnectionOptions;
  #server: Deno.TcpConn | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Requests on it that are being answered. */
  #answering = 0;
  /** Bytes have come since the last answer. */
  #hasBegun = false;
  /** Since when bytes wait for the client to take them. */
  #passingBackSince: number | undefined;
  #idleSince = performance.now();
  #isRefused = false;
  #isEndAnnounced = false;
  /** The server behind has said all that it will. */
  #isLast = false;
  #isClosed = false;
  /** Resolves when both sides are closed. */
  readonly ended: Promise<void>;

  constructor(client: Deno.TcpConn, options: ConnectionOptions) {
    this.#client = client;
    this.#options = options;
    this.ended = this.#run();
  }

  /** Since when it could be closed without cutting an answer, in milliseconds; undefined while one is under way. */
  get idleSince(): number | undefined {
    return this.#answering > 0 || this.#passingBackSince !== undefined ? undefined : this.#idleSince;
  }

  /** Since when bytes of an answer wait for the client to take them, in milliseconds; undefined while none do. */
  get stuckSince(): number | undefined {
    return this.#passingBackSince;
  }

  /** Whether no whole head has come yet. */
  get owesRequest(): boolean {
    return this.#server === undefined;
  }

  /** Whether a request has been answered, and nothing has come since. */
  get isBetweenRequests(): boolean {
    return this.#server !== undefined && this.#answering === 0 && !this.#hasBegun;
  }

  /** Passes on what comes, until one side has closed or a limit is reached. Never throws. */
  async #run(): Promise<void> {
    try {
      this.#arm(this.#options.limits.headMs);
      const head = await this.#readHead();
      if (head === undefined) return;
      this.#server = await this.#options.dial();
      if (this.#isClosed) return closeQuietly(this.#server);
      this.#hasBegun = true;
      await writeAll(this.#server, head);
      await Promise.all([this.#passOn(this.#server), this.#passBack(this.#server)]);
    } catch {
      // One side has gone away, which the other hears by the end of its connection.
    } finally {
      this.close();
    }
  }

  /** Whether the last answer has been given. */
  get isEnding(): boolean {
    return this.#isEndAnnounced;
  }

  /** A request that came by it begins to be answered. */
  beginAnswer(): void {
    this.#answering++;
    if (!this.#isLast) clearTimeout(this.#timer);
  }

  /** The answer that is being given says that it is the last: a server may wait for the rest of a body all the same. */
  announceEnd(): void {
    this.#isEndAnnounced = true;
  }

  /** The last byte of an answer has been handed over, or never will be. */
  endAnswer(): void {
    if (--this.#answering > 0) return;
    this.#hasBegun = false;
    this.#rest();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const side of [this.#client, this.#server]) closeQuietly(side);
  }

  /** Waits for the next request, unless there is something to do. */
  #rest(): void {
    this.#idleSince = performance.now();
    if (this.#answering > 0 || this.#passingBackSince !== undefined) return;
    if (this.#isEndAnnounced) this.#arm(lingerMs);
    else if (!this.#hasBegun) this.#arm(this.#options.limits.idleMs);
  }

  #arm(ms: number, then: () => unknown = () => this.close()): void {
    if (this.#isLast || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }

  /** The bytes up to the end of the first request's head, and what came with them; undefined when there is no such. */
  async #readHead(): Promise<Uint8Array | undefined> {
    const { maxHeadBytes, headMs } = this.#options.limits;
    let bytes = new Uint8Array(0);
    const buffer = new Uint8Array(bufferBytes);
    for (let size = await this.#client.read(buffer); size !== null; size = await this.#client.read(buffer)) {
      // Read all the same: whoever still sends would be told of a reset, not of the answer.
      if (this.#isRefused) continue;
      if (bytes.length === 0) this.#arm(headMs, () => this.#refuse(refusals.late));
      // The end may lie across two reads.
      const from = Math.max(0, bytes.length - 3);
      bytes = joined(bytes, buffer.subarray(0, size));
      const verdict = judgeHead(bytes, from, maxHeadBytes);
      if (verdict === "whole") return bytes;
      if (verdict !== "partial") this.#refuse(verdict);
    }
    return undefined;
  }

  /** Answers in the server's place. */
  #refuse(answer: Uint8Array): void {
    this.#isRefused = true;
    this.#arm(lingerMs);
    writeAll(this.#client, answer).then(() => this.#client.closeWrite()).catch(() => this.close());
  }

  async #passOn(server: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(bufferBytes);
    let isHeard = true;
    for (;;) {
      const size = await this.#client.read(buffer);
      if (size === null) return await server.closeWrite().catch(() => {});
      if (this.#answering === 0 && !this.#hasBegun && !this.#isEndAnnounced) {
        this.#hasBegun = true;
        this.#arm(this.#options.limits.headMs);
      }
      // A server that has closed may have left an answer all the same, which is still on its way back.
      if (isHeard) isHeard = await writeAll(server, buffer.subarray(0, size)).then(() => true, () => false);
    }
  }

  async #passBack(server: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(bufferBytes);
    for (let size = await server.read(buffer); size !== null; size = await server.read(buffer)) {
      this.#passingBackSince = performance.now();
      const late = setTimeout(() => this.close(), this.#options.limits.writeMs);
      await writeAll(this.#client, buffer.subarray(0, size)).finally(() => clearTimeout(late));
      this.#passingBackSince = undefined;
      this.#rest();
    }
    this.#arm(lingerMs);
    this.#isLast = true;
    await this.#client.closeWrite();
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

function closeQuietly(side: Deno.TcpConn | undefined): void {
  try {
    side?.close();
  } catch {
    // Closed already.
  }
}
