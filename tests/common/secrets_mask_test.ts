import assert from "@std/assert";
import fc from "fast-check";
import { maskSecrets } from "../../src/common/secrets_mask.ts";

// Put together here, so that no scanner takes this file for a leak.
const github = "ghp_" + "a1B2".repeat(9);
const amazon = "AKIA" + "IOSFODNN7EXAMPLE";
const slack = "xoxb-" + "123456789012-abcdefABCDEF";
const jwt = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0." + "c2lnbmF0dXJl_-";
const pem = ["-----BEGIN RSA PRIVATE", "KEY-----\nMIIE+a/b=\n-----END RSA PRIVATE", "KEY-----"].join(" ");

const masked: readonly (readonly [what: string, text: string, expected: string])[] = [
  ["a URL", "at postgres://app:s3cret@db:5432/app now", "at postgres://app:***@db:5432/app now"],
  ["a URL's raw password", "postgres://app:a@b:/?#%c@db/app?x=1", "postgres://app:***@db/app?x=1"],
  ["a password that starts as a port", "postgres://app:12/34@db/app", "postgres://app:***@db/app"],
  ["a URL without a user", "redis://:pw@cache:6379/0", "redis://:***@cache:6379/0"],
  ["a web URL", "https://u:p@host/@me?x=a@b", "https://u:***@host/@me?x=a@b"],
  ["two URLs", "amqp://a:b@h c://d:e@f", "amqp://a:***@h c://d:***@f"],
  ["libpq", "host=h password=a,b;c& dbname=d", "host=h password=*** dbname=d"],
  ["libpq with blanks and quotes", "password = 'a \\' b' host=h", "password = '***' host=h"],
  ["libpq with an escaped blank", "password=a\\ b host=h", "password=*** host=h"],
  ["a quote in the value", "password=it's host=h", "password=*** host=h"],
  [
    "a URL's query",
    "postgres:///d?user=u&password=a&sslmode=x",
    "postgres:///d?user=u&password=***&sslmode=x",
  ],
  ["a client key's password", "sslpassword=abc x", "sslpassword=*** x"],
  ["environment", "PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"],
  ["JSON", '{"password": "a\\"b", "n": 1}', '{"password": "***", "n": 1}'],
  ["JSON inside JSON", '{\\"api_key\\":\\"ab\\",\\"n\\":1}', '{\\"api_key\\":\\"***\\",\\"n\\":1}'],
  ["SQL", "ALTER ROLE a PASSWORD 'x''y' VALID UNTIL 'z'", "ALTER ROLE a PASSWORD '***' VALID UNTIL 'z'"],
  ["SQL without a blank", "ALTER ROLE a PASSWORD'x'", "ALTER ROLE a PASSWORD'***'"],
  ["SQL with a backslash", "PASSWORD 'x\\' LOGIN 'y'", "PASSWORD '***' LOGIN 'y'"],
  ["an escape string", "PASSWORD E'x\\'y' LOGIN", "PASSWORD E'***' LOGIN"],
  ["a Unicode string", "PASSWORD U&'x\\0041' LOGIN", "PASSWORD U&'***' LOGIN"],
  ["dollar quotes", "PASSWORD $$it's$$ LOGIN", "PASSWORD $$***$$ LOGIN"],
  ["tagged dollar quotes", "PASSWORD $q$a$$b$q$ LOGIN", "PASSWORD $q$***$q$ LOGIN"],
  ["a string that was cut off", "PASSWORD 'abc", "PASSWORD '***"],
  ["a user mapping", "OPTIONS (user 'u', password 'p')", "OPTIONS (user 'u', password '***')"],
  [
    "a connection string in SQL",
    "CONNECTION 'host=h password=abc' PUBLICATION p",
    "CONNECTION 'host=h password=***' PUBLICATION p",
  ],
  ["one with a quoted value", "'password=''a b'' dbname=d'", "'password=''***'' dbname=d'"],
  ["a SCRAM hash", "x SCRAM-SHA-256$4096:c2E=$c3Q=:c2s= y", "x SCRAM-SHA-256$*** y"],
  ["an md5 hash", `x md5${"0a".repeat(16)} y`, "x md5*** y"],
  ["a JWT", `x ${jwt} y`, "x *** y"],
  ["a private key", `x ${pem} y`, "x *** y"],
  ["a private key in JSON", JSON.stringify({ key: pem, n: 1 }), '{"key":"***","n":1}'],
  ["a private key that was cut off", pem.slice(0, 40), "***"],
  ["an AWS key", `x ${amazon} y`, "x AKIA*** y"],
  ["a GitHub token", `x ${github} y`, "x ghp_*** y"],
  ["a fine-grained GitHub token", `x github_pat_${"a1".repeat(20)}_b y`, "x github_pat_*** y"],
  ["a Slack token", `x ${slack} y`, "x xoxb-*** y"],
  ["a bearer token", "curl -H 'authorization: Bearer abc.def-g' x", "curl -H 'authorization: Bearer ***' x"],
  ["a bearer token alone", "sent Bearer abcdef, refused", "sent Bearer ***, refused"],
  ["basic authentication", "Authorization: Basic dTpw\nHost: h", "Authorization: Basic ***\nHost: h"],
  ["a header in JSON", '{"Authorization":"Basic dTpw"}', '{"Authorization":"Basic ***"}'],
];
for (const [what, text, expected] of masked) {
  Deno.test(`maskSecrets: ${what}`, () => {
    assert.equal(maskSecrets(text), expected);
    assert.equal(maskSecrets(expected), expected);
  });
}

const kept: readonly string[] = [
  "",
  'FATAL: password authentication failed for user "app"',
  'column "password" does not exist',
  "SELECT rolpassword FROM pg_authid WHERE rolname = 'x'",
  "SELECT * FROM users WHERE password = $1 AND name = 'x'",
  "the user's password's length",
  "password = NULL",
  "password='' host=h",
  "http://host:9090/path?mail=a@b.c",
  "postgres://user@h1:5432,h2:5433/db?user=me@corp",
  "postgres://[::1]:5432/db",
  "Bearer token required",
  'WWW-Authenticate: Bearer realm="mcp"',
  "SELECT md5('x'), md5(name) FROM t",
  "see https://www.postgresql.org/docs/current/sql-createrole.html",
  "count by (service) (rate(http_requests_total{status=~'5..'}[5m]))",
  "max_tokens=100 primary_key=id bypass=1",
];
for (const text of kept) {
  Deno.test(`maskSecrets keeps ${JSON.stringify(text)}`, () => assert.equal(maskSecrets(text), text));
}

const fragment = fc.constantFrom(
  ..."password|PASSWORD|=|:| |'|''|\"|\\|\\\"|$$|$q$|$1|E'|U&'|://|@|/|?|&|#|a|b1|:5432|http|postgres|bearer|Bearer |authorization: |Basic |token|secret|\n|***|-----END |-----|md5|eyJabcdef.|.|,|;|)|[::1]|null|SCRAM-SHA-256$|4096:"
    .split("|"),
  github,
  amazon,
  slack,
  jwt,
  pem,
  pem.slice(0, 40),
  "0a".repeat(16),
);

Deno.test("maskSecrets twice is maskSecrets once", () => {
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 14 }), (fragments) => {
      const once = maskSecrets(fragments.join(""));
      assert.equal(maskSecrets(once), once);
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("maskSecrets: no password survives in a connection string, whatever it is made of", () => {
  const password = fc.string({ unit: fc.constantFrom(..."a1@:/?#%&=+,;!$()[]{}*~^".split("")), minLength: 1 })
    .map((text) => `x${text}Zq9`);
  fc.assert(
    fc.property(password, (secret) => {
      assert.doesNotMatch(
        maskSecrets(`could not connect to postgres://app:${secret}@db.example:5432/app`),
        /Zq9/,
      );
      assert.doesNotMatch(maskSecrets(`host=h password=${secret} dbname=d`), /Zq9/);
      assert.doesNotMatch(maskSecrets(`ALTER ROLE app PASSWORD '${secret}'`), /Zq9/);
      assert.doesNotMatch(maskSecrets(JSON.stringify({ password: secret })), /Zq9/);
    }),
    { numRuns: 2_000 },
  );
});

// Each of these takes minutes, or the whole stack, with one pattern that looks back over what it has seen.
const hostile = [
  ..."a|://|a://b:c|a://b:c@|a://b |@://|x://a:1|x://a:1/|x://a,|password=|password='|PASSWORD '|password |PASSWORD $a$|PASSWORD $$ "
    .split("|"),
  ..."eyJ|-eyJ|eyJaaaaa.|-----BEGIN PRIVATE KEY-----|-|-----END |bearer |authorization: |SCRAM-SHA-256$|md5|ghp_"
    .split("|"),
  ..."\\|'|''|\"|password=''|password=\"a\\|token=it's|password:| |\n|=|sk-".split("|"),
];
for (const unit of hostile) {
  Deno.test(`maskSecrets gets through a megabyte of ${JSON.stringify(unit)}`, () => {
    const text = unit.repeat(Math.ceil(1_000_000 / unit.length));
    for (const start of ["", "password=", "PASSWORD '", "x://a:", "-----BEGIN PRIVATE KEY-----"]) {
      assert.ok(maskSecrets(`${start}${text}=@`).length <= start.length + text.length * 2);
    }
  });
}
