/** A server that does not keep to the protocol: an error, no crash, and no memory without end. */
import assert from "@std/assert";
import { Buffer } from "node:buffer";
import net from "node:net";
import { Database } from "../../src/postgres/database.ts";
import { ServerError } from "../../src/postgres/database_errors.ts";
import type { SslMode } from "../../src/postgres/settings.ts";
import { heldBytes } from "../support/held_bytes.ts";
import { rejection } from "../support/rejection.ts";
import { fetchOnce, mayListen, quiet, settingsFor } from "../support/unguarded.ts";

/** A message of the backend. */
function message(type: string, body: string | Uint8Array = "", length?: number): Buffer {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(length ?? bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

const ok = message("R", "\0\0\0\0");
const ready = message("Z", "I");
const hello = Buffer.concat([
  ok,
  message("S", "client_encoding\0UTF8\0"),
  message("K", "\0\0\0\x01\0\0\0\x02"),
  ready,
]);

interface Lie {
  readonly name: string;
  /** What is sent after the startup message. */
  readonly first: Uint8Array;
  /** What is sent after the log-in's first statement. */
  readonly then?: Uint8Array;
  /** Sent once before `then`. */
  readonly before?: Uint8Array;
  /** Sends `then` again and again. */
  readonly endless?: boolean;
  readonly says?: RegExp;
  /** `disable` where nothing else is said. */
  readonly sslMode?: SslMode;
}

/** A statement was read and its rows, without columns, follow. */
const rowsFollow = Buffer.concat([message("1"), message("2"), message("T", "\0\0")]);

const noProtocol = /does not speak PostgreSQL's protocol/;

const lies: readonly Lie[] = [
  { name: "another protocol", first: Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n") },
  { name: "a length below four", first: message("R", "", 3) },
  { name: "a negative length", first: message("R", "", -1) },
  { name: "a length of 2 GB", first: message("R", "", 0x7fffffff) },
  { name: "a large message that should be small", first: message("S", "", 0x30000000) },
  { name: "an empty authentication request", first: message("R") },
  { name: "GSSAPI", first: message("R", "\0\0\0\x07"), says: /a method that this program does not know/ },
  {
    name: "SASL without SCRAM",
    first: message("R", "\0\0\0\x0aOTHER\0\0"),
    says: /a method that this program/,
  },
  { name: "a SCRAM challenge that nobody asked for", first: message("R", "\0\0\0\x0br=x,s=AAAA,i=4096") },
  {
    name: "a log-in that is accepted without proof of the password",
    first: message("R", "\0\0\0\x0aSCRAM-SHA-256\0\0"),
    then: Buffer.concat([ok, ready]),
    says: /does not prove that it knows the password/,
  },
  {
    name: "a SCRAM challenge of a billion rounds",
    first: message("R", "\0\0\0\x0aSCRAM-SHA-256\0\0"),
    then: message("R", "\0\0\0\x0br=x,s=AAAA,i=1000000000"),
  },
  {
    name: "a SCRAM challenge without a salt",
    first: message("R", "\0\0\0\x0aSCRAM-SHA-256\0\0"),
    then: message("R", "\0\0\0\x0br=x,i=4096"),
  },
  {
    name: "a wrong proof of the password",
    first: message("R", "\0\0\0\x0aSCRAM-SHA-256\0\0"),
    then: Buffer.concat([
      message("R", "\0\0\0\x0br=x,s=AAAA,i=4096"),
      message("R", "\0\0\0\x0cv=AAAA"),
      ok,
      ready,
    ]),
    says: /does not prove that it knows the password/,
  },
  {
    name: "words before the TLS handshake that pretend to be from inside it",
    first: Buffer.concat([Buffer.from("S"), hello]),
    sslMode: "require",
    says: /the server's answer to SSLRequest is not PostgreSQL's/,
  },
  { name: "a short MD5 salt", first: message("R", "\0\0\0\x05a") },
  { name: "ready without a log-in", first: ready },
  { name: "rows before the log-in", first: message("D", "\0\x01\0\0\0\x01a") },
  { name: "a COPY", first: hello, then: message("H", "\0\0\0") },
  {
    name: "a row with too many bytes",
    first: hello,
    before: rowsFollow,
    then: message("D", "\0\x01\0\0\0\x01aa"),
  },
  {
    name: "a row with too few bytes",
    first: hello,
    before: rowsFollow,
    then: message("D", "\0\x02\0\0\0\x01a"),
  },
  {
    name: "a cell longer than its row",
    first: hello,
    before: rowsFollow,
    then: message("D", "\0\x01\x7f\0\0\0a"),
  },
  {
    name: "a cell of -2 bytes",
    first: hello,
    before: rowsFollow,
    then: message("D", "\0\x01\xff\xff\xff\xfe"),
  },
  { name: "columns that are cut off", first: hello, then: message("T", "\0\x05abc") },
  { name: "columns without an end", first: hello, then: message("T", "\xff\xff" + "a".repeat(100)) },
  { name: "a portal that nobody opened", first: hello, before: rowsFollow, then: message("s") },
  { name: "rows that nobody asked for", first: hello, then: message("D", "\0\0") },
  { name: "an answer without an end", first: hello, then: Buffer.concat([rowsFollow, ready]) },
  {
    name: "a statement that ends twice",
    first: hello,
    before: rowsFollow,
    then: Buffer.concat(new Array(5_000).fill(message("C", "A\0"))),
    endless: true,
  },
  { name: "a second log-in", first: hello, then: message("R", "\0\0\0\x03") },
  { name: "a status that is none", first: hello, then: message("Z", "X") },
  { name: "an error without fields", first: hello, then: message("E"), says: /unknown error/ },
  {
    name: "an error instead of a log-in",
    first: message("E", "SFATAL\0C3D000\0Mno\0\0"),
    says: /no such database/,
  },
  {
    name: "an error with a code that is none",
    first: message("E", "SFATAL\0Ca code\0Mno\0\0"),
    says: /no \(SQLSTATE XX000\)$/,
  },
  { name: "an error of another time", first: hello, then: message("E", "\0"), says: /unknown error/ },
  {
    name: "notices without end",
    first: hello,
    then: message("N", "x".repeat(100_000)),
    endless: true,
    says: /larger than 64 MB/,
  },
  {
    name: "a row without end",
    first: hello,
    before: Buffer.concat([rowsFollow, message("D", "\0\x01\x3f\0\0\0", 0x3f00000a)]),
    then: Buffer.alloc(100_000, "x"),
    endless: true,
    says: /larger than 64 MB/,
  },
  {
    name: "rows without end",
    first: hello,
    before: rowsFollow,
    then: message("D", Buffer.concat([Buffer.from([0, 1, 0, 1, 0, 0]), Buffer.alloc(65536, "x")])),
    endless: true,
    says: /larger than 64 MB/,
  },
  {
    name: "an answer that is no transaction",
    first: hello,
    then: Buffer.concat([message("1"), message("2"), message("n"), message("C", "SELECT 0\0"), ready]),
    endless: true,
    says: /does not speak|read-only transaction/,
  },
  { name: "a goodbye", first: Buffer.alloc(0), says: /closed the connection|was lost/ },
];

Deno.test("a server that lies", { ignore: !mayListen }, async (t) => {
  const uncaught: unknown[] = [];
  const note = (event: Event) => {
    event.preventDefault();
    uncaught.push(event);
  };
  globalThis.addEventListener("unhandledrejection", note);
  globalThis.addEventListener("error", note);
  for (const lie of lies) {
    await t.step(lie.name, async () => {
      const sockets = new Set<net.Socket>();
      const server = net.createServer((socket) => {
        sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => sockets.delete(socket));
        socket.once("data", () => {
          if (lie.first.length === 0) return socket.destroy();
          socket.write(lie.first);
          socket.once("data", () => {
            const { before, then } = lie;
            if (before !== undefined) socket.write(before);
            if (then === undefined) return;
            const write = () => {
              while (!socket.destroyed && socket.write(then) && lie.endless === true);
            };
            socket.on("drain", write);
            write();
          });
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as net.AddressInfo;
      const before = heldBytes();
      {
        await using database = new Database(
          settingsFor({ host: "127.0.0.1", port, superuser: "u", password: "p" }, {
            sslMode: lie.sslMode ?? "disable",
          }),
          quiet,
          { connectTimeoutMs: 60_000 },
        );
        const error = await rejection(fetchOnce(database, "select 1"));
        assert.match(error.message, lie.says ?? noProtocol);
      }
      assert.ok(heldBytes() - before < 10e6);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
  }
  globalThis.removeEventListener("unhandledrejection", note);
  globalThis.removeEventListener("error", note);
  assert.deepEqual(uncaught, []);
});

const fatal = (fields: string) => message("E", `SFATAL\0VFATAL\0${fields}\0`);
const cleartext = message("R", "\0\0\0\x03");
const repetitions: readonly (readonly [string, Uint8Array, Uint8Array?])[] = [
  ["instead of a log-in", fatal("C28000\0Mno: correct-horse!\0")],
  ["as the code of an error", fatal("Ccorrect-horse!\0Mno\0")],
  ["in a start that is refused for now", fatal("C57P03\0Mwait, correct-horse!\0")],
  ["in the form of a URL with another password", fatal("CXX000\0Mpostgres://u:correct-horse@h/d\0")],
  [
    "in the error of a statement",
    hello,
    Buffer.concat([
      message("E", "SERROR\0VERROR\0C42601\0Mcorrect-horse!\0Dcorrect-horse!\0Hcorrect-horse!\0\0"),
      ready,
    ]),
  ],
];
for (const [name, answer, then] of repetitions) {
  Deno.test(`a server that repeats the password ${name}`, { ignore: !mayListen }, async () => {
    const sockets = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      // The startup message, the password, the first statement.
      const answers = [cleartext, answer, then];
      socket.on("data", () => {
        const next = answers.shift();
        if (next !== undefined) socket.write(next);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // A TCP listener's address is one with a port.
    const { port } = server.address() as net.AddressInfo;
    const lines: string[] = [];
    const note = (text: string, fields?: Record<string, unknown>) =>
      void lines.push(`${text} ${JSON.stringify(fields)}`);
    {
      await using database = new Database(
        settingsFor({ host: "127.0.0.1", port, superuser: "u", password: "correct-horse!" }, {
          sslMode: "disable",
        }),
        { debug: note, info: note, warn: note, error: note },
        { connectTimeoutMs: 60_000 },
      );
      const error = await rejection(fetchOnce(database, "select 1"));
      const cause = error.cause instanceof ServerError
        ? [...error.cause.fields.values(), error.cause.message]
        : [];
      const said = [error.message, error.hint, ...cause, ...lines].join("\n");
      assert.doesNotMatch(said, /correct-horse/);
      assert.ok(cause.length > 0, said);
    }
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
}
