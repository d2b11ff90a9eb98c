/**
 * One TCP connection of a client, and the stream that the HTTP server of this process has of it: what comes is passed on
 * byte by byte, once the head of the first request is there, and whoever takes too long is let go.
 */
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { writeAll } from "../write_all.ts";
import { judgeHead, refusals, withoutUpgrade } from "./request_head.ts";

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
  /** Hands it to the server. */
  readonly serve: (stream: Duplex, connection: Connection) => void;
}

/** Milliseconds for a client to read the last answer of a server that has closed. */
const lingerMs = 1_000;
/** Milliseconds in which a request that is here already is read, before an idle connection ends. */
const unreadMs = 20;
const bufferBytes = 16_384;

/** A connection that is open. */
export class Connection {
  readonly #client: Deno.TcpConn;
  readonly #options: ConnectionOptions;
  /** What the server has of it, as soon as a whole head has come. */
  #stream: Duplex | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #leaving: ReturnType<typeof setTimeout> | undefined;
  /** Requests on it that are being answered. */
  #answering = 0;
  /** Requests that have come before those were answered; nothing more is read as long as there are some. */
  #queued = 0;
  /** Bytes have come since the last answer. */
  #hasBegun = false;
  /** Since when bytes wait for the client to take them. */
  #passingBackSince: number | undefined;
  #idleSince = performance.now();
  #isRefused = false;
  #isLeaving = false;
  /** The server has said all that it will. */
  #isLast = false;
  #isClosed = false;
  /** Lets reading go on. */
  #goOn: (() => void) | undefined;
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
    return this.#stream === undefined;
  }

  /** Whether a request has been answered, and nothing has come since. */
  get isBetweenRequests(): boolean {
    return this.#stream !== undefined && this.#answering === 0 && !this.#hasBegun;
  }

  /** Whether the next answer is to be the last. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Passes on what comes, until one side has closed or a limit is reached. Never throws. */
  async #run(): Promise<void> {
    try {
      this.#arm(this.#options.limits.headMs);
      const head = await this.#readHead();
      if (head === undefined || this.#isClosed) return;
      this.#hasBegun = true;
      this.#stream = this.#makeStream();
      const closed = new Promise<void>((resolve) => this.#stream?.once("close", resolve));
      this.#options.serve(this.#stream, this);
      this.#stream.push(withoutUpgrade(head));
      await Promise.all([closed, this.#passOn(this.#stream)]);
    } catch {
      // The client has gone away, which the server hears by the end of its stream.
    } finally {
      this.close();
    }
  }

  #makeStream(): Duplex {
    const resume = () => this.#goOn?.();
    const settle = (work: Promise<void>, done: (error?: Error) => void) => work.then(() => done(), done);
    const stream = new Duplex({
      read: resume,
      write: (bytes, _, done) => settle(this.#passBack(bytes), done),
      // A head and its body leave together.
      writev: (parts, done) => settle(this.#passBack(Buffer.concat(parts.map(({ chunk }) => chunk))), done),
      final: (done) => settle(this.#passEnd(), done),
    });
    // Whatever it is, it ends the stream.
    stream.on("error", () => {});
    stream.once("close", () => {
      this.close();
      resume();
    });
    return stream;
  }

  /** A request that came by it begins to be answered. */
  beginAnswer(): void {
    this.#answering++;
    if (!this.#isLast) clearTimeout(this.#timer);
  }

  /** The last byte of an answer has been handed over, or never will be. */
  endAnswer(): void {
    if (--this.#answering > 0) return;
    this.#hasBegun = false;
    this.#rest();
  }

  /** A request has come that must wait for another's answer. */
  joinQueue(): void {
    this.#queued++;
  }

  leaveQueue(): void {
    if (--this.#queued === 0) this.#goOn?.();
  }

  /** What comes from now on is no HTTP. */
  ignoreRest(): void {
    this.#isRefused = true;
  }

  /** Ends it after the answer that is under way, or to a request that is here and not read yet. */
  leave(): void {
    this.#isLeaving = true;
    this.#leaving = setTimeout(() => this.owesRequest ? this.close() : this.#rest(), unreadMs);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#leaving);
    this.#stream?.destroy();
    try {
      this.#client.close();
    } catch {
      // Closed already.
    }
  }

  /** Waits for the next request, unless there is something to do. */
  #rest(): void {
    this.#idleSince = performance.now();
    if (this.#answering > 0 || this.#passingBackSince !== undefined || this.#hasBegun) return;
    if (this.#isLeaving) this.#stream?.end();
    else this.#arm(this.#options.limits.idleMs);
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

  async #passOn(stream: Duplex): Promise<void> {
    const buffer = new Uint8Array(bufferBytes);
    for (;;) {
      while (this.#queued > 0) await this.#paused();
      const size = await this.#client.read(buffer);
      if (size === null) return void stream.push(null);
      // Read all the same: whoever still sends would be told of a reset, not of the answer.
      if (this.#isRefused || stream.writableEnded) continue;
      const isHead = this.#answering === 0 && !this.#hasBegun;
      if (isHead) {
        this.#hasBegun = true;
        this.#arm(this.#options.limits.headMs);
      }
      const resumed = this.#paused();
      const bytes = buffer.slice(0, size);
      // Some clients make their offer with each request.
      if (!stream.push(isHead ? withoutUpgrade(bytes) : bytes)) await resumed;
    }
  }

  /** Resolves when the server wants more, or there will be no more. */
  #paused(): Promise<void> {
    return this.#isClosed ? Promise.resolve() : new Promise((resolve) => this.#goOn = resolve);
  }

  async #passBack(bytes: Uint8Array): Promise<void> {
    this.#passingBackSince = performance.now();
    const late = setTimeout(() => this.close(), this.#options.limits.writeMs);
    await writeAll(this.#client, bytes).finally(() => clearTimeout(late));
    this.#passingBackSince = undefined;
    this.#rest();
  }

  async #passEnd(): Promise<void> {
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
