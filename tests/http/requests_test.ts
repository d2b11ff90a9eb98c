import assert from "@std/assert";
import process from "node:process";
import type { HttpRequest } from "../../src/common/http/http_request.ts";
import { HttpServer } from "../../src/common/http/http_server.ts";
import type { Logger } from "../../src/common/log.ts";
import { writeAll } from "../../src/common/write_all.ts";
import { HttpProgram, patientProgram, sendRaw } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";
import { until } from "../support/until.ts";

const ignore = !permitted;

/** A server that says what it read, and how many requests it was asked. */
function serve(answer?: (request: HttpRequest) => Promise<Response>) {
  const seen = { requests: 0, errors: [] as string[] };
  const log: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (message) => void seen.errors.push(message),
  };
  const server = new HttpServer({
    address: { hostname: "127.0.0.1", port: 0 },
    log,
    async handler(request) {
      seen.requests++;
      if (answer !== undefined) return await answer(request);
      return new Response(`got ${await new Response(request.body).text().catch(() => "half")}`);
    },
  });
  return {
    port: server.port,
    seen,
    async [Symbol.asyncDispose]() {
      const ended = server.shutdown();
      server.close();
      await ended;
    },
  };
}

const get = (headers = "", version = "1.1") => `GET / HTTP/${version}\r\nHost: localhost\r\n${headers}\r\n`;
const post = (headers: string, body: string) =>
  `POST / HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
const connectionsOf = (answer: string) =>
  [...answer.matchAll(/^connection: *([^\r]*)/gim)].map(([, value]) => value?.toLowerCase());
const isStream = { headers: { "content-type": "text/event-stream", connection: "keep-alive" } };

/** What is sent, and what each of the answers says of the connection. */
const words: readonly (readonly [string, string, readonly string[]])[] = [
  ["a request that says nothing of it", get() + get("Connection: close\r\n"), ["keep-alive", "close"]],
  ["the last by a connection", get("Connection: close\r\n"), ["close"]],
  ["HTTP/1.0", get("", "1.0"), ["close"]],
];

for (const [what, bytes, expected] of words) {
  for (const kind of ["whole", "stream"]) {
    Deno.test({
      name: `one word on the connection, for ${what}, in an answer that is a ${kind}`,
      ignore,
      async fn() {
        await using server = serve(() =>
          Promise.resolve(kind === "whole" ? new Response("here") : new Response("data: here\n\n", isStream))
        );
        const answer = await sendRaw(server.port, bytes);
        assert.deepEqual(connectionsOf(answer), expected, answer);
      },
    });
  }
}

Deno.test({
  name:
    "an offer to change the protocol is declined by an answer, as Java's client makes one with its first request",
  ignore,
  async fn() {
    await using server = serve();
    const offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
    const answers = await sendRaw(server.port, post(offer, "one") + post("Connection: close\r\n", "two"));
    assert.match(answers, /^HTTP\/1\.1 200 [^]*got one[^]*got two$/);
  },
});

Deno.test({
  name: "a client that asks whether to send its body is told when it is wanted, and not when it is refused",
  ignore,
  async fn() {
    const expecting = "Expect: 100-continue\r\nConnection: close\r\n";
    await using taking = serve();
    assert.match(
      await sendRaw(taking.port, post(expecting, "body")),
      /^HTTP\/1\.1 100 [^]*HTTP\/1\.1 200 [^]*got body$/,
    );
    await using refusing = serve(() => Promise.resolve(new Response("no", { status: 401 })));
    assert.match(await sendRaw(refusing.port, post(expecting, "body")), /^HTTP\/1\.1 401 /);
  },
});

Deno.test({
  name: "requests by one connection are answered one at a time, and those behind the last one never",
  ignore,
  async fn() {
    let running = 0;
    let most = 0;
    await using server = serve(async (request) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      const isLast = request.headers.has("x-last");
      return new Response("here", isLast ? { headers: { connection: "close" } } : {});
    });
    const answers = await sendRaw(server.port, get().repeat(3) + get("X-Last: 1\r\n") + get().repeat(3));
    assert.equal(answers.match(/here/g)?.length, 4);
    assert.equal(server.seen.requests, 4);
    assert.equal(most, 1);
  },
});

Deno.test({
  name: "who sends many requests without waiting is cut, and others are answered",
  ignore,
  async fn() {
    const held = Promise.withResolvers<void>();
    await using server = serve(() => held.promise.then(() => new Response("here")));
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await connection.write(new TextEncoder().encode(get().repeat(500)));
    // Nothing is answered until then, so that what is read before is the end.
    const late = setTimeout(held.resolve, 20_000);
    const isCut = await connection.read(new Uint8Array(1)).then((size) => size === null, () => true);
    clearTimeout(late);
    assert.ok(isCut);
    assert.equal(server.seen.requests, 1);
    held.resolve();
    assert.match(await sendRaw(server.port, get("Connection: close\r\n")), /here$/);
  },
});

Deno.test({
  name: "a connection with requests that wait is read no further until they are answered",
  ignore,
  async fn() {
    const held = Promise.withResolvers<void>();
    await using server = serve(async ({ url }) => {
      if (new URL(url).pathname === "/") await held.promise;
      return new Response("here");
    });
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const send = (text: string) => connection.write(new TextEncoder().encode(text));
    await send(get().repeat(10));
    await until("the first is being answered", () => server.seen.requests === 1);
    const others = async () => {
      const answer = await sendRaw(server.port, get("Connection: close\r\n").replace("/", "/other"));
      assert.match(answer, /here$/);
    };
    // Its next bytes are read already when the first wait.
    await send(get().repeat(10));
    await others();
    await send(get().repeat(20) + get("Connection: close\r\n"));
    // Others are answered meanwhile: whatever was to be read of this one would have been.
    for (let turn = 0; turn < 5; turn++) await others();
    held.resolve();
    assert.equal((await new Response(connection.readable).text()).match(/here/g)?.length, 41);
  },
});

Deno.test({
  name: "a body that nobody reads does not stand in the way of the next request",
  ignore,
  async fn() {
    await using server = serve(async (request) => {
      if (request.headers.has("x-half")) {
        const reader = request.body?.getReader();
        await reader?.read();
        await reader?.cancel();
      }
      return new Response("here");
    });
    const body = "x".repeat(400_000);
    for (const headers of ["", "X-Half: 1\r\n"]) {
      const answers = await sendRaw(server.port, post(headers, body) + get("Connection: close\r\n"));
      assert.equal(answers.match(/here/g)?.length, 2, answers.slice(0, 300));
    }
    const withBody = get(`Content-Length: ${body.length}\r\n`) + body;
    const answers = await sendRaw(server.port, withBody + get("Connection: close\r\n"));
    assert.equal(answers.match(/here/g)?.length, 2, answers.slice(0, 300));
  },
});

/** A body that is not whole, and whether the client stops sending there. */
const broken: readonly (readonly [string, string, boolean])[] = [
  ["ends early", post("", "body").slice(0, -1), true],
  [
    "is no chunk",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n",
    false,
  ],
];

for (const [what, bytes, isEnd] of broken) {
  Deno.test({
    name: `a body that ${what} is told of at once, and the answer is the last`,
    ignore,
    async fn() {
      await using server = serve();
      using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await client.write(new TextEncoder().encode(bytes));
      if (isEnd) await client.closeWrite();
      const part = new Uint8Array(4_096);
      const answer = new TextDecoder().decode(part.subarray(0, await client.read(part) ?? 0));
      assert.match(answer, /^HTTP\/1\.1 200 [^]*got half$/);
      assert.equal(await client.read(part), null);
    },
  });
}

/** What is no request, or none of ours, and its answer. */
const refused: readonly (readonly [string, string, RegExp])[] = [
  ["no HTTP", "hello\r\n\r\n", /^HTTP\/1\.1 400 /],
  ["behind a request", `${get()}hello\r\n\r\n`, /^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n/],
  ["more than 100 fields", get("X: y\r\n".repeat(100)), /^HTTP\/1\.1 431 /],
  [
    "a second head of more than 32 KB",
    get() + get(`X: ${"y".repeat(40_000)}\r\n`),
    /\r\nConnection: close\r\n/,
  ],
  ["TRACE", get().replace("GET", "TRACE"), /^HTTP\/1\.1 400 /],
  ["a host that no URL has", get().replace("localhost", "a b"), /^HTTP\/1\.1 400 /],
  ["two lengths", post("Content-Length: 5\r\n", "body"), /^HTTP\/1\.1 400 /],
];

for (const [what, bytes, answer] of refused) {
  Deno.test({
    name: `${what}: answered, and the connection ends`,
    ignore,
    async fn() {
      await using server = serve();
      const started = performance.now();
      assert.match(await sendRaw(server.port, bytes, 30_000), answer);
      // It was the server that closed.
      assert.ok(performance.now() - started < 29_000);
      assert.deepEqual(server.seen.errors, []);
    },
  });
}

/** A stream of events whose last comes when the test says so. */
function late() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const encoder = new TextEncoder();
  const answer = () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(encoder.encode("data: begun\n\n")),
      async pull(controller) {
        await promise;
        controller.enqueue(encoder.encode("data: done\n\n"));
        controller.close();
      },
    });
    return Promise.resolve(new Response(body, isStream));
  };
  return { answer, finish: resolve };
}

/** A client whose stream of events has begun; what waits for a server that says no more is ended after a while. */
async function beginStream() {
  const { answer, finish } = late();
  const server = serve(answer);
  const client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const patience = setTimeout(() => client.close(), 30_000);
  await client.write(new TextEncoder().encode(get()));
  await readUntil(client, "data: begun");
  return {
    client,
    finish,
    async [Symbol.asyncDispose]() {
      clearTimeout(patience);
      try {
        client.close();
      } catch {
        // It was out of patience.
      }
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Reads until the text has come; everything that has. */
async function readUntil(client: Deno.Conn, text: string): Promise<string> {
  let all = "";
  const part = new Uint8Array(4_096);
  while (!all.includes(text)) {
    const size = await client.read(part);
    if (size === null) break;
    all += new TextDecoder().decode(part.subarray(0, size));
  }
  return all;
}

Deno.test({
  name: "a client that sends no more reads its stream of events to the end",
  ignore,
  async fn() {
    await using begun = await beginStream();
    const { client, finish } = begun;
    await client.closeWrite();
    // By then it has been found to be there.
    await readUntil(client, ":\n\n");
    finish();
    assert.match(await readUntil(client, "data: done"), /data: done/);
  },
});

Deno.test({
  name: "behind a stream that has begun no HTTP ends the connection, once the stream has ended",
  ignore,
  async fn() {
    await using begun = await beginStream();
    const { client, finish } = begun;
    await client.write(new TextEncoder().encode("hello\r\n\r\n"));
    // What comes behind it is seen by then: requests are read one after the other.
    await new Promise((resolve) => setTimeout(resolve, 0));
    finish();
    await readUntil(client, "0\r\n\r\n");
    assert.equal(await client.read(new Uint8Array(1)), null);
  },
});

Deno.test({
  name: "HTTP/1.0 knows no answer before the answer",
  ignore,
  async fn() {
    await using server = serve();
    const answer = await sendRaw(
      server.port,
      post("Expect: 100-continue\r\n", "body").replace("HTTP/1.1", "HTTP/1.0"),
      30_000,
    );
    assert.match(answer, /^HTTP\/1\.1 200 [^]*got body$/);
  },
});

Deno.test({
  name: "an offer to change the protocol is declined with every request of a connection",
  ignore,
  async fn() {
    await using server = serve();
    using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const offer = post(
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
      "body",
    );
    for (let round = 0; round < 3; round++) {
      await client.write(new TextEncoder().encode(offer));
      assert.match(await readUntil(client, "got body"), /^HTTP\/1\.1 200 /);
    }
  },
});

for (const behind of ["the end", "hello\r\n\r\n"]) {
  Deno.test({
    name: `a body that came whole can be read later, whatever comes behind it: ${JSON.stringify(behind)}`,
    ignore,
    async fn() {
      await using server = serve(async (request) => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        return new Response(`got ${await new Response(request.body).text().catch(() => "half")}`);
      });
      using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      const bytes = post("", "body") + (behind === "the end" ? "" : behind);
      await client.write(new TextEncoder().encode(bytes));
      if (behind === "the end") await client.closeWrite();
      assert.match(await new Response(client.readable).text(), /^HTTP\/1\.1 200 [^]*got body$/);
    },
  });
}

Deno.test({
  name: "what comes behind bytes that are no HTTP is not looked at, however much it is",
  ignore,
  async fn() {
    const warnings: Error[] = [];
    const warn = (warning: Error) => void warnings.push(warning);
    process.on("warning", warn);
    const held = Promise.withResolvers<void>();
    await using server = serve(() => held.promise.then(() => new Response("here")));
    using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await writeAll(client, new TextEncoder().encode(get() + "?\r\n".repeat(700_000)));
    held.resolve();
    assert.match(await new Response(client.readable).text().catch(String), /here/);
    process.off("warning", warn);
    assert.deepEqual(warnings, []);
  },
});

Deno.test({
  name: "a client that sends no more and still reads gets its answer; a stream ends when its client has gone",
  ignore,
  async fn() {
    const cancelled = Promise.withResolvers<void>();
    await using server = serve((request) =>
      Promise.resolve(
        request.method === "GET"
          ? new Response(new ReadableStream({ cancel: () => cancelled.resolve() }), isStream)
          : new Response("here"),
      )
    );
    using caller = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await caller.write(new TextEncoder().encode(post("", "body")));
    await caller.closeWrite();
    assert.match(await new Response(caller.readable).text(), /here$/);
    const listener = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await listener.write(new TextEncoder().encode(get()));
    await readUntil(listener, "\r\n\r\n");
    listener.close();
    await cancelled.promise;
  },
});

/** The ports that the process listens on, by the operating system's own tables. */
async function listeningPorts(pid: number): Promise<readonly number[]> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `ls -l /proc/${pid}/fd; cat /proc/${pid}/net/tcp /proc/${pid}/net/tcp6`],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const inodes = new Set([...text.matchAll(/socket:\[(\d+)\]/g)].map(([, inode]) => inode));
  return text.split("\n").map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === "0A" && inodes.has(fields[9]))
    .map((fields) => parseInt(fields[1]?.split(":").at(-1) ?? "", 16));
}

Deno.test({
  name: "a program listens where it was told to and nowhere else, and a connection takes one handle",
  ignore: ignore || Deno.build.os !== "linux",
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgram });
    assert.deepEqual(await listeningPorts(program.pid), [program.port]);
    const list = new Deno.Command("ls", { args: [`/proc/${program.pid}/fd`] });
    const handles = () => new TextDecoder().decode(list.outputSync().stdout).split("\n").length;
    await program.ask("tools/list");
    const before = handles();
    const open: Deno.TcpConn[] = [];
    for (let number = 0; number < 20; number++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: program.port });
      open.push(connection);
      await connection.write(new TextEncoder().encode(get()));
      await connection.read(new Uint8Array(1_024));
    }
    assert.ok(handles() - before <= 22, `${handles() - before} handles`);
    for (const connection of open) connection.close();
    await until("they are gone", () => handles() <= before + 2);
  },
});
