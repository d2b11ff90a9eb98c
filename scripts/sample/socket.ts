/**
 * Speaks PostgreSQL's wire protocol on TCP for one PGlite, which has a single backend: connections take turns.
 *
 * A turn lasts from a connection's first message until the backend says ReadyForQuery outside a transaction, so
 * neither transactions nor the messages of one extended query interleave. A connection that stops in the middle
 * of a transaction therefore stops all others: this is for samples and tests.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import type { PGlite } from "@electric-sql/pglite";

const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
const TERMINATE = "X".charCodeAt(0);
const SYNC = new Uint8Array(["S".charCodeAt(0), 0, 0, 0, 4]);

/** Who may connect. PGlite runs everything as its superuser unless told otherwise. */
export interface SocketOptions {
  readonly database: string;
  readonly users: readonly string[];
}

/** Answers every connection that `listener` accepts, until the listener is closed. */
export async function serve(
  listener: Deno.TcpListener,
  backend: PGlite,
  options: SocketOptions,
): Promise<void> {
  const turns = new Turns(backend);
  for await (const socket of listener) {
    socket.setNoDelay(); // or each small answer waits 10 ms for an acknowledgement
    converse(socket, turns, options)
      .catch(() => {}) // a client that vanished: its turn has been cleaned up
      .finally(() => closeQuietly(socket));
  }
}

async function converse(socket: Deno.Conn, turns: Turns, options: SocketOptions): Promise<void> {
  const reader = new MessageReader(socket);
  const startup = await negotiate(socket, reader);
  if (startup === undefined) return;
  const parameters = startupParameters(startup);
  const user = parameters.get("user") ?? "";
  const database = parameters.get("database") ?? user;
  if (!options.users.includes(user)) {
    return await send(socket, fatal("28000", `role "${user}" does not exist`));
  }
  if (database !== options.database) {
    return await send(socket, fatal("3D000", `database "${database}" does not exist`));
  }

  const turn = turns.for(user);
  try {
    await send(socket, await turn.say(startup));
    for (let message = await reader.message(); message; message = await reader.message()) {
      if (message[0] === TERMINATE) break;
      await send(socket, await turn.say(message));
    }
  } finally {
    await turn.abandon();
  }
}

/** Says no to encryption, and returns the startup message; undefined when the client wants something else. */
async function negotiate(socket: Deno.Conn, reader: MessageReader): Promise<Uint8Array | undefined> {
  while (true) {
    const packet = await reader.packet();
    if (packet === undefined) return undefined;
    const code = new DataView(packet.buffer, packet.byteOffset).getInt32(4);
    if (code === CANCEL_REQUEST) return undefined; // nothing can interrupt WebAssembly on its own thread
    if (code !== SSL_REQUEST && code !== GSS_REQUEST) return packet;
    await send(socket, new TextEncoder().encode("N"));
  }
}

/** Hands the one backend from connection to connection. */
class Turns {
  readonly #backend: PGlite;
  #last: Promise<void> = Promise.resolve();
  #user = "";

  constructor(backend: PGlite) {
    this.#backend = backend;
  }

  for(user: string): Turn {
    return new Turn(this.#backend, () => this.#begin(user));
  }

  /** Waits for the backend and makes it the user's; returns the function that passes it on. */
  async #begin(user: string): Promise<() => void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    if (this.#user !== user) {
      await this.#backend.exec(`SET SESSION AUTHORIZATION "${user.replaceAll('"', '""')}"`);
      this.#user = user;
    }
    return resolve;
  }
}

class Turn {
  readonly #backend: PGlite;
  readonly #begin: () => Promise<() => void>;
  #end: (() => void) | undefined;

  constructor(backend: PGlite, begin: () => Promise<() => void>) {
    this.#backend = backend;
    this.#begin = begin;
  }

  /** Hands one message to the backend, when it is free, and returns all that it answers. */
  async say(message: Uint8Array): Promise<Uint8Array> {
    this.#end ??= await this.#begin();
    const answer = await this.#backend.execProtocolRaw(message);
    if (isIdle(answer)) this.#finish();
    return answer;
  }

  /** Ends what the connection left unfinished, so that the next one finds a clean backend. */
  async abandon(): Promise<void> {
    if (this.#end === undefined) return;
    try {
      await this.#backend.execProtocolRaw(SYNC);
      await this.#backend.exec("ROLLBACK");
    } finally {
      this.#finish();
    }
  }

  #finish(): void {
    this.#end?.();
    this.#end = undefined;
  }
}

/** Whether an answer ends with ReadyForQuery, status "I". No other message ends with these bytes. */
function isIdle(answer: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(answer.subarray(-6)) === "Z\0\0\0\x05I";
}

/** Cuts a connection's bytes into messages. */
class MessageReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array();

  constructor(socket: Deno.Conn) {
    this.#reader = socket.readable.getReader();
  }

  /** A message with a type byte; undefined at the end of the connection. */
  message(): Promise<Uint8Array | undefined> {
    return this.#take(1);
  }

  /** A message of the start, which has no type byte. */
  packet(): Promise<Uint8Array | undefined> {
    return this.#take(0);
  }

  async #take(lengthAt: number): Promise<Uint8Array | undefined> {
    if (!await this.#fill(lengthAt + 4)) return undefined;
    const length = lengthAt + new DataView(this.#buffer.buffer, this.#buffer.byteOffset).getInt32(lengthAt);
    if (length < lengthAt + 4 || !await this.#fill(length)) return undefined;
    const message = this.#buffer.slice(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return message;
  }

  async #fill(length: number): Promise<boolean> {
    while (this.#buffer.length < length) {
      const { value } = await this.#reader.read();
      if (value === undefined) return false;
      const joined = new Uint8Array(this.#buffer.length + value.length);
      joined.set(this.#buffer);
      joined.set(value, this.#buffer.length);
      this.#buffer = joined;
    }
    return true;
  }
}

function startupParameters(packet: Uint8Array): Map<string, string> {
  const words = new TextDecoder().decode(packet.subarray(8)).split("\0");
  const parameters = new Map<string, string>();
  for (let i = 0; words[i]; i += 2) parameters.set(words[i] ?? "", words[i + 1] ?? "");
  return parameters;
}

/** An ErrorResponse that ends the connection. */
function fatal(code: string, message: string): Uint8Array {
  const fields = new TextEncoder().encode(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const packet = new Uint8Array(5 + fields.length);
  packet[0] = "E".charCodeAt(0);
  new DataView(packet.buffer).setInt32(1, 4 + fields.length);
  packet.set(fields, 5);
  return packet;
}

async function send(socket: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await socket.write(bytes.subarray(sent));
}

function closeQuietly(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch { /* the client was faster */ }
}
