import assert from "@std/assert";
import { Environment } from "../../src/common/env.ts";
import { CallError, StartError } from "../../src/common/errors.ts";
import { type PrometheusSettings, readPrometheusSettings } from "../../src/prometheus/settings.ts";

type Variables = Readonly<Record<string, string>>;

function read(variables: Variables, files: Record<string, string> = {}): PrometheusSettings {
  const readFile = (path: string) => {
    const text = files[path];
    if (text === undefined) throw new Deno.errors.NotFound();
    return text;
  };
  return readPrometheusSettings(new Environment({ get: (name) => variables[name], readFile }));
}

Deno.test("defaults", () => {
  const settings = read({});
  assert.equal(settings.url.href, "http://localhost:9090/");
  assert.equal(settings.timeoutMs, 30_000);
  assert.equal(settings.maxPoints, 100);
  assert.equal(settings.cacheSeconds, 60);
  assert.deepEqual([...settings.credentials.headers()], []);
  assert.deepEqual(settings.credentials.variables, []);
});

Deno.test("a path prefix is kept, with and without its last slash", () => {
  assert.equal(read({ PROMETHEUS_URL: "https://mimir/prometheus" }).url.href, "https://mimir/prometheus/");
  assert.equal(
    read({ PROMETHEUS_URL: "http://vm:8481/select/0/prometheus/" }).url.href,
    "http://vm:8481/select/0/prometheus/",
  );
});

Deno.test("credentials become headers", () => {
  const headers = (variables: Variables) => Object.fromEntries(read(variables).credentials.headers());
  assert.deepEqual(headers({ PROMETHEUS_TOKEN: "t0ken" }), { authorization: "Bearer t0ken" });
  assert.deepEqual(headers({ PROMETHEUS_USERNAME: "ümit", PROMETHEUS_PASSWORD: "pä:ss" }), {
    authorization: `Basic ${new TextEncoder().encode("ümit:pä:ss").toBase64()}`,
  });
  assert.deepEqual(
    headers({ PROMETHEUS_HEADERS: '{"X-Auth":"a b","Cookie":"c=d"}', PROMETHEUS_ORG_ID: "team-a|team-b" }),
    { cookie: "c=d", "x-auth": "a b", "x-scope-orgid": "team-a|team-b" },
  );
});

Deno.test("secrets in files are read again, and must stay usable", () => {
  const files: Record<string, string> = { "/token": "first\n" };
  const { credentials } = read({ PROMETHEUS_TOKEN_FILE: "/token" }, files);
  assert.equal(credentials.headers().get("authorization"), "Bearer first");
  files["/token"] = "second\n";
  assert.equal(credentials.headers().get("authorization"), "Bearer second");
  assert.ok(credentials.secrets().includes("second"));
  files["/token"] = "broken\r\nX-Injected: 1";
  assert.throws(() => credentials.headers(), (error: unknown) => {
    if (!(error instanceof CallError)) return false;
    assert.ok(!JSON.stringify([error.message, error.hint]).includes("Injected"));
    return true;
  });
  files["/token"] = "third";
  assert.equal(credentials.headers().get("authorization"), "Bearer third");
});

const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

Deno.test("certificates come from files, which stay readable", () => {
  const files: Record<string, string> = { "/ca": certificate, "/cert": certificate, "/key": key };
  const variables: Variables = {
    PROMETHEUS_CA_FILE: "/ca",
    PROMETHEUS_CERT_FILE: "/cert",
    PROMETHEUS_KEY_FILE: "/key",
  };
  const source = { get: (name: string) => variables[name], readFile: (path: string) => files[path] ?? "" };
  const environment = new Environment(source);
  const { tls } = readPrometheusSettings(environment);
  assert.equal(tls.authority(), certificate.trimEnd());
  assert.equal(tls.key(), key.trimEnd());
  assert.ok(environment.usesFiles);
});

const secret = "hunter2-hunter2";
const refusals:
  readonly (readonly [variables: Variables, message: RegExp, files?: Record<string, string>])[] = [
    [
      { PROMETHEUS_URL: `http://admin:${secret}@host:9090` },
      /PROMETHEUS_URL must not contain credentials.*PROMETHEUS_USERNAME/,
    ],
    [{ PROMETHEUS_URL: `http://admin:1/${secret}@host` }, /PROMETHEUS_URL must not contain credentials/],
    [{ PROMETHEUS_URL: `http://${secret}@host` }, /PROMETHEUS_URL must not contain credentials/],
    [{ PROMETHEUS_URL: "localhost:9090" }, /PROMETHEUS_URL must be a URL that begins with http/],
    [{ PROMETHEUS_URL: "ftp://host" }, /PROMETHEUS_URL must be a URL/],
    [{ PROMETHEUS_URL: "http:host" }, /PROMETHEUS_URL must be a URL/],
    [{ PROMETHEUS_URL: " http://host" }, /PROMETHEUS_URL begins or ends with a blank/],
    [{ PROMETHEUS_URL: "${PROMETHEUS_URL}" }, /PROMETHEUS_URL still holds a placeholder/],
    [{ PROMETHEUS_URL: `http://host/?token=${secret}` }, /PROMETHEUS_URL must end with the path/],
    [{ PROMETHEUS_URL: "http://host/#graph" }, /PROMETHEUS_URL must end with the path/],
    [{ PROMETHEUS_URL: "http://host/api/v1" }, /PROMETHEUS_URL must be what stands before \/api\/v1/],
    [
      { PROMETHEUS_TOKEN: secret, PROMETHEUS_USERNAME: "a" },
      /PROMETHEUS_TOKEN and PROMETHEUS_USERNAME are both set/,
    ],
    [
      { PROMETHEUS_TOKEN: secret, PROMETHEUS_PASSWORD: secret },
      /PROMETHEUS_TOKEN and PROMETHEUS_PASSWORD are both set/,
    ],
    [{ PROMETHEUS_PASSWORD: secret }, /PROMETHEUS_PASSWORD is set without PROMETHEUS_USERNAME/],
    [{ PROMETHEUS_USERNAME: "a:b" }, /PROMETHEUS_USERNAME must not contain a colon/],
    [{ PROMETHEUS_TOKEN: `${secret} ${secret}` }, /PROMETHEUS_TOKEN must be printable ASCII/],
    [{ PROMETHEUS_TOKEN: `${secret}\r\nX-Evil: 1` }, /PROMETHEUS_TOKEN must be printable ASCII/],
    [{ PROMETHEUS_HEADERS: secret }, /PROMETHEUS_HEADERS must be a JSON object of strings/],
    [{ PROMETHEUS_HEADERS: `["${secret}"]` }, /PROMETHEUS_HEADERS must be a JSON object of strings/],
    [{ PROMETHEUS_HEADERS: `{"X-A": 1}` }, /PROMETHEUS_HEADERS must be a JSON object of strings/],
    [
      { PROMETHEUS_HEADERS: `{"X-A": "${secret}\\r\\nX-Evil: 1"}` },
      /PROMETHEUS_HEADERS must set X-A to printable ASCII/,
    ],
    [{ PROMETHEUS_HEADERS: `{"X-A\\r\\nX-Evil": "${secret}"}` }, /a name that is not a header name/],
    [{ PROMETHEUS_HEADERS: `{"X-A": "1", "x-a": "2"}` }, /sets x-a twice/],
    ...[
      "Host",
      "host",
      "Content-Length",
      "Transfer-Encoding",
      "Connection",
      "X-HTTP-Method-Override",
      "Proxy-Authorization",
    ]
      .map((name) =>
        [
          { PROMETHEUS_HEADERS: JSON.stringify({ [name]: secret }) },
          new RegExp(`must not set ${name}`),
        ] as const
      ),
    [
      { PROMETHEUS_HEADERS: `{"Authorization": "${secret}"}`, PROMETHEUS_TOKEN: "t" },
      /sets Authorization, which PROMETHEUS_TOKEN sets/,
    ],
    [
      { PROMETHEUS_HEADERS: `{"x-scope-orgid": "${secret}"}`, PROMETHEUS_ORG_ID: "t" },
      /sets X-Scope-OrgID, which PROMETHEUS_ORG_ID/,
    ],
    [{ PROMETHEUS_ORG_ID: "a\r\nX-Evil: 1" }, /PROMETHEUS_ORG_ID must be printable ASCII/],
    [{ PROMETHEUS_CERT_FILE: "/cert" }, /PROMETHEUS_CERT_FILE and PROMETHEUS_KEY_FILE must be set together/, {
      "/cert": certificate,
    }],
    [{ PROMETHEUS_KEY_FILE: "/key" }, /must be set together/, { "/key": key }],
    [{ PROMETHEUS_CA_FILE: "/ca" }, /PROMETHEUS_CA_FILE names a file without a certificate/, {
      "/ca": secret,
    }],
    [{ PROMETHEUS_CA_FILE: "/none" }, /PROMETHEUS_CA_FILE names a file that cannot be read/],
    [{ PROMETHEUS_TIMEOUT_MS: "0" }, /PROMETHEUS_TIMEOUT_MS must be a whole number/],
    [{ MAX_POINTS: "11001" }, /MAX_POINTS must be a whole number from 2 to 11000/],
  ];

for (const [variables, message, files] of refusals) {
  Deno.test(`refused at the start: ${JSON.stringify(variables).replaceAll(secret, "…")}`, () => {
    assert.throws(() => read(variables, files), (error: unknown) => {
      if (!(error instanceof StartError)) return false;
      assert.match(error.message, message);
      assert.ok(!error.message.includes(secret), error.message);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  });
}
