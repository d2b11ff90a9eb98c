/** As whom a real Prometheus is asked: names and passwords, certificates, and files that are damaged. */
import assert from "@std/assert";
import { StartError } from "../../src/common/errors.ts";
import { makeCertificates, opensslAvailable } from "../support/certificates.ts";
import { FakePrometheus } from "../support/fake_prometheus.ts";
import { runProgramToEnd } from "../support/mcp.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { rejection } from "../support/rejection.ts";

const never = { signal: new AbortController().signal };

const one = async (url: string, variables: Readonly<Record<string, string>>) => {
  using asked = apiOf(url, variables);
  return (await asked.api.query("vector(1)", undefined, never)).series[0]?.value?.[1];
};

Deno.test({
  name: "a name and a password, on a real Prometheus",
  ignore: !prometheusAvailable,
  async fn() {
    // bcrypt of "test", from Prometheus's guide to basic authentication.
    const reader = "$2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay";
    await using server = await startPrometheus({
      webConfig: JSON.stringify({ basic_auth_users: { reader } }),
    });
    const named = { PROMETHEUS_USERNAME: "reader" };
    assert.equal(await one(server.url, { ...named, PROMETHEUS_PASSWORD: "test" }), "1");
    assert.match(
      (await rejection(one(server.url, { ...named, PROMETHEUS_PASSWORD: "tset" }))).message,
      /\(401\)/,
    );
    assert.match((await rejection(one(server.url, {}))).message, /\(401\)/);
    const hint = "an operator must check PROMETHEUS_USERNAME";
    await assert.rejects(one(server.url, named), { hint: `${hint}; PROMETHEUS_PASSWORD is not set` });
    const wrong = { ...named, PROMETHEUS_PASSWORD: "tset" };
    await assert.rejects(one(server.url, wrong), { hint: `${hint}, PROMETHEUS_PASSWORD` });
  },
});

Deno.test({
  name: "certificates that are damaged: at the start, and when they are replaced",
  ignore: !opensslAvailable,
  async fn(context) {
    const { authority, server, client, otherName } = await makeCertificates();
    const folder = await Deno.makeTempDir();
    const damaged = authority.slice(0, 200) + "\n-----END CERTIFICATE-----\n";
    const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
    const [ca, cert, key] = ["ca", "cert", "key"].map((name) => `${folder}/${name}`) as [
      string,
      string,
      string,
    ];
    try {
      await Promise.all([write("ca", authority), write("cert", client.cert), write("key", client.key)]);
      await using fake = new FakePrometheus({ certificate: server });
      const pair = { PROMETHEUS_CERT_FILE: cert, PROMETHEUS_KEY_FILE: key };

      await context.step("replaced by damaged authorities, and mended", async () => {
        using asked = apiOf(fake.url, { PROMETHEUS_CA_FILE: ca, ...pair });
        const query = () => asked.api.query("vector(1)", undefined, never);
        await query();
        await write("ca", damaged);
        assert.equal(
          (await rejection(query())).message,
          "Cannot use PROMETHEUS_CA_FILE as the PEM in it is damaged",
        );
        await write("ca", authority);
        await query();
      });

      await context.step("replaced by another's key", async () => {
        using asked = apiOf(fake.url, { PROMETHEUS_CA_FILE: ca, ...pair });
        await write("key", otherName.key);
        const message = (await rejection(asked.api.query("vector(1)", undefined, never))).message;
        assert.match(message, /PROMETHEUS_CERT_FILE and PROMETHEUS_KEY_FILE/);
        assert.throws(() => apiOf(fake.url, pair), StartError);
        await write("key", client.key);
      });

      await context.step("damaged at the start", async () => {
        await write("ca", damaged);
        const { code, stderr } = await runProgramToEnd({
          program: "prometheus",
          variables: { PROMETHEUS_URL: fake.url, PROMETHEUS_CA_FILE: ca },
        });
        assert.equal(code, 2, stderr);
        assert.match(stderr, /PROMETHEUS_CA_FILE/);
        assert.ok(!stderr.includes(folder), stderr);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
