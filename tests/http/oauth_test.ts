import assert from "@std/assert";
import { CompactSign, SignJWT, UnsecuredJWT } from "jose";
import {
  type AuthorizationServer,
  makeKey,
  startAuthorizationServer,
} from "../support/authorization_server.ts";
import { HttpProgram, sendRaw } from "../support/http_program.ts";
import { runProgramToEnd } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { newToken } from "../../src/common/http/tokens.ts";
import { until } from "../support/until.ts";

const resource = "https://mcp.example.com/tools/mcp";

function start(
  server: AuthorizationServer,
  variables: Readonly<Record<string, string>> = {},
): Promise<HttpProgram> {
  return HttpProgram.start({
    variables: {
      MCP_OAUTH_ISSUER: server.issuer,
      MCP_OAUTH_SCOPES: "mcp:read",
      MCP_PUBLIC_URL: resource,
      MCP_ALLOWED_HOSTS: "127.0.0.1",
      ...variables,
    },
  });
}

/** The response to a list of tools, without its body. */
async function list(program: HttpProgram, token?: string): Promise<Response> {
  const response = await program.send("tools/list", {}, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  await response.body?.cancel();
  return response;
}

Deno.test({
  name: "an access token of the authorization server lets its subject in",
  ignore: !permitted,
  async fn(t) {
    await using server = await startAuthorizationServer(resource);
    await using program = await start(server);
    const token = await server.token();
    await t.step(
      "with it a call is answered, under the subject's name, and the token goes nowhere",
      async () => {
        const answer = await program.ask("tools/call", { name: "list_tables", arguments: {} }, {
          headers: { authorization: `Bearer ${token}` },
        });
        assert.ok(answer.result !== undefined);
        await until("its line", () => program.auditLines.at(-1)?.client === "oauth:agent");
        assert.ok(!program.stderr.includes(token));
      },
    );
    await t.step("without a token the answer leads to the authorization server", async () => {
      const response = await list(program);
      assert.equal(response.status, 401);
      assert.equal(response.headers.get("cache-control"), "no-store");
      const challenge = response.headers.get("www-authenticate") ?? "";
      assert.equal(
        challenge,
        'Bearer realm="mcp", scope="mcp:read", ' +
          'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/tools/mcp"',
      );
    });
    for (const suffix of ["", "/mcp", "/tools/mcp"]) {
      await t.step(
        `the resource's metadata are at /.well-known/oauth-protected-resource${suffix}`,
        async () => {
          const response = await program.get(`/.well-known/oauth-protected-resource${suffix}`);
          assert.equal(response.status, 200);
          assert.deepEqual(await response.json(), {
            resource,
            authorization_servers: [server.issuer],
            bearer_methods_supported: ["header"],
            scopes_supported: ["mcp:read"],
          });
        },
      );
    }
    await t.step("a token without the scope is refused with 403 and told which", async () => {
      const response = await list(program, await server.token({ scope: "mcp:other" }));
      assert.equal(response.status, 403);
      assert.match(
        response.headers.get("www-authenticate") ?? "",
        /error="insufficient_scope".*scope="mcp:read"/,
      );
    });
    await t.step("a token for another resource is refused", async () => {
      const response = await list(program, await server.token({ resource: "https://other.example.com/" }));
      assert.equal(response.status, 401);
      assert.match(response.headers.get("www-authenticate") ?? "", /error="invalid_token".*another audience/);
    });
    await t.step("keys are fetched once for many tokens", async () => {
      await Promise.all(Array.from({ length: 20 }, () => list(program, token)));
      assert.equal(server.keyFetches(), 1);
    });
  },
});

/** Claims that make a token wrong, in seconds from now where they are times. */
const wrongClaims: readonly (readonly [string, (now: number) => Record<string, unknown>])[] = [
  ["has expired", (now) => ({ exp: now - 60, scope: "mcp:read" })],
  ["does not say when it expires", () => ({ exp: undefined, scope: "mcp:read" })],
  ["is not valid yet", (now) => ({ nbf: now + 3_600, scope: "mcp:read" })],
  ["is from another issuer", () => ({ iss: "https://evil.example.com", scope: "mcp:read" })],
  ["is for another audience", () => ({ aud: "https://mcp.example.com", scope: "mcp:read" })],
  ["is for nobody", () => ({ aud: undefined, scope: "mcp:read" })],
  ["names no subject", () => ({ sub: undefined, scope: "mcp:read" })],
];

Deno.test({
  name: "tokens that are not what they should be",
  ignore: !permitted,
  async fn(t) {
    await using server = await startAuthorizationServer(resource);
    await using program = await start(server);
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: server.issuer, aud: resource, sub: "mallory", exp: now + 300, scope: "mcp:read" };
    const refused = async (token: string) => {
      const response = await list(program, token);
      assert.equal(response.status, 401);
      assert.match(response.headers.get("www-authenticate") ?? "", /error="invalid_token"/);
    };
    await t.step("a good one, signed by the test with the server's key, is accepted", async () => {
      assert.equal((await list(program, await server.forge({ scope: "mcp:read" }))).status, 200);
      assert.equal(
        (await list(program, await server.forge({ scp: ["x", "mcp:read"] }, { typ: "JWT" }))).status,
        200,
      );
      assert.equal(
        (await list(program, await server.forge({ aud: ["x", resource], scope: "mcp:read" }))).status,
        200,
      );
    });
    for (const [what, change] of wrongClaims) {
      await t.step(`one that ${what} is refused`, async () => await refused(await server.forge(change(now))));
    }
    await t.step("one of another type is refused", async () => {
      await refused(await server.forge({ scope: "mcp:read" }, { typ: "logout+jwt" }));
    });
    await t.step("one whose type is no text is refused", async () => {
      const { privateKey, kid } = server.key;
      const payload = new TextEncoder().encode(JSON.stringify(claims));
      const header = { alg: "ES256", kid, typ: 5 as unknown as string };
      await refused(await new CompactSign(payload).setProtectedHeader(header).sign(privateKey));
    });
    await t.step(
      "a subject that would have to be cut is refused, and one of full length is not",
      async () => {
        const named = (length: number) => server.forge({ sub: "x".repeat(length), scope: "mcp:read" });
        await refused(await named(256));
        assert.equal((await list(program, await named(255))).status, 200);
        const call = { name: "list_tables", arguments: {} };
        await program.ask("tools/call", call, { headers: { authorization: `Bearer ${await named(255)}` } });
        await until(
          "who it was is recorded whole",
          () => program.auditLines.at(-1)?.client === `oauth:${"x".repeat(255)}`,
        );
      },
    );
    await t.step("one signed with another key under the same name is refused", async () => {
      await refused(await server.forge({ scope: "mcp:read" }, { key: await makeKey(server.key.kid) }));
    });
    await t.step("one signed with a key that nobody knows is refused", async () => {
      await refused(await server.forge({ scope: "mcp:read" }, { key: await makeKey("unknown") }));
    });
    await t.step("one without a signature is refused", async () => {
      await refused(new UnsecuredJWT(claims).encode());
    });
    await t.step("one signed with the public key as a shared secret is refused", async () => {
      const { jwk } = await makeKey("x");
      const keys = await (await fetch(`${server.issuer}/jwks`)).json();
      const secret = new TextEncoder().encode(JSON.stringify(keys.keys[0] ?? jwk));
      await refused(
        await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: server.key.kid }).sign(secret),
      );
    });
    await t.step("a signed text that is no set of claims is refused", async () => {
      await refused(
        await new CompactSign(new TextEncoder().encode("claims")).setProtectedHeader({
          alg: "ES256",
          kid: server.key.kid,
        }).sign(server.key.privateKey),
      );
    });
    for (const token of ["opaque", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30."]) {
      await t.step(`"${token}" is refused`, async () => await refused(token));
    }
  },
});

Deno.test({
  name: "a new key of the authorization server is fetched when a token names it, and its old tokens go",
  ignore: !permitted,
  async fn() {
    await using server = await startAuthorizationServer(resource);
    await using program = await start(server);
    const old = await server.token();
    assert.equal((await list(program, old)).status, 200);
    await server.rotate();
    const token = await server.token();
    // One fetch of keys leads to no other for some seconds, so that a stranger can't have them fetched at will.
    await until("the new key is known", async () => (await list(program, token)).status === 200);
    assert.equal((await list(program, old)).status, 401);
  },
});

Deno.test({
  name: "while the authorization server is down nobody is let in by it, and who has a static token is",
  ignore: !permitted,
  async fn(t) {
    const made = newToken("alice");
    const path = await Deno.makeTempFile({ prefix: "tokens-" });
    await Deno.writeTextFile(path, made.line);
    await using server = await startAuthorizationServer(resource);
    server.breakDown(true);
    await using program = await start(server, { MCP_TOKENS_FILE: path });
    const token = await server.forge({ scope: "mcp:read" });
    await t.step("503, and when to try again", async () => {
      const response = await list(program, token);
      assert.equal(response.status, 503);
      assert.equal(response.headers.get("retry-after"), "5");
    });
    await t.step("nor the metrics, which counts as a token that nobody can check", async () => {
      const answer = await sendRaw(
        program.port,
        `GET /metrics HTTP/1.1\r\nHost: mcp.example.com\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 503 /);
      assert.equal(await program.metric('mcp_http_refusals_total{reason="unverified"}'), 2);
      assert.equal(await program.metric('mcp_http_refusals_total{reason="unauthorized"}'), 0);
    });
    await t.step("the static token", async () => assert.equal((await list(program, made.token)).status, 200));
    await t.step("when it is back, its tokens are accepted", async () => {
      server.breakDown(false);
      await until("it is back", async () => (await list(program, token)).status === 200);
    });
    await Deno.remove(path);
  },
});

const wrongSettings: readonly (readonly [string, Record<string, string>, RegExp])[] = [
  [
    "an issuer over plain http",
    { MCP_OAUTH_ISSUER: "http://login.example.com" },
    /MCP_OAUTH_ISSUER must begin with https/,
  ],
  ["an issuer that is no URL", { MCP_OAUTH_ISSUER: "login" }, /MCP_OAUTH_ISSUER must be a URL/],
  ["scopes without an issuer", { MCP_OAUTH_SCOPES: "a" }, /MCP_OAUTH_SCOPES needs MCP_OAUTH_ISSUER/],
  ["a public URL with a query", { MCP_PUBLIC_URL: "https://x/mcp?a" }, /MCP_PUBLIC_URL must have neither/],
  ["a host with a path", { MCP_ALLOWED_HOSTS: "a.example.com/x" }, /MCP_ALLOWED_HOSTS must be/],
  [
    "an origin with a path",
    { MCP_ALLOWED_ORIGINS: "https://a.example.com/x" },
    /MCP_ALLOWED_ORIGINS must be/,
  ],
  ["a placeholder", { MCP_OAUTH_ISSUER: "${ISSUER}" }, /MCP_OAUTH_ISSUER still holds a placeholder/],
];

for (const [what, variables, complaint] of wrongSettings) {
  Deno.test({
    name: `${what} ends the start with exit 2`,
    ignore: !permitted,
    async fn() {
      const ended = await runProgramToEnd({ args: ["--http", "127.0.0.1:0"], variables });
      assert.equal(ended.code, 2, ended.stderr);
      assert.match(ended.stderr, complaint);
      assert.equal(ended.stderr.trim().split("\n").length, 1);
    },
  });
}
