import assert from "@std/assert";
import { Environment } from "../../src/common/env.ts";
import { StartError } from "../../src/common/errors.ts";
import { type DatabaseSettings, readDatabaseSettings } from "../../src/postgres/settings.ts";

function read(variables: Record<string, string>, files: Record<string, string> = {}): DatabaseSettings {
  return readDatabaseSettings(
    new Environment({
      get: (name) => variables[name],
      readFile: (path) => {
        const text = files[path];
        if (text === undefined) throw new Deno.errors.NotFound();
        return text;
      },
    }),
  );
}

Deno.test("without variables, the defaults of the documentation", () => {
  const { password, ...settings } = read({});
  assert.equal(password(), undefined);
  assert.deepEqual(settings, {
    hosts: [{ host: "localhost", port: 5432 }],
    database: "tododb",
    user: "postgres",
    sslMode: "prefer",
    sslRootCert: undefined,
    targetSessionAttrs: "any",
    poolSize: 4,
    statementTimeoutMs: 30_000,
    maxRows: 200,
    allowFunctions: [],
  });
});

const nasty = "@:/?#%&=+ ü\\'\"$";

Deno.test("a password full of special characters, from its variable, from its file and in a URL", () => {
  assert.equal(read({ DB_PASSWORD: nasty }).password(), nasty);
  assert.equal(read({ DB_PASSWORD_FILE: "/p" }, { "/p": `${nasty}\n` }).password(), nasty);
  const url = `postgres://me:${encodeURIComponent(nasty)}@db.example:6543/shop`;
  const settings = read({ DATABASE_URL: url });
  assert.equal(settings.password(), nasty);
  assert.deepEqual(settings.hosts, [{ host: "db.example", port: 6543 }]);
  assert.equal(settings.user, "me");
  assert.equal(settings.database, "shop");
});

const urls: readonly (readonly [string, Partial<DatabaseSettings>])[] = [
  ["postgresql://", { hosts: [{ host: "localhost", port: 5432 }], user: "postgres", database: "postgres" }],
  ["postgres://u@h", { hosts: [{ host: "h", port: 5432 }], user: "u", database: "u" }],
  ["postgres://u@[::1]:5433/d", { hosts: [{ host: "::1", port: 5433 }], database: "d" }],
  ["postgres://u@a:1,b:2/d", { hosts: [{ host: "a", port: 1 }, { host: "b", port: 2 }] }],
  ["postgres://u@a,b/d?port=7", { hosts: [{ host: "a", port: 7 }, { host: "b", port: 7 }] }],
  ["postgres://u@%2Fvar%2Frun/d", { hosts: [{ host: "/var/run", port: 5432 }] }],
  ["postgres:///d?host=/tmp&user=u", { hosts: [{ host: "/tmp", port: 5432 }], user: "u", database: "d" }],
  ["postgres://u@h/d?sslmode=verify-full&application_name=x", { sslMode: "verify-full" }],
  ["postgres://u@h/d?target_session_attrs=standby", { targetSessionAttrs: "standby" }],
];
for (const [url, expected] of urls) {
  Deno.test(`libpq's URI: ${url}`, () => {
    const settings = read({ DATABASE_URL: url });
    for (const [name, value] of Object.entries(expected)) {
      assert.deepEqual(settings[name as keyof DatabaseSettings], value, name);
    }
  });
}

const wrong: readonly (readonly [string, Record<string, string>])[] = [
  ["another scheme", { DATABASE_URL: "mysql://u:hunter2@h/d" }],
  ["no scheme", { DATABASE_URL: "hunter2" }],
  ["a password with a slash", { DATABASE_URL: "postgres://u:hunter2/x@h/d" }],
  ["a stray percent sign", { DATABASE_URL: "postgres://u:hunter2%@h/d" }],
  ["a port that is none", { DATABASE_URL: "postgres://u:hunter2@h:99999/d" }],
  ["a mode that libpq has not", { DATABASE_URL: "postgres://u:hunter2@h/d?sslmode=hunter2" }],
  ["a parameter nobody knows", { DATABASE_URL: "postgres://u:hunter2@h/d?hunter2=1" }],
  ["channel binding", { DATABASE_URL: "postgres://u:hunter2@h/d?channel_binding=require" }],
  ["a certificate's file in the URL", { DATABASE_URL: "postgres://u:hunter2@h/d?sslrootcert=/hunter2" }],
  ["NUL in the name", { DATABASE_URL: "postgres://u:hunter2@h/d%00" }],
  ["a URL and its parts", { DATABASE_URL: "postgres://u:hunter2@h/d", DB_HOST: "h" }],
  ["a port that is a word", { DB_PORT: "hunter2" }],
  ["a URL in the host", { DB_HOST: "postgres://me:hunter2@localhost/shop" }],
  ["a port in the host", { DB_HOST: "hunter2:5432" }],
  ["a port behind an address", { DB_HOST: "10.0.0.1:5432" }],
  ["a port behind an address in brackets", { DB_HOST: "[::1]:5432" }],
  ["a blank behind the host", { DB_HOST: "hunter2 " }],
  ["a blank before the name", { DB_NAME: " hunter2" }],
  ["a wrong mode", { DB_SSLMODE: "hunter2" }],
  ["a pool of none", { DB_POOL_SIZE: "0" }],
  ["a function whose name is none", { DB_ALLOW_FUNCTIONS: "a.hunter2.b" }],
  ["a certificate that is not there", { DB_SSLROOTCERT: "/hunter2" }],
];
for (const [what, variables] of wrong) {
  Deno.test(`a variable that is set but wrong ends the start without its value: ${what}`, () => {
    assert.throws(() => read(variables), (error: unknown) => {
      if (!(error instanceof StartError)) return false;
      const known = Object.keys(variables).some((name) => error.message.includes(name));
      assert.ok(known, error.message);
      // A parameter's name is shown so that it can be found.
      if (what !== "a parameter nobody knows") assert.ok(!error.message.includes("hunter2"), error.message);
      return true;
    });
  });
}

const broken: readonly (readonly [string, string])[] = [
  ["empty", ""],
  ["garbage", "hunter2"],
  ["a private key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
  [
    "no certificate between its lines",
    "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n",
  ],
  ["nothing between its lines", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
  ["cut off", "-----BEGIN CERTIFICATE-----\nMIIB"],
];
for (const [what, text] of broken) {
  Deno.test(`a certificate that can't be used ends the start: ${what}`, () => {
    assert.throws(
      () => read({ DB_SSLROOTCERT: "/root.crt" }, { "/root.crt": text }),
      new StartError("DB_SSLROOTCERT names a file without a certificate in PEM form"),
    );
  });
}

Deno.test("all that DATABASE_URL is set beside is named at once", () => {
  const both = { DATABASE_URL: "postgres://u@h/d", DB_HOST: "h", DB_NAME: "d", DB_PASSWORD: "hunter2" };
  assert.throws(
    () => read(both),
    new StartError(
      "DATABASE_URL is set beside DB_HOST, DB_NAME, DB_PASSWORD: unset it, or what stands beside it",
    ),
  );
});

const acting: readonly (readonly [string, RegExp])[] = [
  ["pg_sleep", /its entry 1, as it holds the connection .*, or write the schema of a function of your own$/],
  [
    "app.f, pg_catalog.pg_terminate_backend",
    /its entry 2, as it acts on other sessions or on the server: take it out$/,
  ],
  [`app.f(int, text), "set_config"`, /its entry 2, as it changes settings/],
  ["PG_CATALOG.NextVal(regclass)", /its entry 1, as it advances a sequence/],
  ["pg_catalog.ts_rewrite(tsquery, text)", /runs SQL from a string/],
  ["query_to_xml", /runs SQL from a string/],
];
for (const [value, message] of acting) {
  Deno.test(`a function that acts can't be allowed: ${value}`, () => {
    assert.throws(() => read({ DB_ALLOW_FUNCTIONS: value }), (error: unknown) => {
      if (!(error instanceof StartError)) return false;
      assert.match(error.message, /^DB_ALLOW_FUNCTIONS can't allow /);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("what only reads can be allowed, and a function of one's own whatever its name", () => {
  const names = [
    "pg_read_file",
    "pg_catalog.lo_get(oid)",
    "table_to_xml",
    "ts_rewrite",
    "app.pg_sleep",
    "remote",
  ];
  assert.deepEqual(read({ DB_ALLOW_FUNCTIONS: names.join(", ") }).allowFunctions, names);
});
