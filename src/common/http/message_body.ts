/** The body of a POST as one JSON value: bounded in bytes, in time, in depth and in the number of its parts. */
import { excessOf } from "../message_limits.ts";
import { rpcCodes } from "./answers.ts";
import type { HttpRequest } from "./http_request.ts";

/** Why a body is not taken. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The bounds of a body. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** Milliseconds until its last byte. */
  readonly timeoutMs: number;
  /** Whether there is room for so many bytes more. */
  readonly hold: (bytes: number) => boolean;
}

/** Bytes of a message that there is always room for. */
const smallBytes = 64 * 1024;
const tooMuch = "Too many large messages are under way: try again in a moment";

/** Reads the body. Throws {@linkcode BodyError}. */
export async function readMessage(request: HttpRequest, limits: BodyLimits): Promise<unknown> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new BodyError(415, rpcCodes.server, "The Content-Type must be application/json");
  }
  const coding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (coding !== "identity") {
    throw new BodyError(415, rpcCodes.server, "The body must not be compressed");
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await readBytes(request, limits));
  } catch (error) {
    if (error instanceof BodyError) throw error;
    throw new BodyError(400, rpcCodes.parseError, "The message is not valid UTF-8");
  }
  const excess = excessOf(text);
  if (excess !== undefined) throw new BodyError(400, rpcCodes.invalidRequest, excess);
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    throw new BodyError(400, rpcCodes.parseError, "The message is not valid JSON");
  }
  if (Array.isArray(message)) {
    throw new BodyError(
      400,
      rpcCodes.invalidRequest,
      "Batches are not part of this protocol: send one message per request",
    );
  }
  return message;
}

async function readBytes(
  request: HttpRequest,
  { maxBytes, timeoutMs, hold }: BodyLimits,
): Promise<Uint8Array> {
  const tooLarge = () =>
    new BodyError(413, rpcCodes.server, `The message is larger than ${maxBytes / (1024 * 1024)} MB`);
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > maxBytes) throw tooLarge();
  let room = smallBytes;
  const makeRoom = (bytes: number) => {
    if (bytes <= room) return;
    if (!hold(bytes - room)) throw new BodyError(503, rpcCodes.server, tooMuch);
    room = bytes;
  };
  makeRoom(announced);
  const reader = request.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {});
  }, timeoutMs);
  const chunks: Uint8Array[] = [];
  let received = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      received += part.value.length;
      if (received > maxBytes) throw tooLarge();
      makeRoom(received);
      chunks.push(part.value);
    }
  } catch (error) {
    if (error instanceof BodyError) {
      reader.cancel().catch(() => {});
      throw error;
    }
    if (!isLate) throw new BodyError(400, rpcCodes.parseError, "The message did not arrive whole");
  } finally {
    clearTimeout(timer);
  }
  if (isLate) throw new BodyError(408, rpcCodes.server, `The message took longer than ${timeoutMs / 1000} s`);
  const bytes = new Uint8Array(received);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
