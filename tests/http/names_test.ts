import assert from "@std/assert";
import { HttpProgram, patientProgram, sendRaw } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";
import { parseAllowedHosts, parseAllowedOrigins, refuseByName } from "../../src/common/http/guard.ts";

const paths = ["/mcp", "/healthz", "/readyz", "/metrics", "/nowhere"];

/** The status of a request with these header lines, as bytes. */
async function status(program: HttpProgram, path: string, lines: readonly string[]): Promise<number> {
  const answer = await sendRaw(
    program.port,
    `GET ${path} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join("")}Connection: close\r\n\r\n`,
  );
  return Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1]);
}

/** Header lines, and whether they get past the check of names. */
const cases: readonly (readonly [string, boolean, readonly string[]])[] = [
  ["127.0.0.1", true, ["Host: 127.0.0.1"]],
  ["localhost and a port", true, ["Host: localhost:1234"]],
  ["letters of any case", true, ["Host: LocalHost"]],
  ["[::1]", true, ["Host: [::1]:80"]],
  ["a name with a final dot", true, ["Host: localhost."]],
  ["another name", false, ["Host: evil.example.com"]],
  ["another name at the right port", false, ["Host: evil.example.com:8080"]],
  ["a name that begins with ours", false, ["Host: localhost.evil.example.com"]],
  ["a name that ends with ours", false, ["Host: evil-localhost"]],
  ["our name as a user", false, ["Host: localhost@evil.example.com"]],
  ["another name as a user", false, ["Host: evil@localhost"]],
  ["a name with a path", false, ["Host: localhost/evil"]],
  ["an empty name", false, ["Host: "]],
  ["a name with a blank", false, ["Host: local host"]],
  ["two names", false, ["Host: localhost", "Host: evil.example.com"]],
  ["two names in one", false, ["Host: localhost, evil.example.com"]],
  ["no name", false, []],
  ["a decimal address", false, ["Host: 2130706433"]],
  ["a port that is none", false, ["Host: localhost:99999999"]],
  ["an origin of this machine", true, ["Host: localhost", "Origin: http://localhost:3000"]],
  ["an https origin of this machine", true, ["Host: localhost", "Origin: https://127.0.0.1"]],
  ["another origin", false, ["Host: localhost", "Origin: https://evil.example.com"]],
  ["an origin that begins with ours", false, [
    "Host: localhost",
    "Origin: http://localhost.evil.example.com",
  ]],
  ["an origin with a user", false, ["Host: localhost", "Origin: http://localhost@evil.example.com"]],
  ["the origin of nobody", false, ["Host: localhost", "Origin: null"]],
  ["an empty origin", false, ["Host: localhost", "Origin: "]],
  ["two origins, ours behind the other", false, [
    "Host: localhost",
    "Origin: https://evil.example.com",
    "Origin: http://localhost",
  ]],
  ["two origins", false, ["Host: localhost", "Origin: http://localhost", "Origin: https://evil.example.com"]],
];

Deno.test({
  name: "Host and Origin are checked on every route, and only names of this machine are answered",
  ignore: !permitted,
  async fn(t) {
    await using program = await HttpProgram.start({ command: patientProgram });
    for (const [what, isAllowed, lines] of cases) {
      await t.step(`${what}: ${isAllowed ? "answered" : "refused"}`, async () => {
        for (const path of paths) {
          const code = await status(program, path, lines);
          const isRefused = code === 400 || code === 403;
          assert.equal(isRefused, !isAllowed, `${path}: ${code}`);
        }
      });
    }
    await t.step("a request line that names another host than its header is refused", async () => {
      assert.equal(await status(program, "http://evil.example.com/healthz", ["Host: localhost"]), 400);
      assert.equal(await status(program, "http://localhost/healthz", ["Host: localhost"]), 200);
    });
    await t.step("HTTP/1.0, which needs no name, is answered under one alone", async () => {
      const answer = (lines: string) => sendRaw(program.port, `GET /healthz HTTP/1.0\r\n${lines}\r\n`);
      assert.match(await answer(""), /^HTTP\/1\.[01] 400 /);
      assert.match(await answer("Host: localhost\r\n"), /^HTTP\/1\.[01] 200 /);
    });
    await t.step("the refusals are counted", async () => {
      assert.ok(await program.metric('mcp_http_refusals_total{reason="host"}') > 0);
      assert.ok(await program.metric('mcp_http_refusals_total{reason="origin"}') > 0);
    });
  },
});

Deno.test({
  name: "names that an operator gives take the place of those of this machine",
  ignore: !permitted,
  async fn() {
    await using program = await HttpProgram.start({
      command: patientProgram,
      variables: {
        MCP_ALLOWED_HOSTS: "127.0.0.1,mcp.example.com,10.0.0.7:8080",
        MCP_ALLOWED_ORIGINS: "https://app.example.com",
        MCP_PUBLIC_URL: "https://public.example.com/mcp",
      },
    });
    const of = (...lines: string[]) => status(program, "/healthz", lines);
    assert.equal(await of("Host: mcp.example.com"), 200);
    assert.equal(await of("Host: mcp.example.com:443"), 200);
    assert.equal(await of("Host: public.example.com"), 200);
    assert.equal(await of("Host: 10.0.0.7:8080"), 200);
    assert.equal(await of("Host: 10.0.0.7:8081"), 403);
    assert.equal(await of("Host: 10.0.0.7"), 403);
    assert.equal(await of("Host: localhost"), 403);
    assert.equal(await of("Host: mcp.example.com", "Origin: https://app.example.com"), 200);
    assert.equal(await of("Host: mcp.example.com", "Origin: http://app.example.com"), 403);
    assert.equal(await of("Host: mcp.example.com", "Origin: http://app.example.com:443"), 403);
    assert.equal(await of("Host: mcp.example.com", "Origin: https://app.example.com:444"), 403);
    assert.equal(await of("Host: mcp.example.com", "Origin: http://localhost"), 403);
  },
});

Deno.test("an allowed host may be an IPv6 address with or without brackets, an origin a bare name", () => {
  const names = {
    hosts: parseAllowedHosts(["fd00::7", "[fd00::8]:8080"]),
    origins: parseAllowedOrigins(["app"]),
  };
  const refusal = (host: string, origin?: string) =>
    refuseByName(
      new Request(`http://${host}/`, { headers: { host, ...(origin === undefined ? {} : { origin }) } }),
      names,
    )?.reason;
  assert.equal(refusal("[fd00::7]:1"), undefined);
  assert.equal(refusal("[fd00::8]:8080"), undefined);
  assert.equal(refusal("[fd00::8]:8081"), "host");
  assert.equal(refusal("[fd00::7]", "https://app:9"), undefined);
  assert.equal(refusal("[fd00::7]", "http://app"), undefined);
  assert.equal(refusal("[fd00::7]", "http://apps"), "origin");
});
