import assert from "@std/assert";
import { exportJWK, generateKeyPair, UnsecuredJWT } from "jose";
import { AccessTokenError } from "../../src/common/http/admission.ts";
import { Issuer, IssuerError } from "../../src/common/http/issuer.ts";
import { OAuth } from "../../src/common/http/oauth.ts";
import { permitted } from "../support/permitted.ts";

const ignore = !permitted;

/** An authorization server whose keys are what a test says: a real one publishes none that can't be read. */
function publish(keys: string, status = 200) {
  let fetches = 0;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
    const { origin, pathname } = new URL(url);
    if (pathname !== "/jwks") return Response.json({ issuer: origin, jwks_uri: `${origin}/jwks` });
    fetches++;
    return new Response(keys, { status });
  });
  return {
    issuer: `http://127.0.0.1:${server.addr.port}`,
    fetches: () => fetches,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A token that nobody of the authorization server's has signed. */
function strangersToken(header: Readonly<Record<string, unknown>>, claims = {}): string {
  const [, payload] = new UnsecuredJWT(claims).encode().split(".");
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
