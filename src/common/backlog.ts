/** Requests that were read and have to wait for their turn, in order; bounded in bytes by a reader who waits for room. */
import type { JSONRPCRequest, RequestId } from "@modelcontextprotocol/server";

/** A request, and how long its line was. */
export interface WaitingRequest {
  readonly message: JSONRPCRequest;
  readonly bytes: number;
}

/** The requests that wait. */
export class Backlog {
  readonly #maxBytes: number;
  #waiting: WaitingRequest[] = [];
  #bytes = 0;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(request: WaitingRequest): void {
    this.#waiting.push(request);
    this.#bytes += request.bytes;
  }

  /** The one that has waited longest. */
  take(): WaitingRequest | undefined {
    return this.#left(this.#waiting.shift());
  }

  /** The one of that id, which need not wait for its turn. */
  takeById(id: RequestId): WaitingRequest | undefined {
    const at = this.#waiting.findIndex(({ message }) => message.id === id);
    return at === -1 ? undefined : this.#left(this.#waiting.splice(at, 1)[0]);
  }

  /** Resolves when more may be read. */
  room(): Promise<void> {
    if (this.#bytes <= this.#maxBytes) return Promise.resolve();
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** All of them, in order. */
  takeAll(): readonly WaitingRequest[] {
    const all = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    this.#noteRoom();
    return all;
  }

  #left(request: WaitingRequest | undefined): WaitingRequest | undefined {
    this.#bytes -= request?.bytes ?? 0;
    this.#noteRoom();
    return request;
  }

  #noteRoom(): void {
    if (this.#bytes > this.#maxBytes) return;
    this.#room?.resolve();
    this.#room = undefined;
  }
}
