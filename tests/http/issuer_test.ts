import assert from "@std/assert";
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { AccessTokenError } from "../../src/common/http/admission.ts";
import { Issuer, IssuerError } from "../../src/common/http/issuer.ts";
import { OAuth } from "../../src/common/http/oauth.ts";
import { permitted } from "../support/permitted.ts";
import { until } from "../support/until.ts";

const ignore = !permitted;

/** An authorization server whose keys are what a test says: a real one publishes none that can't be read. */
function publish(keys: string, status = 200, metadata?: (origin: string) => string) {
  let fetches = 0;
  let discoveries = 0;
  const published = { keys, status };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
    const { origin, pathname } = new URL(url);
    if (pathname !== "/jwks") {
      discoveries++;
      if (metadata !== undefined) return new Response(metadata(origin));
      return Response.json({ issuer: origin, jwks_uri: `${origin}/jwks` });
    }
    fetches++;
    return new Response(published.keys, { status: published.status });
  });
  return {
    issuer: `http://127.0.0.1:${server.addr.port}`,
    published,
    fetches: () => fetches,
    discoveries: () => discoveries,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A token that nobody of the authorization server's has signed. */
function strangersToken(header: Readonly<Record<string, unknown>>): string {
  const [, payload] = new UnsecuredJWT({}).encode().split(".");
  const text = btoa(JSON.stringify(header)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return `${text}.${payload}.AAAA`;
}

const unreadable: readonly (readonly [string, string, number])[] = [
  ["an error", "", 500],
  ["no JSON", "<html>", 200],
  ["no set of keys", "[]", 200],
  ["keys that are none", '{"keys":[[]]}', 200],
];

for (const [what, keys, status] of unreadable) {
  Deno.test({
    name: `where the keys are ${what}, strangers' tokens have them fetched no more than every two seconds`,
    ignore,
    async fn() {
      await using server = publish(keys, status);
      let now = 0;
      const get = await new Issuer(server.issuer, () => now).keys();
      const ask = () =>
        assert.rejects(
          async () => await get({ alg: "ES256", kid: "x" }, { payload: "", signature: "" }),
          IssuerError,
        );
      for (let number = 0; number < 20; number++) await ask();
      assert.equal(server.fetches(), 1);
      now = 2_000;
      await ask();
      assert.equal(server.fetches(), 2);
    },
  });
}

/** A key pair of the authorization server's, and the set that it publishes it in. */
async function keyPair(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const set = JSON.stringify({ keys: [{ ...await exportJWK(publicKey), kid, alg: "ES256" }] });
  return { kid, privateKey, set };
}

/** A key as a token names it. */
const find = async (issuer: Issuer, kid: string) =>
  await (await issuer.keys())({ alg: "ES256", kid }, { payload: "", signature: "" });

Deno.test({
  name: "strangers' tokens that name keys which are not there have the keys fetched once for many of them",
  ignore,
  async fn() {
    await using server = publish((await keyPair("known")).set);
    const issuer = new Issuer(server.issuer);
    assert.ok(await find(issuer, "known"));
    for (let number = 0; number < 20; number++) await assert.rejects(() => find(issuer, `x${number}`));
    assert.equal(server.fetches(), 1);
  },
});

Deno.test({
  name: "a key that is published no more is accepted for ten minutes at most",
  ignore,
  async fn() {
    await using server = publish((await keyPair("old")).set);
    const issuer = new Issuer(server.issuer);
    const wall = Date.now;
    try {
      assert.ok(await find(issuer, "old"));
      server.published.keys = (await keyPair("fresh")).set;
      assert.ok(await find(issuer, "old"));
      Date.now = () => wall() + 10 * 60_000 + 1_000;
      await assert.rejects(() => find(issuer, "old"));
    } finally {
      Date.now = wall;
    }
  },
});

Deno.test({
  name: "metadata are asked for once by many at the same time, and again after an hour",
  ignore,
  async fn() {
    await using server = publish((await keyPair("known")).set);
    let now = 0;
    const issuer = new Issuer(server.issuer, () => now);
    await Promise.all(Array.from({ length: 20 }, () => find(issuer, "known")));
    now = 3_599_999;
    await find(issuer, "known");
    assert.equal(server.discoveries(), 1);
    now = 3_600_000;
    await find(issuer, "known");
    assert.equal(server.discoveries(), 2);
  },
});

/** What an authorization server says of itself, and why it is not taken. */
const metadata: readonly (readonly [string, (origin: string) => string, RegExp])[] = [
  ["no JSON", () => "<html>", /not JSON/],
  ["nothing", () => "null", /another issuer/],
  [
    "another issuer's",
    (origin) => JSON.stringify({ issuer: `${origin}/`, jwks_uri: `${origin}/jwks` }),
    /another issuer/,
  ],
  ["without keys", (origin) => JSON.stringify({ issuer: origin }), /no keys/],
  ["with keys that are nowhere", (origin) => JSON.stringify({ issuer: origin, jwks_uri: "jwks" }), /no keys/],
  [
    "with keys over a plain connection",
    (origin) => JSON.stringify({ issuer: origin, jwks_uri: "http://keys.example.com/jwks" }),
    /unencrypted connection/,
  ],
  [
    "too long",
    (origin) => JSON.stringify({ issuer: origin, more: "x".repeat(1_100_000) }),
    /larger than 1024 kB/,
  ],
];

for (const [what, text, complaint] of metadata) {
  Deno.test({
    name: `metadata that are ${what} give no keys, and are not asked for again for two seconds`,
    ignore,
    async fn() {
      await using server = publish("", 200, text);
      let now = 0;
      const issuer = new Issuer(server.issuer, () => now);
      const refused = () =>
        assert.rejects(
          () => issuer.keys(),
          (error: unknown) => error instanceof IssuerError && complaint.test(error.message),
        );
      for (let number = 0; number < 20; number++) await refused();
      const once = server.discoveries();
      assert.ok(once <= 2, `${once} requests`);
      now = 2_000;
      await refused();
      assert.equal(server.discoveries(), 2 * once);
    },
  });
}

/** What checks tokens of that issuer, and what it logs as a warning. */
function verifier(issuer: string) {
  const warnings: string[] = [];
  const log = { debug() {}, info() {}, warn: (line: string) => void warnings.push(line), error() {} };
  const resource = new URL("http://localhost/mcp");
  return { oauth: new OAuth({ issuer, audiences: [resource.href], scopes: [], resource }, log), warnings };
}

async function codeOf(oauth: OAuth, token: string): Promise<string> {
  const error = await oauth.verify(token).catch((error) => error);
  assert.ok(error instanceof AccessTokenError);
  return error.code;
}

Deno.test({
  name: "that no token can be checked is said once, however many strangers try",
  ignore,
  async fn() {
    await using server = publish("", 500);
    const { oauth, warnings } = verifier(server.issuer);
    for (let number = 0; number < 5; number++) {
      assert.equal(await codeOf(oauth, strangersToken({ alg: "ES256", kid: "x" })), "unavailable");
    }
    assert.deepEqual(warnings, ["access tokens can't be checked"]);
  },
});

Deno.test({
  name: "that no token can be checked is said again where one could be meanwhile",
  ignore,
  async fn() {
    const { kid, privateKey, set } = await keyPair("known");
    await using server = publish(set, 500);
    const { oauth, warnings } = verifier(server.issuer);
    const good = await new SignJWT({ iss: server.issuer, aud: "http://localhost/mcp", sub: "alice" })
      .setExpirationTime("1 h").setProtectedHeader({ alg: "ES256", kid }).sign(privateKey);
    assert.equal(await codeOf(oauth, good), "unavailable");
    server.published.status = 200;
    await until("its keys are fetched again", () => oauth.verify(good).then(() => true, () => false));
    server.published.status = 500;
    const wall = Date.now;
    try {
      Date.now = () => wall() + 11 * 60_000;
      assert.equal(await codeOf(oauth, good), "unavailable");
    } finally {
      Date.now = wall;
    }
    assert.equal(warnings.length, 2);
  },
});

Deno.test({
  name: "a token that is none of the authorization server's by its form is not taken to it",
  ignore,
  async fn() {
    await using server = publish("", 500);
    const { oauth } = verifier(server.issuer);
    for (const token of ["opaque", "a.b", "a.b.c.d.e"]) {
      assert.equal(await codeOf(oauth, token), "invalid_token");
    }
    assert.equal(server.discoveries(), 0);
  },
});

Deno.test({
  name: "who calls is a visible name, until the token has expired, by clocks that differ a little",
  ignore,
  async fn() {
    const { kid, privateKey, set } = await keyPair("known");
    await using server = publish(set);
    const { oauth } = verifier(server.issuer);
    const exp = Math.floor(Date.now() / 1000) - 1;
    const token = await new SignJWT({
      iss: server.issuer,
      aud: "http://localhost/mcp",
      sub: "al\u202eice\n",
      exp,
    })
      .setProtectedHeader({ alg: "ES256", kid }).sign(privateKey);
    assert.deepEqual(await oauth.verify(token), {
      client: "oauth:al\\u{202e}ice\\n",
      revoked: undefined,
      expiresAt: (exp + 5) * 1_000,
    });
  },
});

Deno.test({
  name: "a stranger's token that names a key that is too weak does not look like an outage",
  ignore,
  async fn() {
    const { publicKey } = await crypto.subtle.generateKey(
      {
        name: "RSASSA-PKCS1-v1_5",
        hash: "SHA-256",
        modulusLength: 1024,
        publicExponent: new Uint8Array([1, 0, 1]),
      },
      true,
      ["sign", "verify"],
    );
    const weak = { ...await exportJWK(publicKey), kid: "weak", alg: "RS256", use: "sig" };
    await using server = publish(JSON.stringify({ keys: [weak] }));
    const { oauth, warnings } = verifier(server.issuer);
    assert.equal(await codeOf(oauth, strangersToken({ alg: "RS256", kid: "weak" })), "invalid_token");
    assert.deepEqual(warnings, []);
  },
});

Deno.test({
  name: "a clock that is set back an hour does not keep a new key of the authorization server out",
  ignore,
  async fn() {
    const publicKey = async (kid: string) => ({
      ...await exportJWK((await generateKeyPair("ES256")).publicKey),
      kid,
      alg: "ES256",
    });
    const keys = [await publicKey("old")];
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
      const { origin, pathname } = new URL(url);
      return Response.json(
        pathname === "/jwks" ? { keys } : { issuer: origin, jwks_uri: `${origin}/jwks` },
      );
    });
    const issuer = new Issuer(`http://127.0.0.1:${server.addr.port}`);
    const find = async (kid: string) =>
      await (await issuer.keys())({ alg: "ES256", kid }, { payload: "", signature: "" });
    const wall = Date.now;
    try {
      await find("old");
      keys.splice(0, 1, await publicKey("fresh"));
      Date.now = () => wall() - 3_600_000;
      assert.ok(await find("fresh"));
      await assert.rejects(() => find("old"));
    } finally {
      Date.now = wall;
      await server.shutdown();
    }
  },
});
