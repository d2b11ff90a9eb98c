import assert from "@std/assert";
import fc from "fast-check";
import { redactCommand } from "../../src/kubernetes/redact_command.ts";
import { redactConfiguration } from "../../src/kubernetes/redact_configuration.ts";
import { createLogRedactor } from "../../src/kubernetes/redact_log.ts";
import { redactText } from "../../src/kubernetes/redact_text.ts";

// Put together here, so that no scanner takes this file for a leak.
const secret = "Hunter2-" + "s3cr3t";
const keyBegin = ["-----BEGIN RSA PRIVATE", "KEY-----"].join(" ");
const keyEnd = ["-----END RSA PRIVATE", "KEY-----"].join(" ");
const keyLine = "MIIEpAIBAAKCAQEA7v3nq1C0w3x5Yh2mU0b8qPz9Lk4jT6sR1dF2gH3jK5lZ7xC9";
const github = "ghp_" + "a1B2".repeat(9);

const masked: readonly (readonly [text: string, expected: string])[] = [
  [`password: ${secret}`, "password: ***"],
  [`\x1b[36mpassword\x1b[0m=${secret} \x1b[36mn\x1b[0m=1`, "password=*** n=1"],
  [`\x1b[1;34mDB_PASSWORD\x1b[0m: \x1b[32m${secret}\x1b[0m`, "DB_PASSWORD: ***"],
  [`pass\u200bword=${secret}`, "password=***"],
  [`pass\0word=${secret}`, "password=***"],
  [`x password=${secret} y`, "x password=*** y"],
  [`{Password:${secret} User:x}`, "{Password:*** User:x}"],
  [`API key: ${secret}, next`, "API key: ***, next"],
  [`token: ${secret}`, "token: ***"],
  [`run --token ${secret} --x`, "run --token *** --x"],
  [`run --db.password ${secret}`, "run --db.password ***"],
  [`mysql -u root -p${secret} -h db`, "mysql -u root -p*** -h db"],
  [`docker login -u me -p ${secret} registry`, "docker login -u me -p *** registry"],
  [`curl -u me:${secret} https://host`, "curl -u me:*** https://host"],
  [`redis-cli -a ${secret} ping`, "redis-cli -a *** ping"],
  [`requirepass ${secret}`, "requirepass ***"],
  [`machine m login me password ${secret}`, "machine m login me password ***"],
  [`Authorization: Bearer ${secret}`, "Authorization: Bearer ***"],
  [`got Bearer ${secret}`, "got Bearer ***"],
  [`Cookie: session=${secret}; a=b`, "Cookie: ***"],
  [`X-Api-Key: ${secret}`, "X-Api-Key: ***"],
  [`https://${secret}@github.com/a/b.git`, "https://***@github.com/a/b.git"],
  [`postgres://app:${secret}@db/app`, "postgres://app:***@db/app"],
  [`GET /blob?sv=1&sig=${secret}&x=1`, "GET /blob?sv=1&sig=***&x=1"],
  [`<adminPassword>${secret}</adminPassword>`, "<adminPassword>***</adminPassword>"],
  [`{"auth":"${btoa(`user:${secret}`)}"}`, '{"auth":"***"}'],
  [`hooks.slack.com/services/T0/B0/${secret}`, "hooks.slack.com/services/***"],
  [`db.example.com:5432:shop:app:${secret}`, "db.example.com:5432:shop:app:***"],
  [`db:5432:dead:beef:${secret}`, "db:5432:dead:beef:***"],
  [`*:*:*:replicator:${secret}\\:x`, "*:*:*:replicator:***"],
  [`wrote "/var/run/postgresql:6432:*:app:${secret}"`, 'wrote "/var/run/postgresql:6432:*:app:***"'],
  [`"app" "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk=:c2VydmVy"`, '"app" "SCRAM-SHA-256$***"'],
  [`"app" "md5${"0123456789abcdef".repeat(2)}"`, '"app" "md5***"'],
  [`clone with ${github}`, "clone with ghp_***"],
  [`admin:$2y$10$${"abcdefghij".repeat(5)}`, "admin:***"],
  [`got ${btoa(`password=${secret}`)} now`, "got *** now"],
  [`got ${btoa(`user: app\npassword: ${secret}\n`)}`, "got ***"],
  [btoa(`${keyBegin}\n${keyLine}\n`), "***"],
  [
    btoa(`x=${"a".repeat(70_000)} token=${secret} ${"b".repeat(70_000)}`).slice(0),
    "(base64 of many kilobytes)",
  ],
];
for (const [text, expected] of masked) {
  Deno.test(`redactText masks in: ${text.slice(0, 60).replaceAll("\n", " ")}`, () => {
    const redacted = redactText(text);
    if (!expected.startsWith("(")) assert.equal(redacted, expected);
    assert.ok(!redacted.includes(secret));
    assert.equal(redactText(redacted), redacted);
  });
}

const dumped: readonly string[] = [
  `"Authorization":["Basic ${btoa(`u:${secret}`)}"]`,
  `map[Accept:[*/*] Authorization:[Bearer ${secret}] X:[y]]`,
  `{"headers":{"authorization":["Token ${secret}"]}}`,
  `Authorization: Digest username="x", response="${secret}"`,
  `Authorization: AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=${secret}`,
  `"set-cookie":["sid=${secret}; Path=/"]`,
  `map[Cookie:[sid=${secret}; x=y]]`,
  `GET /x;jsessionid=${secret}`,
  `Config { user: "a", password: Some("${secret}") }`,
  `{'user': 'a', 'password': b'${secret}'}`,
  `Settings(password=SecretStr('${secret}'))`,
  `config.DB{Password:(string)(len=3)"${secret}"}`,
  `url.Values{"password":[]string{"${secret}"}}`,
  `"password":["${secret}"]`,
  `map[password:[${secret}] user:[x]]`,
  `user[password]=${secret}`,
  `[password] => ${secret}`,
  `password := "${secret}"`,
  `password: abc,${secret}`,
  `Password                       : ${secret}`,
  `password:\u00a0${secret}`,
  `PASSWORD_2: ${secret}`,
  `{"name":"DB_PASSWORD","value":"${secret}"}`,
  `{"name":"DB_PASSWORD","value":"correct horse ${secret}"}`,
  `{Name:DB_PASSWORD Value:${secret} ValueFrom:nil}`,
  `<property name="password">${secret}</property>`,
  `<add key="ApiKey" value="${secret}"/>`,
  `<wsse:Password Type="x">${secret}</wsse:Password>`,
  `run --token "${secret}"`,
  `args: ["--password", "${secret}"]`,
  `['--api-key', '${secret}']`,
  String.raw`{"log":"{\"a\":\"{\\\"password\\\":\\\"${secret}\\\"}\"}"}`,
  String.raw`{"log":"\u001b[34mpassword\u001b[0m=\u001b[32m${secret}\u001b[0m"}`,
  `#033[36mpassword#033[0m=${secret}`,
  `\x1b]8;;http://x\x1b\\password\x1b]8;;\x1b\\=${secret}`,
  `pass\x1b(Bword=${secret}`,
  `next=%2Flogin%3Fpassword%3D${secret}`,
  `postgres%3A%2F%2Fapp%3A${secret}%40db`,
  `&quot;password&quot;:&quot;${secret}&quot;`,
  `CREATE USER x IDENTIFIED BY '${secret}'`,
  `1339518083.1 [0 127.0.0.1:60866] "AUTH" "${secret}"`,
  `C: AUTH PLAIN ${btoa(`\0user\0${secret}`)}`,
  `A temporary password is generated for root@localhost: ${secret}`,
  `Unseal Key 1: ${secret}`,
  `jdbc:oracle:thin:scott/${secret}@//db:1521/x`,
  `dial app:${secret}@db.example.com:5432`,
  `nats://${secret}@nats:4222`,
  `https://api.telegram.org/bot123456789:${secret}abcdef/sendMessage`,
  `ldapsearch -D cn=admin -w ${secret}`,
  `keytool -list -storepass ${secret}`,
  `kubectl create secret generic x --from-literal=key=${secret}`,
  `connect dbpass=${secret}`,
  `connect {dbPwd: ${secret}}`,
  `{:user "app", :password "${secret}"}`,
  `[["user", "app"], ["password", "${secret}"]]`,
  `userPassword:: ${btoa(`u:${secret}`)}`,
  `https://hooks.slack.com/triggers/T0/1/${secret}`,
  `https://events.pagerduty.com/integration/${secret}/enqueue`,
  `https://outlook.office.com/webhook/${secret}/IncomingWebhook/x/y`,
  `password: !!str ${secret}`,
];
for (const text of dumped) {
  Deno.test(`redactText masks, as programs print it: ${text.slice(0, 60)}`, () => {
    const redacted = redactText(text);
    assert.ok(!redacted.includes(secret), redacted);
    assert.ok(!redacted.includes(btoa(`\0user\0${secret}`).slice(4)), redacted);
    assert.ok(!redacted.includes(btoa(`u:${secret}`)), redacted);
    assert.equal(redactText(redacted), redacted);
  });
}

const kept: readonly string[] = [
  "Pulling image nginx:1.25@sha256:9fceb02d0ae598e95dc970b74767f19372d61af89fceb02d0ae598e95dc970b7",
  "secrets: [db-credentials, tls]",
  "authorization mode: [Node RBAC]",
  "AUTH LOGIN failed",
  'level=info key="user" value="bob" msg="cache set"',
  '["--authorization-mode", "Node,RBAC"]',
  '--secret-name "db"',
  "connecting to db:5432 as app@db.example.com:5432",
  "SyntaxError: Unexpected token '<' is not valid JSON",
  "\x1b[32mINFO\x1b[0m token bucket refilled in 3 s",
  'MountVolume.SetUp failed for volume "kube-api-access-x7x9z" : failed to fetch token: serviceaccounts "x" not found',
  "references non-existent secret key: tls.crt",
  'secret "db-password" not found',
  "Error: couldn't find key password in Secret default/db",
  "Secret: default/db-credentials",
  'password authentication failed for user "app"',
  `Back-off pulling image "registry.example.com/x@sha256:${"ab".repeat(32)}"`,
  "invalid password: too short",
  "token: expired",
  "tokens=512 latency=5ms",
  "git 9fceb02d0ae598e95dc970b74767f19372d61af8, uid 0b7f5a54-5f4e-4c39-9c53-8d31f6a0a1c2, resourceVersion 83312345",
  "psql -p 5432 and mkdir -p /var/lib/data",
  "unable to retrieve auth token: invalid username/password: unauthorized",
  "unexpected status from GET request to https://auth.docker.io/token?scope=repository%3Alibrary: 401 Unauthorized",
  "Readiness probe failed: HTTP probe failed with statuscode: 503",
  "Successfully assigned default/web-7d9f8b6c5d-abcde to node-1",
  "0/3 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 2 Insufficient memory.",
  "/var/run/secrets/kubernetes.io/serviceaccount/token",
  "docker-pullable://registry.example.com/team/app@sha256:0123456789abcdef",
  "#hostname:port:database:username:password",
  "10.0.0.1:5432 10.0.0.1:5432:5432 10.0.0.1:8080:80:tcp:up",
  "peer 2001:1438:fff:1:2:3:4:5 and [fd00:2433:0:0:0:0:0:1]:8080, fe80:1430:1:2:3:4:5:6%eth0, 2A02:2430:AB:1::5",
  "2026-11-28 12:53:30:123:ERROR:main *:*:00 tenant:10043:orders:2024:total a.go:5432:12:warn: x",
  "TOKEN_TTL=30m password_file=/run/secrets/db secretName=db max_tokens=4096",
  "listening on //0.0.0.0:8080/path and 10.0.0.1:3306",
  "2024-01-01T00:00:00Z INFO request_id=4bf92f3577b34da6a3ce929d0e0e4736 trace=00f067aa0ba902b7 status=200",
];
for (const text of kept) {
  Deno.test(`redactText keeps: ${text.slice(0, 60)}`, () => {
    assert.equal(redactText(text), text);
    assert.equal(createLogRedactor().line(text), text);
  });
}

for (
  const text of [
    "MONGO_PASSWORD_ADMIN=hunter2",
    '{"password_admin":"hunter2","user":"x"}',
    "AUTH_SECRET=correct-horse starting",
    "DB_PASSWORD_STAGE='hunter2'",
    'ADMIN_SECRET = "$ecret1"',
    "dial user:hunter2@tcp(10.0.0.1:3306)/db",
    "open //app:hunter2@db.example/shop",
    "GET /?db_password_prod=hunter2&page=2",
  ]
) {
  Deno.test(`redactText masks: ${text}`, () => {
    const redacted = redactText(text);
    assert.ok(!/hunter2|correct-horse|ecret1/.test(redacted), redacted);
    assert.match(redacted, /\*{3}/);
    assert.equal(redactText(redacted), redacted);
  });
}

Deno.test("redactText is done after one time", () => {
  const word = fc.constantFrom(
    "password",
    "token",
    ":",
    "=",
    " ",
    "--",
    '"',
    "***",
    "https://",
    "@",
    "a1",
    "\n",
    "secret",
    "cookie",
    "mysql -p",
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 12 }), (words) => {
    const once = redactText(words.join(""));
    assert.equal(redactText(once), once);
  }));
});

const hostile = [
  "password:[",
  "password: Some(",
  "name: password value ",
  '--token "',
  "authorization: digest a=",
  "password%3D",
  ":%2F%2F",
  "a:b@c",
  "password is a ",
  "\\u001b[",
  "\x1b]",
  "DB_PASSWORD_X=",
  '"password_admin":"',
  "//a:b@",
  "a:b@tcp",
  "a",
  " ",
  "=",
  "password",
  "password:",
  "password ",
  "://",
  "://a@",
  "Bearer ",
  "-",
  "--password ",
  '{"',
  "\n",
  "password: a\n",
  "YWJjZA==",
  "https://a:",
  "cookie: a=",
  "?sig=",
  "<password>",
  "login a password ",
  "auth: ",
  keyBegin,
  "_",
  "$2a$",
  "curl -u a ",
  "mysql -p ",
  "<",
  "eyJ",
  '"',
  "\\",
  "{SHA}",
  "api_key",
  "- - a",
  "{{",
  " \n",
  "name: password\nvalue: a\n",
  "kind: Secret\ndata:\n",
  "APP_KEY=",
  "&APP_KEY=",
];
for (const part of hostile) {
  Deno.test(`eight megabytes of ${JSON.stringify(part)} are redacted`, () => {
    const text = part.repeat(Math.ceil(8_000_000 / part.length));
    // Time that is not linear would not end here.
    assert.equal(typeof redactConfiguration(text), "string");
  });
}

Deno.test("megabytes of names whose value is masked at their very end are redacted", () => {
  // The character without width keeps the first masks from seeing a value.
  const text = `x${"db_pw=\u200b".repeat(200_000)}***`;
  assert.equal(typeof redactText(text), "string");
});

Deno.test("a private key over several lines of a log is masked, whatever stands before its lines", () => {
  const lines = (prefix: string) => [
    `${prefix}loading key`,
    `${prefix}${keyBegin}`,
    `${prefix}${keyLine}`,
    `${prefix}${keyLine}`,
    `${prefix}Qm9iQWxpY2VFdmVDYXJvbERhdmVRcw==`,
    `${prefix}${keyEnd}`,
    `${prefix}listening on :8080`,
  ];
  for (const prefix of ["", "2024-05-01T10:00:00.123456789Z ", "INFO key: "]) {
    const redactor = createLogRedactor();
    const redacted = lines(prefix).map((line) => redactor.line(line));
    assert.ok(!redacted.join("\n").includes("MIIE"), redacted.join("\n"));
    assert.ok(!redacted.join("\n").includes("Qm9i"), redacted.join("\n"));
    assert.equal(redacted[0], `${prefix}loading key`);
    assert.equal(redacted[6], `${prefix}listening on :8080`);
  }
});

Deno.test("a log that starts in the midst of a private key, and a key that never ends", () => {
  const redactor = createLogRedactor();
  const lines = [keyLine, keyLine, "c2hvcnQ=", keyEnd, "next"].map((line) => redactor.line(line));
  assert.deepEqual(lines, ["***", "***", "***", "***", "next"]);
  assert.equal(redactor.line(`expected ${keyBegin}`), "expected ***");
  assert.equal(redactor.line("a line of prose"), "a line of prose");
  assert.equal(redactor.line("0".repeat(64)), "0".repeat(64));
});

Deno.test("a private key whose lines are coloured, in JSON or in a language's quotes", () => {
  const wrappers: readonly ((line: string) => string)[] = [
    (line) => `\x1b[31m${line}\x1b[0m`,
    (line) => `${line}\r`,
    (line) => `    ${line}`,
    (line) => JSON.stringify({ log: `${line}\n`, stream: "stdout" }),
    (line) => `  "${line}\\n" +`,
  ];
  for (const wrap of wrappers) {
    const redactor = createLogRedactor();
    const lines = ["loading", keyBegin, keyLine, keyLine, "Qm9iQWxpY2VFdmVDYXJvbERhdmVRcw==", keyEnd, "done"];
    const redacted = lines.map((line) => redactor.line(wrap(line)));
    assert.ok(!/MIIE|Qm9i/.test(redacted.join("\n")), redacted.join("\n"));
    assert.equal(redacted[0], wrap("loading"));
    assert.equal(redacted[6], wrap("done"));
  }
  const cut = createLogRedactor();
  assert.equal(cut.line(`${keyLine}abcdef`), "***", "OpenSSH's full lines have 70 characters");
});

const parted: readonly (readonly string[])[] = [
  ["password:", `  ${secret}`],
  ['  "password":', `    "${secret}",`],
  ["password: |", `  ${secret}`, `  ${secret}`],
  ["- name: DB_PASSWORD", `  value: ${secret}`],
  ['"name": "DB_PASSWORD",', `"value": "${secret}"`],
  ["app --password \\", `  ${secret}`],
  ['    "--password",', `    "${secret}"`],
  ["\x1b[36mpassword\x1b[0m:", `\x1b[32m${secret}\x1b[0m`],
  ["Please use the following password to proceed to installation:", "", secret],
];
for (const lines of parted) {
  Deno.test(`a value on the line after its name is masked: ${lines[0]}`, () => {
    for (const stamp of ["", "2024-05-01T10:00:00.123456789Z "]) {
      const redactor = createLogRedactor();
      const redacted = [...lines, "listening"].map((line) => redactor.line(stamp + line));
      assert.ok(!redacted.join("\n").includes(secret), redacted.join("\n"));
      assert.equal(redacted[0], stamp + lines[0]);
      assert.equal(redacted.at(-1), `${stamp}listening`);
    }
  });
}

const encoded = btoa(secret);
const printed: readonly (readonly string[])[] = [
  ["apiVersion: v1", "data:", `  any: ${encoded}`, "kind: Secret"],
  ["kind: Secret", "data:", '  any: "AAECAwQFBgc="', "metadata:"],
  ["data:", `  any: ${encoded}`, "  more: |-", `    ${encoded}`, "kind: Secret"],
  ["data:", `  any: ${encoded}`, "  more: >", `    ${btoa(`one line ${secret} or another`)}`, "kind: Secret"],
  ["stringData:", `  any: ${secret}`, `  more: "x ${secret}"`, "kind: Secret"],
];
for (const lines of printed) {
  Deno.test(`a Secret that a log prints loses its values: ${lines.join(" ").slice(0, 40)}`, () => {
    const redactor = createLogRedactor();
    const redacted = lines.map((line) => redactor.line(line));
    assert.ok(!/AAEC/.test(redacted.join()) && !redacted.join().includes(secret), redacted.join("\n"));
    assert.ok(!redacted.join().includes(encoded), redacted.join("\n"));
    assert.match(redacted.join("\n"), /^ {2}any: \*{3}$/m);
  });
}

for (
  const text of [
    `Response Body: {"kind":"Secret","apiVersion":"v1","data":{"a":"AAECAwQFBgc=","b":"AAECAwQFBgc="}}`,
    String.raw`{"body":"{\"data\":{\"a\":\"AAECAwQFBgc=\"},\"kind\":\"Secret\"}"}`,
    `{"items":[{"kind": "Secret", "data": {"a": "AAECAwQFBgc="}}]}`,
    `sent {"kind":"Secret","stringData":{"a":"{mode}: x","b":"AAEC"}}`,
    String
      .raw`sent {"kind":"Secret","stringData":{"lines":"one\nAAEC","said":"\"AAEC\"","end":"x\\","b":"AAEC"}}`,
    String.raw`sent "{\"kind\":\"Secret\",\"stringData\":{\"a\":\"one\\nAAEC\",\"b\":\"AAEC\"}}"`,
    `sent {"kind":"Secret","stringData":{"a":null,"b":"{AAEC null`,
  ]
) {
  Deno.test(`a Secret that a log prints in JSON loses its values: ${text.slice(0, 40)}`, () => {
    const redacted = createLogRedactor().line(text);
    assert.ok(!redacted.includes("AAEC"), redacted);
    assert.equal(redactText(redacted), redacted);
  });
}

Deno.test("a ConfigMap that a log prints keeps its words", () => {
  const redactor = createLogRedactor();
  const lines = [
    "kind: ConfigMap",
    "data:",
    "  mode: fast",
    "  size: database",
    "  zone: cluster-local",
    "  words: |",
    "    fast",
    "    metrics12",
    "    max_connections = 12",
    "next: 1",
  ];
  assert.deepEqual(lines.map((line) => redactor.line(line)), lines);
});

for (
  const lines of [
    ["Failed to refresh token:", "java.net.SocketTimeoutException: connect timed out"],
    ["could not read secret:", "timeout"],
    ["password:", "username: app"],
    ["  --token", "        The token to use for authentication"],
    ["name: cache_key", "value: users"],
    ["token:", "", "", "", "ready"],
  ]
) {
  Deno.test(`what follows is no value: ${lines[0]}`, () => {
    const redactor = createLogRedactor();
    assert.deepEqual(lines.map((line) => redactor.line(line)), lines);
  });
}

Deno.test("redactCommand", () => {
  assert.deepEqual(
    redactCommand([
      "mysqld",
      `--password=${secret}`,
      "-p",
      secret,
      "-p",
      "8080:80",
      "--token",
      secret,
      "--dbPassword",
      secret,
      "--tls-private-key-file=/etc/x.key",
      "--authorization-mode=Node,RBAC",
      "--kubeconfig=/etc/k/x.conf",
      "--secret-name",
      "foo",
      `DB_PASSWORD=${secret}`,
      "--password=$(DB_PASSWORD)",
      "--use-credentials=true",
      "-u",
      `me:${secret}`,
      `-p${secret}`,
      "sh",
      "-c",
      `export TOKEN=${secret}\nPASSWORD: ${secret}\nexec app`,
    ]),
    [
      "mysqld",
      "--password=***",
      "-p",
      "***",
      "-p",
      "8080:80",
      "--token",
      "***",
      "--dbPassword",
      "***",
      "--tls-private-key-file=/etc/x.key",
      "--authorization-mode=Node,RBAC",
      "--kubeconfig=/etc/k/x.conf",
      "--secret-name",
      "foo",
      "DB_PASSWORD=***",
      "--password=$(DB_PASSWORD)",
      "--use-credentials=true",
      "-u",
      "me:***",
      "-p***",
      "sh",
      "-c",
      "export TOKEN=***\nPASSWORD: ***\nexec app",
    ],
  );
});

Deno.test("redactConfiguration", () => {
  const yaml = (value: string) =>
    `server:
  port: 8080
  password: ${value}
  token: |
    ${value}
  secretName: db
env:
- name: DB_PASSWORD
  value: ${value}
- name: LEVEL
  value: debug
api.key=${value}
url=postgres://app:${value}@db/app
---
kind: Secret
data:
  any: ${value === "***" ? value : btoa(value)}
type: Opaque
---
kind: ConfigMap
data:
  any: kept
`;
  assert.equal(redactConfiguration(yaml(secret)), yaml("***"));
});
