/**
 * MCP's stdio transport: one JSON-RPC message a line, https://modelcontextprotocol.io/specification (stdio).
 *
 * Unlike the SDK's own it answers a line it can't read instead of dropping it, survives lines of any size and
 * depth, and at the end of input lets calls in flight finish for a while; those that do not are answered with an error.
 */
import {
  isJSONRPCErrorResponse,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCErrorResponse,
  type JSONRPCMessage,
  type JSONRPCResultResponse,
  parseJSONRPCMessage,
  type RequestId,
  type Transport,
} from "@modelcontextprotocol/server";
import { Backlog, type WaitingRequest } from "./backlog.ts";
import { readLines } from "./line_reader.ts";
import { describeError, type Logger } from "./log.ts";
import { excessOf } from "./message_limits.ts";
import { count, duration, size } from "./units.ts";
import { settledWithin } from "./waiting.ts";

/** Bytes of the longest line that is read: above the 10 MB of SQL that a tool still refuses by name. */
const maxLineBytes = 16 * 1024 * 1024;
/** Bytes of answers that may wait for a client that does not read, before no more of its messages are read. */
const maxUnwritten = 8 * 1024 * 1024;

/** Requests that are worked on at once, and their bytes; what comes on top waits its turn. */
const maxInFlight = 256;
const maxInFlightBytes = 16 * 1024 * 1024;
/** Bytes of requests that wait, before no more lines are read. */
const maxWaiting = 16 * 1024 * 1024;

/** Milliseconds that a client may leave its answers unread, when so many wait, and at the end. */
const unreadMs = 60_000;
const flushMs = 1_000;
/** Milliseconds that loading what calls take may hold up the end. */
const readyMs = 10_000;

const parseError = -32700;
const invalidRequest = -32600;
const invalidParams = -32602;
/** The first of those that JSON-RPC leaves to servers. */
const cut = -32000;

/** A request that lasts as long as the connection; its answer comes at the end, and nobody waits for it. */
const subscription = "subscriptions/listen";

/** What the transport reads, writes and reports to. */
export interface StdioOptions {
  readonly input: AsyncIterable<Uint8Array>;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly log: Logger;
  /** Milliseconds that calls in flight get after the end of input, once what calls take is there. */
  readonly graceMs: number;
  /** Settles when what calls take has been loaded. */
  readonly ready?: () => Promise<void>;
  /** Ends the protocol layer when all is read, which closes this transport; that alone unless given. */
  readonly end?: () => Promise<void>;
  /** Why a message must not reach the server, if it must not; it has been audited then. */
  readonly refuse: (message: JSONRPCMessage) => string | undefined;
  /** What is answered in the place of what the protocol layer answers, which may be its own refusal. */
  readonly answering?: (answer: Answer) => Answer;
  /** Audits a line that is no message at all; what is to be answered, the reason or that it came too often. */
  readonly refuseLine: (reason: string) => string;
}

type Answer = JSONRPCResultResponse | JSONRPCErrorResponse;

/** One that is worked on. */
interface Pending {
  readonly bytes: number;
  readonly isSubscription: boolean;
}

/** The transport. `closed` settles when the end of input was read and each request has its answer. */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly closed: Promise<void>;
  readonly #options: StdioOptions;
  readonly #encoder = new TextEncoder();
  readonly #resolveClosed: () => void;
  /** The requests without an answer so far, several of one id, as a careless client may use it twice. */
  readonly #pending = new Map<RequestId, Pending[]>();
  #inFlight = 0;
  #subscriptions = 0;
  #inFlightBytes = 0;
  readonly #backlog = new Backlog(maxWaiting);
  #isReleasing = false;
  #whenIdle: (() => void) | undefined;
  #isClosing = false;
  #isClosed = false;
  /** Why requests go without a result, in a half-sentence. */
  #cause = "the program was told to stop";
  #lastWrite: Promise<void> = Promise.resolve();
  #unwritten = 0;

  constructor(options: StdioOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  start(): Promise<void> {
    this.#read().catch((error) => {
      this.#options.log.error("stdin can't be read", { error: describeError(error) });
    }).finally(() => this.#options.end?.() ?? this.close());
    return Promise.resolve();
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)) {
      // It has had its answer.
      if (this.#isClosing) return;
      this.#settle(message.id);
      await this.#write(this.#options.answering?.(message) ?? message);
    } else await this.#write(message);
    this.#noteIdle();
  }

  async close(): Promise<void> {
    if (this.#isClosing || this.#isClosed) return;
    this.#isClosing = true;
    this.#cut();
    await this.#flush();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onclose?.();
    this.#resolveClosed();
  }

  /** Answers whatever has none: each request that was read gets one. */
  #cut(): void {
    const begun = [...this.#pending].flatMap(([id, requests]) => requests.map(() => id));
    const waiting = this.#backlog.takeAll().map(({ message }) => message.id);
    this.#pending.clear();
    const requests = begun.length + waiting.length;
    if (requests === 0) return;
    this.#options.log.warn("requests were cut as the program ends", {
      requests,
      not_begun: waiting.length,
      cause: this.#cause,
    });
    const error = { code: cut, message: `Not answered: ${this.#cause}` };
    const answers = [...begun, ...waiting].map((id) => ({ jsonrpc: "2.0", id, error }));
    this.#write(...answers).catch(() => {});
  }

  async #read(): Promise<void> {
    for await (const line of readLines(this.#options.input, maxLineBytes)) {
      if (this.#unwritten > maxUnwritten && !await settledWithin(this.#lastWrite, unreadMs)) {
        return this.#options.log.error("the client does not read its answers", {
          waiting: size(this.#unwritten),
        });
      }
      await this.#backlog.room();
      if (this.#isClosing || this.#isClosed) return;
      if (line.kind === "line") {
        this.#receive(line.bytes);
        continue;
      }
      this.#reject(
        findId(line.tail) ?? findId(line.head),
        invalidRequest,
        `The message has ${count(line.size)} bytes, and a message may have ${count(maxLineBytes)}`,
      );
    }
    await this.#finish();
  }

  /** Waits for the answers to all requests, as long as the grace lasts. */
  async #finish(): Promise<void> {
    const { graceMs, ready = () => Promise.resolve() } = this.#options;
    const idle = this.#idle();
    if (!this.#isIdle) await settledWithin(Promise.race([idle, ready()]), readyMs);
    this.#cause = "the input has ended";
    if (await settledWithin(idle, graceMs)) return;
    this.#cause += `, and this took longer than the ${duration(graceMs)} that are left then`;
  }

  #receive(bytes: Uint8Array): void {
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return this.#reject(findId(bytes), parseError, "The message is not valid UTF-8");
    }
    if (text.trim() === "") return;
    const excess = excessOf(text);
    if (excess !== undefined) return this.#reject(findId(bytes), invalidRequest, excess);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return this.#reject(findId(bytes), parseError, "The message is not valid JSON");
    }
    if (Array.isArray(value)) {
      return this.#reject(
        undefined,
        invalidRequest,
        "Batches are not part of this protocol: send one message per line",
      );
    }
    let message: JSONRPCMessage;
    try {
      message = parseJSONRPCMessage(value);
    } catch {
      // A notification never gets an answer, not even a wrong one.
      if (isNotification(value)) return;
      return this.#reject(idOf(value), invalidRequest, "The message is not a JSON-RPC 2.0 message");
    }
    const refusal = this.#options.refuse(message);
    if (refusal !== undefined) return this.#answerError(idOf(value), invalidParams, refusal);
    if (isJSONRPCRequest(message)) {
      // A ping asks whether anybody is there, however much there is to do.
      const request = { message, bytes: bytes.length };
      if (message.method === "ping" || this.#hasRoom && this.#backlog.isEmpty) this.#begin(request);
      else this.#backlog.add(request);
      return;
    }
    const cancelled = cancelledId(message);
    if (cancelled === undefined) return this.onmessage?.(message);
    // One that waits begins, so that it is audited, and ends at once.
    const waiting = this.#backlog.takeById(cancelled);
    if (waiting !== undefined) this.#begin(waiting);
    this.onmessage?.(message);
    // A cancelled request gets no answer, so nobody need wait for it.
    this.#settle(cancelled);
    this.#noteIdle();
  }

  get #hasRoom(): boolean {
    return this.#inFlight < maxInFlight && this.#inFlightBytes < maxInFlightBytes;
  }

  #begin({ message, bytes }: WaitingRequest): void {
    this.#inFlight++;
    this.#inFlightBytes += bytes;
    const isSubscription = message.method === subscription;
    if (isSubscription) this.#subscriptions++;
    const ofThatId = this.#pending.get(message.id);
    if (ofThatId === undefined) this.#pending.set(message.id, [{ bytes, isSubscription }]);
    else ofThatId.push({ bytes, isSubscription });
    this.onmessage?.(message);
  }

  #settle(id: RequestId | undefined): void {
    const pending = id === undefined ? undefined : this.#pending.get(id);
    const settled = pending?.shift();
    if (id === undefined || pending === undefined || settled === undefined) return;
    this.#inFlight--;
    this.#inFlightBytes -= settled.bytes;
    if (settled.isSubscription) this.#subscriptions--;
    if (pending.length === 0) this.#pending.delete(id);
    this.#release();
  }

  /** Begins what has waited, as far as there is room; an answer that comes at once is not to begin the next from within. */
  #release(): void {
    if (this.#isReleasing) return;
    this.#isReleasing = true;
    while (!this.#isClosing && !this.#isClosed && this.#hasRoom) {
      const next = this.#backlog.take();
      if (next === undefined) break;
      this.#begin(next);
    }
    this.#isReleasing = false;
  }

  #noteIdle(): void {
    if (this.#isIdle) this.#whenIdle?.();
  }

  get #isIdle(): boolean {
    return this.#inFlight === this.#subscriptions && this.#backlog.isEmpty;
  }

  /** Resolves when every request has its answer, but for those that last. */
  #idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenIdle = resolve;
    return promise;
  }

  #reject(id: RequestId | undefined, code: number, reason: string): void {
    this.#answerError(id, code, this.#options.refuseLine(reason));
  }

  #answerError(id: RequestId | undefined, code: number, reason: string): void {
    this.#options.log.info("a message was refused", { reason });
    // JSON-RPC wants `null` where the id can't be known.
    this.#write({ jsonrpc: "2.0", id: id ?? null, error: { code, message: reason } }).catch(() => {});
  }

  /** Waits for what is written, as long as some of it goes: a client that has stopped reading must not keep the program alive. */
  async #flush(): Promise<void> {
    for (let left = Infinity; this.#unwritten < left && !this.#isClosed;) {
      left = this.#unwritten;
      if (await settledWithin(this.#lastWrite, flushMs)) return;
    }
  }

  /** Whole messages, one write at a time. */
  #write(...messages: readonly unknown[]): Promise<void> {
    const bytes = this.#encoder.encode(messages.map((message) => JSON.stringify(message) + "\n").join(""));
    this.#unwritten += bytes.length;
    const written = this.#lastWrite.then(() => this.#options.write(bytes)).finally(() => {
      this.#unwritten -= bytes.length;
    });
    this.#lastWrite = written.catch((error) => {
      // The client no longer reads: there is nobody left to serve.
      if (this.#isClosed) return;
      this.#options.log.info("stdout can't be written", { error: describeError(error) });
      this.#whenIdle?.();
      this.#isClosed = true;
      this.#backlog.takeAll();
      this.onclose?.();
      this.#resolveClosed();
    });
    return written;
  }
}

function isNotification(value: unknown): boolean {
  return value !== null && typeof value === "object" && !("id" in value) && "method" in value &&
    typeof value.method === "string" && value.method.startsWith("notifications/");
}

function cancelledId(message: JSONRPCMessage): RequestId | undefined {
  if (!("method" in message) || message.method !== "notifications/cancelled") return undefined;
  const id = message.params?.requestId;
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

function idOf(value: unknown): RequestId | undefined {
  if (value === null || typeof value !== "object" || !("id" in value)) return undefined;
  return typeof value.id === "string" || typeof value.id === "number" ? value.id : undefined;
}

/** The id in a message that can't be parsed, where it stands plainly at either end. */
function findId(bytes: Uint8Array): RequestId | undefined {
  const text = new TextDecoder().decode(bytes.length <= 1024 ? bytes : bytes.subarray(-512));
  const found = [...text.matchAll(/"id"\s*:\s*(-?\d{1,15}|"[^"\\]{1,128}")\s*[,}]/g)];
  // At the beginning only where nothing is open around it.
  const first = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(-?\d{1,15}|"[^"\\]{1,128}")\s*,/;
  const id = found.at(-1)?.[1] ?? first.exec(new TextDecoder().decode(bytes.subarray(0, 512)))?.[1];
  return id === undefined ? undefined : id.startsWith('"') ? id.slice(1, -1) : Number(id);
}
