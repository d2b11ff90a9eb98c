import assert from "@std/assert";
import fc from "fast-check";
import { maskSecrets } from "../../src/common/secrets_mask.ts";
import { createLogRedactor } from "../../src/kubernetes/redact_log.ts";
import { redactText } from "../../src/kubernetes/redact_text.ts";

// Put together here, so that no scanner takes this file for a leak.
const secret = "Xq7vR2" + "mK9tLw";
const hex = "0a1b2c3d".repeat(5);
const long = "aB3dE5fG7hJ9".repeat(9);
const amazon = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY";

const told: readonly (readonly [text: string, expected: string])[] = [
  [`Your password is ${secret}`, "Your password is ***"],
  [`the admin password is "hunterquokka".`, `the admin password is "***".`],
  [`Admin password set to ${secret}, keep it`, "Admin password set to ***, keep it"],
  [`password for user admin is ${secret}`, "password for user admin is ***"],
  [`password -> ${secret}`, "password -> ***"],
  [`Incorrect password provided: ${secret}`, "Incorrect password provided: ***"],
  [`login failed with password ${secret}`, "login failed with password ***"],
  [`login admin (password ${secret})`, "login admin (password ***)"],
  [`using default password "hunterquokka"`, `using default password "***"`],
  [`the API key is ${long}`, "the API key is ***"],
  [`token is ${hex}`, "token is ***"],
  [`sent Basic ${btoa(`admin:${secret}`)}`, "sent Basic ***"],
  [`('db_password', '${secret}')`, "('db_password', '***')"],
  [`echo "${secret}" | docker login --password-stdin r`, `echo "***" | docker login --password-stdin r`],
  [`echo "root:${secret}" | chpasswd`, `echo "root:***" | chpasswd`],
  [`bindpw ${secret}`, "bindpw ***"],
  [`ldap_bind_pw: ${secret}`, "ldap_bind_pw: ***"],
  [`STRIPE_KEY=${long} x`, "STRIPE_KEY=*** x"],
  [`POST SAMLResponse=${btoa(`<saml:Assertion>${long}`)}`, "POST SAMLResponse=***"],
  [`redis://${secret}@cache:6379/0`, "redis://***@cache:6379/0"],
  [`cqlsh -u cassandra -p ${secret} db`, "cqlsh -u cassandra -p *** db"],
  [`sqlcmd -S db -U sa -P ${secret} -Q x`, "sqlcmd -S db -U sa -P *** -Q x"],
  [`sqlplus scott/${secret}@db:1521/orcl`, "sqlplus scott/***@db:1521/orcl"],
  [`mc alias set minio http://minio:9000 admin ${secret}`, "mc alias set minio http://minio:9000 admin ***"],
];
for (const [text, expected] of told) {
  Deno.test(`redactText masks what is told: ${text.slice(0, 50)}`, () => {
    assert.equal(redactText(text), expected);
    assert.equal(redactText(expected), expected);
  });
}

const tokens: readonly (readonly [beginning: string, rest: string])[] = [
  ["gldt-", long.slice(0, 20)],
  ["glrt-", long.slice(0, 20)],
  ["glcbt-", `64_${long.slice(0, 20)}`],
  ["GR1348941", long.slice(0, 20)],
  ["hf_", "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"],
  ["gsk_", long.slice(0, 52)],
  ["dapi", hex.slice(0, 32)],
  ["lin_api_", long.slice(0, 40)],
  ["NRAK-", long.slice(0, 27).toUpperCase()],
  ["glsa_", `${long.slice(0, 32)}_1a2b3c4d`],
  ["pscale_pw_", long.slice(0, 43)],
  ["dp.pt.", long.slice(0, 43)],
  ["fm2_", long],
  ["GOCSPX-", long.slice(0, 28)],
  ["ATBB", long.slice(0, 32)],
  ["pul-", hex],
  ["SWMTKN-1-", `${"0a1b2".repeat(10)}-${"0a1b2".repeat(5)}`],
  ["tskey-auth-", long.slice(0, 30)],
  ["figd_", long.slice(0, 40)],
  ["rubygems_", hex + "0a1b2c3d"],
  ["123456789:", `AA${long.slice(0, 33)}`],
  ["1//0", long.slice(0, 80)],
  ["aBcDeFgHiJkLmN.atlasv1.", long.slice(0, 67)],
];
for (const [beginning, rest] of tokens) {
  Deno.test(`maskSecrets knows a token by its beginning: ${beginning}`, () => {
    assert.equal(maskSecrets(`x ${beginning}${rest} y`), `x ${beginning}*** y`);
    assert.equal(maskSecrets(`k="${beginning}${rest}"`), `k="${beginning}***"`);
    assert.equal(redactText(`x ${beginning}${rest}`), `x ${beginning}***`);
  });
}

Deno.test("maskSecrets masks the secret beside an AWS key", () => {
  const id = "AKIA" + "IOSFODNN7EXAMPLE";
  assert.equal(maskSecrets(`${id}:${amazon}`), "AKIA***:***");
  assert.equal(maskSecrets(`SecretAccessKey ${amazon} x`), "SecretAccessKey *** x");
});

const digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const kept: readonly string[] = [
  `Pulled image registry.example.com/app@sha256:${digest}`,
  `containerd://${digest}`,
  `integrity sha512-${btoa("x".repeat(64))}`,
  `trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7`,
  "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "request 3fa85f64-5717-4562-b3fc-2c963f66afa6 took 12ms",
  "commit da39a3ee5e6b4b0d3255bfef95601890afd80709 on main",
  `ETag: "d41d8cd98f00b204e9800998ecf8427e"`,
  "pod web-7d4b9c6f5-x2x9z scheduled to ip-10-0-12-34.eu-west-1.compute.internal",
  "arn:aws:iam::123456789012:role/aB3dE5fG7hJ9",
  "cache key-0123456789abcdef0123456789abcdef missed",
  "partition_key=orders-2024-05-01 cache_key=user:42",
  "the password is incorrect",
  "password is sha256-hashed, at least 12 characters",
  "password is 8-64 characters long",
  "your password was changed 2024-05-01T10:00:00Z",
  "password was reset to default",
  "password is base64 encoded",
  "password set to never expire",
  "with password authentication",
  'invalid password "..."',
  "(password required)",
  "the token is expired; token is default-token-x7k2p",
  "token is 4096 bytes",
  "Next page token is kube-system/default-2",
  "Basic authentication failed",
  "using basic auth for user admin",
  "basic dGhlcmUgaXMgbm8gY29sb24gaGVyZQ",
  "unique_together = ('token', 'user_name')",
  'echo "$PASSWORD" | docker login --password-stdin',
  "redis://default@cache:6379",
  "redis://cache:6379/0 connected",
  "hf_transfer==0.1.4 hf_hub_download done",
  "glrt-runner dapi-server pul-request xai-tools",
  "at 12345678:AAPL traded",
  "from 10.0.0.1:8080 to [2001:db8::1]:443",
  "mc alias list minio",
  "max_tokens=4096 PRIMARY_KEY=id PARTITION_KEY=order_id",
  "sqlplus / as sysdba",
];
for (const text of kept) {
  Deno.test(`redactText keeps ordinary text: ${text.slice(0, 50)}`, () => {
    assert.equal(redactText(text), text);
    assert.equal(createLogRedactor().line(text), text);
  });
}

Deno.test("redactText is done after one time with sentences and tokens, too", () => {
  const fragment = fc.constantFrom(
    ..."password| is |token|\"|'|(|)|basic |with |hunter2x|: |->|***|echo |  | docker --password-stdin|redis://|@|a/|mc alias set a b |glrt-"
      .split("|"),
    secret,
    long,
    hex,
    btoa(`a:${secret}`),
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 12 }), (fragments) => {
      const once = redactText(fragments.join(""));
      assert.equal(redactText(once), once);
    }),
    {
      numRuns: 10_000,
      examples: [
        [["redis://", "redis://", btoa(`a:${secret}`), "@"]],
        [["password", " is ", "redis://", ")", "@", btoa(`a:${secret}`)]],
        [["password", " is ", long, "mc alias set a b ", ": ", hex]],
      ],
    },
  );
});

for (
  const part of [
    "password is ",
    "password is a",
    "password for ",
    "password a",
    "(password ",
    "token is ",
    "basic ",
    "basic YTpi",
    "('password', '",
    "echo a",
    "glrt-",
    "redis://a",
    "mc alias set a ",
    "1//0",
    "aBcDeFgHiJkLmN.atlasv1.",
    "123456789:AA",
    "secret access key ",
  ]
) {
  Deno.test(`four megabytes of ${JSON.stringify(part)} are redacted`, () => {
    // Time that is not linear would not end here.
    assert.equal(typeof redactText(part.repeat(Math.ceil(4_000_000 / part.length))), "string");
  });
}
