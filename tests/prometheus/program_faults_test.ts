/** prometheus-mcp over stdio while its Prometheus fails: each fault has its sentence, and the next call recovers. */
import assert from "@std/assert";
import { makeCertificates, opensslAvailable } from "../support/certificates.ts";
import { FakePrometheus, faults, type Play, redirectTo } from "../support/fake_prometheus.ts";
import { RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";

const program = "prometheus";
const token = "a-token-that-nobody-may-see";

/** A tool for each way of asking: by POST and by GET. */
const calls: readonly (readonly [tool: string, args: Readonly<Record<string, unknown>>])[] = [
  ["query_metrics", { query: "vector(1)" }],
  ["list_alerts", {}],
  ["list_targets", {}],
];

/** What never belongs into an answer: the secret, a stack, a path or a name of the code. */
const leaks = /a-token-that|\n\s+at |file:\/\/|\.[jt]s\b|\/src\/|TypeError|undefined|\[object/;

Deno.test({
  name: "prometheus-mcp over stdio, faults",
  ignore: !permitted,
  async fn(context) {
    await using elsewhere = new FakePrometheus();
    await using fake = new FakePrometheus();
    const variables = {
      PROMETHEUS_URL: `${fake.url}/a/prefix`,
      PROMETHEUS_TOKEN: token,
      RATE_LIMIT_PER_MINUTE: "0",
    };
    await using client = await RawClient.connect({ program, variables });
    // All but one of the faults end by themselves.
    await using hasty = await RawClient.connect({
      program,
      variables: { ...variables, PROMETHEUS_TIMEOUT_MS: "1000" },
    });
    const sentences = new Map<string, string>();
    const cases: readonly (readonly [what: string, play: Play, sentence: RegExp])[] = [
      ["slow", faults.slow, /too slow|within \d/],
      ["503 with Retry-After", faults.unavailable, /not available \(503\).*after 7 s/],
      ["429 with Retry-After", faults.tooManyRequests, /asked too often \(429\).*after 3 s/],
      ["HTML instead of JSON", faults.html, /web page titled "Sign in"/],
      ["truncated JSON", faults.truncated, /cut short or damaged/],
      ["an endless body", faults.endless, /larger than/],
      ["a redirect to another host", redirectTo(elsewhere.url), /redirect, which is not followed/],
      ["a wrong token", faults.unauthorized, /refuses the credentials \(401\)[\s\S]*PROMETHEUS_TOKEN/],
      ["no right", faults.forbidden, /refuses the credentials \(403\): RBAC: access denied/],
      ["another program", faults.notFound, /has no \/api\/v1\/\w+ \(404\)/],
      [
        "Prometheus's own words",
        faults.tooManySamples,
        /execution: query processing would load too many samples/,
      ],
      ["its time-out", faults.timeout, /timeout: query timed out in expression evaluation/],
    ];
    for (const [what, play, sentence] of cases) {
      await context.step(what, async () => {
        fake.play = play;
        for (const [tool, args] of calls) {
          const { isError, text } = await (play === faults.slow ? hasty : client).call(tool, args);
          assert.ok(isError, `${tool}: ${text}`);
          assert.match(text, sentence, tool);
          assert.doesNotMatch(text, leaks, tool);
          assert.ok(text.length < 1_000, `${text.length} characters`);
          if (tool === "query_metrics") sentences.set(what, text);
        }
        fake.play = undefined;
        for (const [tool, args] of calls) {
          const { isError, text } = await client.call(tool, args);
          assert.equal(isError, false, `${tool}, afterwards: ${text}`);
        }
      });
    }

    await context.step("no two faults have the same sentence", () => {
      assert.equal(new Set(sentences.values()).size, cases.length);
    });

    await context.step("the credentials came where they belong, and nowhere else", () => {
      assert.deepEqual([...new Set(fake.credentials)], [`Bearer ${token}`]);
      assert.deepEqual(elsewhere.requests, []);
    });

    await context.step("every request went below the prefix, to a path that reads", () => {
      const paths = new Set(fake.requests.map(({ method, path }) => `${method} ${path}`));
      for (const path of paths) {
        assert.match(
          path,
          /^(GET|POST) \/a\/prefix\/api\/v1\/(query|rules|alerts|targets|metadata|stores|status\/buildinfo)$/,
        );
      }
    });

    await context.step("neither the log nor the audit holds the token", () => {
      assert.ok(!client.stderr.includes(token) && !hasty.stderr.includes(token));
      const audited = client.auditLines.length + hasty.auditLines.length;
      assert.ok(audited >= cases.length * calls.length * 2, `${audited} lines`);
    });
  },
});

Deno.test({
  name: "prometheus-mcp over stdio, certificates",
  ignore: !opensslAvailable,
  async fn(context) {
    const [certificates, others] = [await makeCertificates(), await makeCertificates()];
    const folder = await Deno.makeTempDir();
    const authority = `${folder}/authority.pem`;
    try {
      const cases = [
        ["expired", certificates.expired, certificates.authority, /certificate has expired/],
        [
          "for another name",
          certificates.otherName,
          certificates.authority,
          /certificate is for another name/,
        ],
        [
          "of another authority of that name",
          certificates.server,
          others.authority,
          /certificate can't be accepted[\s\S]*PROMETHEUS_CA_FILE/,
        ],
      ] as const;
      for (const [what, certificate, trusted, sentence] of cases) {
        await context.step(what, async () => {
          await Deno.writeTextFile(authority, trusted);
          const wrong = new FakePrometheus({ certificate });
          await using client = await RawClient.connect({
            program,
            variables: {
              PROMETHEUS_CA_FILE: authority,
              PROMETHEUS_URL: wrong.url,
              PROMETHEUS_TOKEN: token,
            },
          });
          const { isError, text } = await client.call("query_metrics", { query: "vector(1)" });
          await wrong[Symbol.asyncDispose]();
          assert.ok(isError, text);
          assert.match(text, sentence);
          assert.doesNotMatch(text, leaks);
          assert.deepEqual(wrong.credentials, [], "nothing is sent to whom we do not trust");

          await Deno.writeTextFile(authority, certificates.authority);
          await using _mended = new FakePrometheus({
            certificate: certificates.server,
            port: Number(new URL(wrong.url).port),
          });
          const next = await client.call("query_metrics", { query: "vector(1)" });
          assert.equal(next.isError, false, next.text);
        });
      }
      await context.step("of an unknown authority", async () => {
        await using fake = new FakePrometheus({ certificate: certificates.server });
        await using client = await RawClient.connect({
          program,
          variables: { PROMETHEUS_URL: fake.url, PROMETHEUS_TOKEN: token },
        });
        const { isError, text } = await client.call("query_metrics", { query: "vector(1)" });
        assert.ok(isError, text);
        assert.match(text, /not trusted[\s\S]*PROMETHEUS_CA_FILE/);
        assert.deepEqual(fake.credentials, []);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "prometheus-mcp over stdio, a Prometheus that is down and comes back",
  ignore: !prometheusAvailable,
  async fn() {
    await using server = await startPrometheus();
    await server.stop();
    await using client = await RawClient.connect({ program, variables: { PROMETHEUS_URL: server.url } });
    const down = await client.call("query_metrics", { query: "vector(1)" });
    assert.ok(down.isError);
    assert.match(down.text, /Cannot reach Prometheus at 127\.0\.0\.1:\d+ as the connection was refused/);
    await server.start();
    const up = await client.call("query_metrics", { query: "vector(1)" });
    assert.equal(up.isError, false, up.text);
    await server.stop();
    assert.ok((await client.call("list_targets")).isError);
  },
});
