import assert from "@std/assert";
import { Connections } from "../../src/common/http/connections.ts";
import type { HttpRequest } from "../../src/common/http/http_request.ts";
import { HttpServer, type ServerLimits } from "../../src/common/http/http_server.ts";
import type { Logger } from "../../src/common/log.ts";
import { sendRaw } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";
import { until } from "../support/until.ts";

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const patient: ServerLimits = {
  maxConnections: 8,
  headMs: 60_000,
  idleMs: 60_000,
  writeMs: 60_000,
  maxHeadBytes: 32_768,
};
const host = { hostname: "127.0.0.1", port: 0 };
const get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** A server under test, and what it saw. */
interface Subject extends AsyncDisposable {
  readonly server: HttpServer;
  turnedAway(): number;
  connect(bytes?: string): Promise<Deno.TcpConn>;
}

function serve(
  limits: Partial<ServerLimits>,
  handler: (request: HttpRequest) => Promise<Response> = () => Promise.resolve(new Response("here")),
): Subject {
  let turnedAway = 0;
  const server = new HttpServer({
    address: host,
    handler,
    log: silent,
    limits: { ...patient, ...limits },
    turnedAway: () => turnedAway++,
  });
  const open: Deno.TcpConn[] = [];
  return {
    server,
    turnedAway: () => turnedAway,
    async connect(bytes = "") {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      open.push(connection);
      await connection.write(new TextEncoder().encode(bytes));
      return connection;
    },
    async [Symbol.asyncDispose]() {
      for (const connection of open) connection.close();
      const ended = server.shutdown();
      server.close();
      await ended;
    },
  };
}

/** All that comes until the server closes; a reset counts as the end. */
async function rest(connection: Deno.TcpConn): Promise<string> {
  const parts: string[] = [];
  const decoder = new TextDecoder();
  const part = new Uint8Array(65_536);
  try {
    for (let size = await connection.read(part); size !== null; size = await connection.read(part)) {
      parts.push(decoder.decode(part.subarray(0, size), { stream: true }));
    }
  } catch {
    // Closed with bytes of ours unread.
  }
  return parts.join("");
}

async function some(connection: Deno.TcpConn): Promise<string> {
  const part = new Uint8Array(65_536);
  return new TextDecoder().decode(part.subarray(0, await connection.read(part) ?? 0));
}

/** What is not given whole. */
const events = (body: ReadableStream<Uint8Array>) =>
  new Response(body, { headers: { "content-type": "text/event-stream" } });

/** Nobody is sent away in the moment after an answer. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 40));

/** What a client sends, under which limit, and what it reads until it is let go. */
const slow: readonly (readonly [string, Partial<ServerLimits>, string, RegExp])[] = [
  ["silent", { headMs: 50 }, "", /^$/],
  ["with half a head", { headMs: 50 }, "GET / HTTP/1.1\r\nHost: loc", /^HTTP\/1\.1 408 /],
  ["idle after an answer", { idleMs: 50 }, get, /^HTTP\/1\.1 200 [^]*here$/],
];

for (const [what, limits, bytes, answer] of slow) {
  Deno.test({
    name: `a connection is closed that stays ${what}`,
    ignore: !permitted,
    async fn() {
      await using subject = serve(limits);
      const connection = await subject.connect(bytes);
      assert.match(await rest(connection), answer);
      await until("it is forgotten", () => subject.server.connections === 0);
    },
  });
}

Deno.test({
  name: "a request that is here when the server leaves is answered, and the last",
  ignore: !permitted,
  async fn() {
    await using subject = serve({});
    const connection = await subject.connect(get);
    await some(connection);
    const sent = connection.write(new TextEncoder().encode(get));
    const left = subject.server.shutdown();
    assert.match(await rest(connection), /^HTTP\/1\.1 200 [^]*connection: close[^]*here$/i);
    await Promise.all([sent, left]);
  },
});

Deno.test({
  name: "a head that comes byte by byte must be whole in time, the first and the second",
  ignore: !permitted,
  async fn() {
    await using subject = serve({ headMs: 300, idleMs: 600_000 });
    for (const first of ["", get]) {
      const connection = await subject.connect(first);
      if (first !== "") await some(connection);
      await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: "));
      let isOver = false;
      const trickle = (async () => {
        while (!isOver) {
          await connection.write(new TextEncoder().encode("x")).catch(() => isOver = true);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      let isLate = false;
      const late = setTimeout(() => {
        isLate = true;
        subject.server.close();
      }, 20_000);
      await rest(connection);
      clearTimeout(late);
      isOver = true;
      await trickle;
      assert.ok(!isLate);
    }
  },
});

Deno.test({
  name: "an answer may take longer than all limits, and what is sent in both directions arrives whole",
  ignore: !permitted,
  async fn(t) {
    const { promise: waited, resolve } = Promise.withResolvers<void>();
    const answer = async (request: HttpRequest) => {
      if (request.method === "GET") {
        await waited;
        return new Response("at last");
      }
      return new Response(await new Response(request.body).bytes());
    };
    await using subject = serve({}, answer);
    const url = `http://127.0.0.1:${subject.server.port}/`;
    await t.step("late", async () => {
      await using hasty = serve({ headMs: 1_000, idleMs: 50, writeMs: 50 }, answer);
      const late = fetch(`http://127.0.0.1:${hasty.server.port}/`);
      // Longer than any of them.
      await new Promise((done) => setTimeout(done, 1_200));
      resolve();
      assert.equal(await (await late).text(), "at last");
    });
    await t.step("8 MB", async () => {
      const body = new Uint8Array(8 * 1024 * 1024).map((_, at) => at * 7);
      const answer = await (await fetch(url, { method: "POST", body })).bytes();
      assert.equal(answer.length, body.length);
      assert.ok(answer.every((byte, at) => byte === body[at]));
    });
    await t.step("pipelined", async () => {
      const answers = await sendRaw(
        subject.server.port,
        `${get}${get}${get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")}`,
      );
      assert.equal(answers.match(/at last/g)?.length, 3);
    });
    await t.step("a client that sends no more reads its answer", async () => {
      const connection = await subject.connect(get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
      assert.match(await rest(connection), /at last$/);
    });
  },
});

Deno.test({
  name: "a client that does not read its answer is let go, and the answer ends",
  ignore: !permitted,
  async fn() {
    const { promise, resolve } = Promise.withResolvers<void>();
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
        cancel: () => resolve(),
      });
    await using subject = serve({ writeMs: 100 }, () => Promise.resolve(events(endless())));
    await subject.connect(get);
    await promise;
    await until("it is forgotten", () => subject.server.connections === 0);
  },
});

Deno.test({
  name: "a client that does not read its answer goes first, when there is no room for another",
  ignore: !permitted,
  async fn() {
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
      });
    await using subject = serve(
      { maxConnections: 2 },
      (request) =>
        Promise.resolve(request.url.endsWith("/endless") ? events(endless()) : new Response("here")),
    );
    for (let number = 0; number < 2; number++) await subject.connect(get.replace("/", "/endless"));
    await until("a newcomer is answered", async () => {
      const newcomer = await subject.connect();
      await newcomer.write(new TextEncoder().encode(get)).catch(() => {});
      return /here$/.test(await some(newcomer).catch(() => ""));
    });
  },
});

Deno.test({
  name: "a client that goes away ends its answer",
  ignore: !permitted,
  async fn() {
    const { promise, resolve } = Promise.withResolvers<void>();
    const quiet = () => new ReadableStream<Uint8Array>({ cancel: () => resolve() });
    await using subject = serve({}, () => Promise.resolve(events(quiet())));
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: subject.server.port });
    await connection.write(new TextEncoder().encode(get));
    await some(connection);
    connection.close();
    await promise;
  },
});

Deno.test({
  name: "as many connections as there may be: who waits the longest goes, who is being answered stays",
  ignore: !permitted,
  async fn(t) {
    const answers = Promise.withResolvers<Response>();
    await using subject = serve(
      { maxConnections: 3 },
      async (request) =>
        request.url.endsWith("/wait") ? (await answers.promise).clone() : new Response("here"),
    );
    const wait = get.replace("/", "/wait");
    const busy = await subject.connect(wait);
    const idle = await subject.connect(get);
    assert.match(await some(idle), /here$/);
    const owing = await subject.connect();
    await until("three are open", () => subject.server.connections === 3);
    let next: Deno.TcpConn | undefined;
    await t.step("first the one between two requests", async () => {
      await settled();
      next = await subject.connect(wait);
      assert.equal(await rest(idle), "");
    });
    await t.step("then the one that has sent nothing", async () => {
      await subject.connect(wait);
      assert.equal(await rest(owing), "");
    });
    await t.step("then nobody: a newcomer is told to come back", async () => {
      await settled();
      const newcomer = await subject.connect();
      assert.match(await rest(newcomer), /^HTTP\/1\.1 503 [^]*Retry-After: 2/);
      assert.equal(subject.turnedAway(), 1);
    });
    answers.resolve(new Response("at last"));
    for (const connection of [busy, next]) {
      if (connection !== undefined) assert.match(await some(connection), /at last$/);
    }
  },
});

/** What is answered without the server behind; the last byte of HTTP/2's is the code HTTP_1_1_REQUIRED, 13. */
const strange: readonly (readonly [string, string, RegExp])[] = [
  ["HTTP/2 is told to use HTTP/1.1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /^[^]{25}\r$/],
  ["TLS is refused", "\x16\x03\x01\x02\0\x01", /^HTTP\/1\.1 400 /],
  ["a head of more than 32 KB is refused", `GET / HTTP/1.1\r\nX: ${"x".repeat(40_000)}`, /^HTTP\/1\.1 431 /],
  [
    "a whole one of more than 32 KB, too",
    get.replace("\r\n\r\n", `\r\nX: ${"x".repeat(32_768)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  ],
];

for (const [what, bytes, answer] of strange) {
  Deno.test({
    name: what,
    ignore: !permitted,
    async fn() {
      await using subject = serve({}, () => Promise.reject(new Error("not to be asked")));
      const connection = await subject.connect(bytes);
      assert.match(await rest(connection), answer);
    },
  });
}

Deno.test({
  name: "clients that have reset their connection before it is taken hold up nobody",
  ignore: !permitted,
  async fn() {
    const listener = Deno.listen(host);
    let resets = 1_000;
    const accept = listener.accept.bind(listener);
    // As Linux says it of each such connection.
    listener.accept = () => resets-- > 0 ? Promise.reject(new Deno.errors.NotConnected("reset")) : accept();
    const connections = new Connections(listener, {
      limits: patient,
      serve: (stream) => void stream.end("here"),
      turnedAway() {},
      log: silent,
    });
    const ended = connections.run();
    const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    await client.write(new TextEncoder().encode(get));
    let answer = "";
    rest(client).then((text) => answer = text);
    await until("it is answered", () => answer === "here");
    client.close();
    connections.stop();
    await ended;
  },
});
