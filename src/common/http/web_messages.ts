/** Requests and responses as the rest of the program knows them, from and to Node's. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { fieldsOf, type HttpRequest } from "./http_request.ts";

/** The body of a request. */
export interface IncomingBody {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** There will be no more of it: who reads it is told, unless it has come whole. */
  readonly fail: (error: Error) => void;
  /** Nobody reads any more of it. */
  readonly drop: () => void;
}

/** The body of a request; undefined where it can have none. `wanted` is called when somebody begins to read it. */
export function bodyOf(incoming: IncomingMessage, wanted: () => void): IncomingBody | undefined {
  const { method, headers } = incoming;
  const isAnnounced = headers["transfer-encoding"] !== undefined || headers["content-length"] !== undefined;
  if (!isAnnounced || method === "GET" || method === "HEAD") {
    // What nobody can read is taken all the same: the next request comes behind it.
    incoming.resume();
    return undefined;
  }
  let outlet: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  let isWanted = false;
  const drop = () => {
    outlet = undefined;
    // Likewise what nobody wants.
    incoming.resume();
  };
  const fail = (error: Error) => {
    if (incoming.complete) return;
    outlet?.error(error);
    drop();
  };
  incoming.pause();
  incoming.on("data", (bytes: Uint8Array<ArrayBuffer>) => {
    if (outlet === undefined) return;
    outlet.enqueue(bytes);
    incoming.pause();
  });
  incoming.once("end", () => {
    outlet?.close();
    outlet = undefined;
  });
  incoming.on("error", fail);
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => void (outlet = controller),
    pull() {
      if (!isWanted) wanted();
      isWanted = true;
      incoming.resume();
    },
    cancel: drop,
  }, { highWaterMark: 0 });
  return { stream, fail, drop };
}

/** Methods that `Request` does not take, https://fetch.spec.whatwg.org/#forbidden-method. */
const forbiddenMethods = ["CONNECT", "TRACE", "TRACK"];

/** The request; undefined where there can be none such. */
export function requestOf(
  { method = "GET", url = "/", headers, rawHeaders }: IncomingMessage,
  body: ReadableStream<Uint8Array<ArrayBuffer>> | undefined,
): HttpRequest | undefined {
  const target = URL.parse(url.startsWith("/") ? `http://${headers.host ?? "localhost"}${url}` : url);
  if (target === null || !["http:", "https:"].includes(target.protocol)) return undefined;
  if (target.username !== "" || target.password !== "" || forbiddenMethods.includes(method)) return undefined;
  return { method, url: target.href, headers: fieldsOf(rawHeaders), body: body ?? null };
}

/** Writes the response: a stream of events as it comes, everything else whole. Never throws. */
export async function give(response: Response, outgoing: ServerResponse, stream: Duplex): Promise<void> {
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) {
    // One word on whether the connection goes on, and the request may have said no.
    if (name !== "connection") outgoing.setHeader(name, value);
    else if (value === "close") outgoing.shouldKeepAlive = false;
  }
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  try {
    // Asking for the body makes a stream of any.
    if (isStream && response.body !== null) await pour(response.body, outgoing, stream);
    else outgoing.end(await response.bytes());
  } catch {
    // Cut, not ended: a client must not take what it has for the whole.
    outgoing.destroy();
  }
}

async function pour(
  body: ReadableStream<Uint8Array>,
  outgoing: ServerResponse,
  stream: Duplex,
): Promise<void> {
  const reader = body.getReader();
  outgoing.flushHeaders();
  let isGone = false;
  let goOn: (() => void) | undefined;
  const leave = () => {
    isGone = true;
    reader.cancel().catch(() => {});
    goOn?.();
  };
  const resume = () => goOn?.();
  outgoing.on("drain", resume);
  outgoing.once("close", leave);
  // Whoever sends no more may have gone: what is written to such a one is answered with a reset, and the next fails.
  const probe = async () => {
    for (let tries = 0; tries < 2 && !isGone && !outgoing.writableEnded; tries++) {
      outgoing.write(":\n\n");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  stream.once("end", probe);
  try {
    if (outgoing.closed) leave();
    else if (stream.readableEnded) void probe();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (isGone) break;
      const isTaken = outgoing.write(part.value);
      if (!isTaken) await new Promise<void>((resolve) => goOn = resolve);
    }
    if (isGone) outgoing.destroy();
    else outgoing.end();
  } finally {
    stream.off("end", probe);
  }
}
