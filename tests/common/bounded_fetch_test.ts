import assert from "@std/assert";
import {
  boundedFetch,
  type BoundedRequest,
  TransportFault,
  type TransportFaultKind,
} from "../../src/common/bounded_fetch.ts";
import { type Certificates, makeCertificates, opensslAvailable } from "../support/certificates.ts";
import { permitted } from "../support/permitted.ts";
import { freePort } from "../support/real_program.ts";

const maxBytes = 1_000;

function request(changes: Partial<BoundedRequest> = {}): BoundedRequest {
  return {
    method: "POST",
    headers: new Headers(),
    body: "a=b",
    client: undefined,
    signal: new AbortController().signal,
    timeoutMs: 10_000,
    maxBytes,
    ...changes,
  };
}

/** What an attempt to read the whole answer ends with. */
async function outcome(url: string, changes: Partial<BoundedRequest> = {}): Promise<unknown> {
  try {
    return await (await boundedFetch(new URL(url), request(changes))).text();
  } catch (error) {
    return error;
  }
}

function assertFault(found: unknown, kind: TransportFaultKind, message: RegExp, url = ""): void {
  if (!(found instanceof TransportFault)) throw new Error(`No fault: ${found}`);
  assert.equal(found.kind, kind, `${found.message}: ${found.cause}`);
  assert.match(found.message, message);
  if (url !== "") assert.ok(!found.message.includes(new URL(url).host), found.message);
}

/** Answers each connection with those bytes once a request has come, and closes it unless it is to stay. */
function rawServer(answer: string | Uint8Array, { stay = false } = {}) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const bytes = typeof answer === "string" ? new TextEncoder().encode(answer) : answer;
  const connections: Deno.Conn[] = [];
  const closed = Promise.withResolvers<void>();
  const serve = async (connection: Deno.Conn) => {
    try {
      const buffer = new Uint8Array(65_536);
      await connection.read(buffer);
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
      if (stay) {
        while (await connection.read(buffer) !== null) { /* until the other end closes */ }
        closed.resolve();
      }
    } catch {
      closed.resolve();
    } finally {
      try {
        connection.close();
      } catch { /* closed already */ }
    }
  };
  const running: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      running.push(serve(connection));
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}/api/v1/alerts`,
    /** Resolves when a client closed its connection. */
    closed: closed.promise,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const connection of connections) {
        try {
          connection.close();
        } catch { /* closed already */ }
      }
      await Promise.all(running);
    },
  };
}

const head = "HTTP/1.1 200 OK\r\n";

interface Case {
  readonly name: string;
  readonly answer: string;
  readonly kind: TransportFaultKind;
  readonly message: RegExp;
}

const broken: readonly Case[] = [
  { name: "closed without an answer", answer: "", kind: "broken", message: /broke before/ },
  {
    name: "a body cut short",
    answer: `${head}content-length: 100\r\n\r\nabc`,
    kind: "broken",
    message: /broke/,
  },
  {
    name: "chunks without an end",
    answer: `${head}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`,
    kind: "broken",
    message: /broke/,
  },
  {
    name: "compressed, and not",
    answer: `${head}content-encoding: gzip\r\ncontent-length: 5\r\n\r\nabcde`,
    kind: "broken",
    message: /broke/,
  },
  {
    name: "another protocol",
    answer: "SSH-2.0-OpenSSH_9.9\r\n",
    kind: "broken",
    message: /does not speak HTTP/,
  },
  {
    name: "a redirect",
    answer: "HTTP/1.1 302 Found\r\nlocation: http://elsewhere.example/\r\ncontent-length: 0\r\n\r\n",
    kind: "redirect",
    message: /redirect, which is not followed/,
  },
  {
    name: "a permanent redirect that keeps the method",
    answer: "HTTP/1.1 308 Permanent Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
    kind: "redirect",
    message: /redirect/,
  },
  {
    name: "more bytes than allowed",
    answer: `${head}content-length: 1001\r\n\r\n${"x".repeat(1_001)}`,
    kind: "too_large",
    message: /larger than 1000 bytes/,
  },
];

for (const { name, answer, kind, message } of broken) {
  Deno.test({
    name: `an answer that is ${name}`,
    ignore: !permitted,
    async fn() {
      await using server = rawServer(answer);
      // The path is /api/v1/alerts, which is no TLS alert.
      assertFault(await outcome(server.url), kind, message, server.url);
    },
  });
}

Deno.test({
  name: "as many bytes as allowed are an answer, with invalid UTF-8 replaced",
  ignore: !permitted,
  async fn() {
    const body = new TextEncoder().encode(`${head}content-length: 1000\r\n\r\n${"é".repeat(499)}xx`);
    body[body.length - 1] = 0xff;
    await using server = rawServer(body);
    assert.equal(await outcome(server.url), `${"é".repeat(499)}x\ufffd`);
  },
});

Deno.test({
  name: "a compressed answer is counted as it is unpacked",
  ignore: !permitted,
  async fn() {
    const zeros = new Blob([new Uint8Array(20_000_000)]).stream().pipeThrough(new CompressionStream("gzip"));
    const packed = new Uint8Array(await new Response(zeros).arrayBuffer());
    const start = new TextEncoder().encode(
      `${head}content-encoding: gzip\r\ncontent-length: ${packed.length}\r\n\r\n`,
    );
    await using server = rawServer(new Uint8Array([...start, ...packed]));
    assertFault(await outcome(server.url), "too_large", /larger/);
  },
});

Deno.test({
  name: "the time ends, before the answer and within it",
  ignore: !permitted,
  async fn() {
    for (const answer of ["", `${head}content-length: 100\r\n\r\nabc`]) {
      await using server = rawServer(answer, { stay: true });
      assertFault(await outcome(server.url, { timeoutMs: 100 }), "timeout", /within 0\.1 s/);
      await server.closed;
    }
  },
});

Deno.test({
  name: "the caller's own reason comes back, and the connection is closed",
  ignore: !permitted,
  async fn() {
    for (const answer of ["", `${head}content-length: 100\r\n\r\nabc`]) {
      await using server = rawServer(answer, { stay: true });
      const reason = new Error("nobody waits any more");
      const caller = new AbortController();
      const asked = outcome(server.url, { signal: caller.signal });
      const timer = setTimeout(() => caller.abort(reason), 50);
      assert.equal(await asked, reason);
      await server.closed;
      clearTimeout(timer);
    }
  },
});

Deno.test({
  name: "what is discarded frees its connection",
  ignore: !permitted,
  async fn() {
    await using server = rawServer(`${head}content-length: 100\r\n\r\nabc`, { stay: true });
    await (await boundedFetch(new URL(server.url), request())).discard();
    await server.closed;
  },
});

Deno.test({
  name: "reading may stop in the middle",
  ignore: !permitted,
  async fn() {
    await using server = rawServer(`${head}content-length: 100\r\n\r\nabc`, { stay: true });
    for await (const chunk of (await boundedFetch(new URL(server.url), request())).chunks()) {
      assert.equal(new TextDecoder().decode(chunk), "abc");
      break;
    }
    await server.closed;
  },
});

Deno.test({
  name: "nobody listens there",
  ignore: !permitted,
  async fn() {
    const url = `http://127.0.0.1:${freePort()}/api/v1/alerts`;
    assertFault(await outcome(url), "refused", /connection was refused/, url);
  },
});

Deno.test({
  name: "no such host",
  ignore: !permitted,
  async fn() {
    const url = "http://dns-tls-certificate.invalid/";
    assertFault(await outcome(url), "unknown_host", /its name is not known/, url);
  },
});

Deno.test({
  name: "a host that this build may not reach",
  ignore: !permitted,
  async fn() {
    const module = new URL("../../src/common/bounded_fetch.ts", import.meta.url).href;
    const script = `import { boundedFetch } from ${JSON.stringify(module)};
      const signal = new AbortController().signal;
      await boundedFetch(new URL("http://192.0.2.1/"), { method: "GET", headers: new Headers(), client: undefined,
        signal, timeoutMs: 5000, maxBytes: 100 }).catch((error) => console.log(error.kind, error.message));`;
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/ask.ts`, script);
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-prompt", "--no-config", "--allow-net=127.0.0.1", `${folder}/ask.ts`],
        stdin: "null",
        stderr: "null",
      }).output();
      assert.match(new TextDecoder().decode(stdout), /^permission .*without permission to reach that host/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "certificates",
  ignore: !opensslAvailable,
  async fn(context) {
    const certificates = await makeCertificates();
    using trusting = Deno.createHttpClient({ caCerts: [certificates.authority] });
    const cases: readonly (readonly [
      name: string,
      which: keyof Omit<Certificates, "authority">,
      client: Deno.HttpClient | undefined,
      message: RegExp | undefined,
    ])[] = [
      ["one that is trusted", "server", trusting, undefined],
      ["one of an unknown authority", "server", undefined, /authority that is not trusted/],
      ["one that has expired", "expired", trusting, /has expired/],
      ["one for another name", "otherName", trusting, /for another name/],
    ];
    for (const [name, which, client, message] of cases) {
      await context.step(name, async () => {
        await using server = Deno.serve(
          { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...certificates[which] },
          () => new Response("well"),
        );
        const url = `https://localhost:${server.addr.port}/`;
        const found = await outcome(url, { client });
        if (message === undefined) assert.equal(found, "well");
        else assertFault(found, "tls", message, url);
      });
    }
    await context.step("a server that speaks no TLS", async () => {
      await using server = rawServer("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
      const url = server.url.replace("http:", "https:");
      assertFault(await outcome(url, { client: trusting }), "tls", /does not speak TLS/, url);
    });
  },
});
