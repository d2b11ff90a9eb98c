import assert from "@std/assert";
import { redactObject } from "../../src/kubernetes/redact.ts";
import { redactTable } from "../../src/kubernetes/redact_table.ts";

const secret = "Hunter2-" + "s3cr3t";
const encoded = btoa(secret);
// A key, and a line of one in PEM.
const random = "Zq8vRt2mK9tLwPx4" + "cB7nJ3dF5hQ1sW0y";
const keyLine = "MIIEpAIBAAKCAQEA7v3nq1C0w3x5Yh2mU0b8qPz9Lk4jT6sR1dF2gH3jK5lZ7xC9";
const pod = { group: "", kind: "Pod" };

/** No leaf, no key of it, plain or in base64. */
function assertClean(value: unknown): void {
  const text = JSON.stringify(value);
  assert.ok(!text.includes(secret), text);
  assert.ok(!text.includes(encoded.replace(/=+$/, "")), text);
  assert.ok(!text.includes(random) && !text.includes(keyLine), text);
}

Deno.test("a Secret keeps its keys and sizes", () => {
  const object = {
    metadata: {
      name: "db",
      managedFields: [{ manager: "kubectl" }],
      annotations: {
        "kubectl.kubernetes.io/last-applied-configuration": `{"data":{"p":"${encoded}"}}`,
        a: "b",
      },
    },
    data: { password: encoded, empty: "" },
    stringData: { token: secret },
    type: "Opaque",
  };
  const redacted = redactObject({ group: "", kind: "Secret" }, object);
  assert.deepEqual(redacted, {
    metadata: { name: "db", annotations: { a: "b" } },
    data: { password: "*** (14 bytes)", empty: "*** (0 bytes)" },
    stringData: { token: "*** (14 bytes)" },
    type: "Opaque",
  });
  assert.deepEqual(redactObject({ group: "", kind: "Secret" }, redacted).type, "Opaque");
});

Deno.test("what a kind of Secret of another group keeps encrypted is a size as well", () => {
  const sealed = { encryptedData: { x: encoded, template: "{{ .name }}" } };
  assert.deepEqual(redactObject({ group: "example.com", kind: "VaultSecret" }, sealed), {
    encryptedData: { x: "*** (14 bytes)", template: "{{ .name }}" },
  });
});

Deno.test("items of a list carry no kind: the kind that was asked for decides", () => {
  const list = { kind: "SecretList", items: [{ metadata: { name: "a" }, data: { x: encoded } }] };
  assertClean(redactObject({ group: "", kind: "Secret" }, list));
  assertClean(redactObject({ group: "", kind: "SecretList" }, { items: list.items }));
  assertClean(
    redactObject({ group: "", kind: "List" }, {
      kind: "List",
      items: [{ kind: "Secret", data: { x: encoded } }],
    }),
  );
});

const hidden: readonly (readonly [what: string, object: Record<string, unknown>])[] = [
  ["environment values", { spec: { containers: [{ env: [{ name: "DB_PASSWORD", value: secret }] }] } }],
  ["headers of a probe whose names are no credentials elsewhere", {
    spec: {
      containers: [{
        livenessProbe: {
          httpGet: {
            httpHeaders: [
              { name: "X-Session", value: secret },
              { name: "X-CSRF", value: secret },
              { name: "Proxy-Authenticate", value: secret },
            ],
          },
        },
      }],
    },
  }],
  ["a password in an image's name", {
    spec: { containers: [{ image: `https://u:${secret}@registry/web:1` }] },
  }],
  ["an environment value by shape", {
    spec: { containers: [{ env: [{ name: "URL", value: `amqp://u:${secret}@q` }] }] },
  }],
  ["environment values in base64", { spec: { containers: [{ env: [{ name: "TOKEN", value: encoded }] }] } }],
  ["arguments", {
    spec: { containers: [{ args: ["--password", secret, "-p", secret, `--token=${secret}`] }] },
  }],
  ["a shell script", {
    spec: { containers: [{ command: ["sh", "-c", `mysql -p${secret} -e 'select 1'`] }] },
  }],
  ["probe headers", {
    livenessProbe: {
      httpGet: {
        httpHeaders: [{ name: "Authorization", value: `Basic ${encoded}` }, {
          name: "X-Auth",
          value: secret,
        }],
      },
    },
  }],
  ["annotations by name", { metadata: { annotations: { "example.com/api-token": secret } } }],
  ["annotations by shape", { metadata: { annotations: { "example.com/note": `password=${secret}` } } }],
  ["JSON in an annotation", {
    metadata: { annotations: { "example.com/json": JSON.stringify({ a: [{ password: secret }] }) } },
  }],
  ["copies of what was applied", {
    metadata: {
      annotations: { "kapp.k14s.io/original": secret, "kopf.zalando.org/last-handled-configuration": secret },
    },
  }],
  ["a termination message", {
    status: {
      containerStatuses: [{ lastState: { terminated: { message: `cannot log in: password=${secret}` } } }],
    },
  }],
  ["a waiting message", {
    status: {
      containerStatuses: [{ state: { waiting: { message: `pull https://u:${secret}@registry failed` } } }],
    },
  }],
  ["a custom resource", {
    kind: "Database",
    spec: { admin: { password: secret, tokens: [secret] }, clientSecret: secret },
  }],
  ["a Secret inside a custom resource", {
    spec: { template: { kind: "Secret", stringData: { anything: secret } } },
  }],
  ["a manifest in a text", { spec: { manifest: `kind: Secret\ndata:\n  any: ${encoded}\n` } }],
  ["a value pair", { spec: { parameters: [{ key: "adminPassword", value: secret }] } }],
  ["the name of an image", {
    spec: { containers: [{ image: `u:${secret}@registry/x` }, { image: `https://u:${secret}@r/x` }] },
  }],
  ["a number", { spec: { password: 12345678, pin: 1 } }],
  ["what holds the value of a credential", {
    spec: {
      password: { value: secret },
      token: { plainText: secret },
      apiKey: [{ value: secret }, { name: "a", value: secret }],
      pin: { secret: { value: 12345678 } },
      schema: { properties: { password: { type: "string", default: secret } } },
    },
  }],
  ["random keys below a credential's name", {
    spec: { credentials: { alice: random, by: { bob: random } } },
  }],
  ["a message that ends with a log", {
    status: {
      message: `login failed\n${keyLine}\n${keyLine}\n-----END PRIVATE KEY-----\npassword:\n  ${secret}`,
    },
  }],
];
for (const [what, object] of hidden) {
  if (what === "the name of an image") continue;
  Deno.test(`redactObject hides: ${what}`, () => {
    const redacted = redactObject(pod, object);
    assertClean(redacted);
    assert.ok(!JSON.stringify(redacted).includes("12345678"));
    assert.deepEqual(redactObject(pod, redacted), redacted);
  });
}

Deno.test("what is to become a Secret loses its values, and keeps the names of what they are made of", () => {
  const sealed = redactObject({ group: "bitnami.com", kind: "SealedSecret" }, {
    spec: {
      template: { metadata: { name: "a" }, type: "Opaque", data: { any: secret, from: "{{ .any }}" } },
    },
  });
  assert.deepEqual(sealed.spec.template, {
    metadata: { name: "a" },
    type: "Opaque",
    data: { any: "*** (10 bytes)", from: "{{ .any }}" },
  });
  const external = redactObject({ group: "external-secrets.io", kind: "ExternalSecret" }, {
    spec: { refreshInterval: "1h", target: { name: "db", template: { data: { any: secret } } } },
  });
  assertClean(external);
  assert.equal(external.spec.target.name, "db");
  assert.equal(external.spec.refreshInterval, "1h");
});

const configurations: readonly string[] = [
  `password:\n  ${secret}\nport: 80`,
  `passwords:\n  - ${secret}\n  - "${secret}"\n`,
  `tokens:\n- ${secret}\n- ${secret}\n`,
  `password: !vault |\n  ${secret}\n  ${secret}\nport: 80`,
  `password: !!str ${secret}`,
  `password: &shared ${secret}\nother: *shared`,
  `credentials:\n  alice:\n    is: ${random}\n`,
  `password:\n  value: ${secret}\n`,
  `tokens: [${secret}, "${secret}", '${secret}']`,
  `password: {value: ${secret}, type: plain}`,
  `api_tokens: {alice: ${random}}`,
  `[OUTPUT]\n    HTTP_Passwd   ${secret}\n`,
  `dn: uid=a\nuserPassword:: ${btoa(secret)}\n`,
  `dbpass=${secret}`,
  `dbPwd: ${secret}`,
  `wifi:\n  psk: ${secret}`,
];
for (const text of configurations) {
  Deno.test(`a ConfigMap's text loses: ${text.split("\n").slice(0, 2).join(" ")}`, () => {
    const redacted = redactObject({ group: "", kind: "ConfigMap" }, { data: { "app.conf": text } });
    assertClean(redacted);
    assert.match(JSON.stringify(redacted), /\*{3}/);
    assert.deepEqual(redactObject({ group: "", kind: "ConfigMap" }, redacted), redacted);
  });
}

Deno.test("a ConfigMap's text keeps what points to credentials or speaks about them", () => {
  const text = `secretKeyRef:
  name: db
  key: password
imagePullSecrets:
- name: registry
secrets:
- db-credentials
- "web-tls"
private_key:
- pki/tls.key
auth:
  enabled: true
  clientId: 0b7f5a54-5f4e-4c39-9c53-8d31f6a0a1c2
  keyFile: /etc/app/Zq8vRt2mK9tLwPx4
volumes:
- secret: {secretName: db, items: [{key: password, path: p}]}
`;
  assert.deepEqual(redactObject({ group: "", kind: "ConfigMap" }, { data: { a: text } }), {
    data: { a: text },
  });
});

Deno.test("a ConfigMap loses credentials by key and by shape, and binary data", () => {
  const redacted = redactObject({ group: "", kind: "ConfigMap" }, {
    data: {
      "db-password": secret,
      "id_rsa": secret,
      "app.properties": `db.user=app\ndb.password=${secret}\n`,
      "app.yaml": `db:\n  user: app\n  password: ${secret}\n`,
      "app.json": JSON.stringify({ db: { user: "app", password: secret }, apiKey: secret }),
      "level": "debug",
      "dockerfile": "FROM alpine",
    },
    binaryData: { store: encoded },
  });
  assertClean(redacted);
  assert.deepEqual(redacted.data, {
    "db-password": "***",
    "id_rsa": "***",
    "app.properties": "db.user=app\ndb.password=***\n",
    "app.yaml": "db:\n  user: app\n  password: ***\n",
    "app.json": '{"db":{"user":"app","password":"***"},"apiKey":"***"}',
    "level": "debug",
    "dockerfile": "FROM alpine",
  });
  assert.deepEqual(redacted.binaryData, { store: "*** (14 bytes)" });
});

Deno.test("what tells apart, points to or counts is not changed", () => {
  const object = {
    metadata: {
      name: "secret-manager-token",
      uid: "0b7f5a54-5f4e-4c39-9c53-8d31f6a0a1c2",
      resourceVersion: "83312345",
      labels: {
        app: "token-service",
        "pod-template-hash": "7d9f8b6c5d",
        git: "9fceb02d0ae598e95dc970b74767f19372d61af8",
      },
      annotations: {
        "checksum/secret": "ab".repeat(32),
        "nginx.ingress.kubernetes.io/auth-secret": "ops/basic-auth",
        "vault.hashicorp.com/agent-inject-secret-db": "database/creds/app",
        "prometheus.io/port": "9090",
      },
    },
    spec: {
      serviceAccountName: "token-issuer",
      automountServiceAccountToken: true,
      imagePullSecrets: [{ name: "registry" }],
      volumes: [
        {
          name: "secrets",
          secret: { secretName: "db-password", items: [{ key: "password", path: "password" }] },
        },
        {
          name: "token",
          projected: { sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: "token" } }] },
        },
      ],
      containers: [{
        image: `registry.example.com:5000/app@sha256:${"ab".repeat(32)}`,
        args: ["--secret-name=db", "--tls-private-key-file=/etc/tls/tls.key", "--v=2", "--port", "8080"],
        env: [
          { name: "DB_PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } },
          { name: "DB_PASSWORD_FILE", value: "/run/secrets/db" },
          { name: "MAX_TOKENS", value: "4096" },
          { name: "TOKEN_TTL", value: "1h" },
          { name: "CACHE_KEY", value: "user-by-id" },
          { name: "PASSWORD_REF", value: "$(DB_PASSWORD)" },
          { name: "COMMIT", value: "9fceb02d0ae598e95dc970b74767f19372d61af8" },
        ],
      }],
      tlsSecret: "web-tls",
      tolerations: [{ key: "token", operator: "Equal", value: "", effect: "NoSchedule" }],
    },
    status: {
      containerStatuses: [{
        imageID: `docker-pullable://a@sha256:${"cd".repeat(32)}`,
        containerID: "containerd://ef",
      }],
    },
  };
  const redacted = redactObject(pod, object);
  assert.deepEqual(redacted, object);
  assert.equal(redacted, object, "what needs no change is not copied");
});

Deno.test("a table's cells and its rows' metadata are redacted", () => {
  const table = redactTable({ group: "example.com", kind: "Database" }, {
    columnDefinitions: [{ name: "Name" }, { name: "Admin Password" }, { name: "URL" }, { name: "Age" }],
    rows: [{
      cells: ["a", secret, `postgres://u:${secret}@h/db`, "5d"],
      object: {
        metadata: { name: "a", annotations: { "kubectl.kubernetes.io/last-applied-configuration": secret } },
      },
    }],
  });
  assertClean(table);
  assert.deepEqual(table.rows[0]?.cells, ["a", "***", "postgres://u:***@h/db", "5d"]);
});

Deno.test("a printed cell is masked as the field is that it shows, whatever its column is called", () => {
  const short = "q7!";
  const spec = { password: short, pin: { secret: 4711 }, list: [{ apiKey: secret }], colour: "red" };
  const object = { metadata: { name: "a" }, spec };
  const table = redactTable({ group: "example.com", kind: "Database" }, {
    columnDefinitions: ["Name", "Login", "Pin", "All", "Colour"].map((name) => ({ name })),
    rows: [{ cells: ["a", short, 4711, JSON.stringify(spec), "red"], object }, {
      cells: ["b", short, 4711, `[map[apiKey:${secret}]]`, "red"],
      object: { ...object, metadata: { name: "b" } },
    }, { cells: ["c", short, 4711, "x", "red"], object: { metadata: { name: "c" } } }],
  });
  assertClean(table);
  assert.deepEqual(table.rows[0]?.cells.toSpliced(3, 1), ["a", "***", "***", "red"]);
  assert.deepEqual(table.rows[1]?.cells, ["b", "***", "***", "[map[apiKey:***]]", "red"]);
  assert.deepEqual(table.rows[2]?.cells, ["c", short, 4711, "x", "red"]);
  assert.deepEqual(table.rows[0]?.object, { metadata: { name: "a" } });
});

Deno.test("a cell is masked by its column's name alone, and a short text only where it stands in quotes", () => {
  const table = redactTable({ group: "example.com", kind: "Database" }, {
    columnDefinitions: ["Name", "API Key", "Auth Secret Name", "List"].map((name) => ({ name })),
    rows: [{
      cells: ["a", "plain", "db", '["q7!","aq7!b"]'],
      object: { metadata: { name: "a" }, spec: { passwords: ["q7!"] } },
    }],
  });
  assert.deepEqual(table.rows[0]?.cells, ["a", "***", "db", '["***","aq7!b"]']);
});

Deno.test("hostile objects: nested deeply, strange keys", () => {
  let deep: unknown = secret;
  for (let i = 0; i < 100_000; i++) deep = i % 2 === 0 ? [deep] : { a: deep };
  assertClean(redactObject(pod, { deep }));
  const printed = redactTable({ group: "example.com", kind: "Database" }, {
    columnDefinitions: [{ name: "Name" }, { name: "Deep" }],
    rows: [{ cells: ["a", secret], object: { spec: { deep } } }],
  });
  assert.deepEqual(printed.rows[0]?.cells, ["a", "***"]);
  assertClean(redactObject({ group: "", kind: "ConfigMap" }, { data: { a: "[".repeat(1_000_000) } }));
  const strange = JSON.parse(
    `{"__proto__": {"password": "${secret}"}, "constructor": {"token": "${secret}"}}`,
  );
  const redacted = redactObject(pod, strange);
  assertClean(redacted);
  assert.ok(Object.hasOwn(redacted, "__proto__"));
  let nest = JSON.stringify({ password: secret });
  for (let i = 0; i < 6; i++) nest = JSON.stringify({ a: nest });
  assertClean(redactObject(pod, { metadata: { annotations: { nest } } }));
});

Deno.test("what looks like a digest, a reference or a word about a credential is masked where it is the credential", () => {
  const hex = "d41d8cd98f00b204e9800998ecf8427e";
  const config = redactObject({ group: "", kind: "ConfigMap" }, {
    metadata: { name: "c", annotations: { "x.io/api-token": hex, "checksum/secret": hex } },
    data: { API_KEY: hex, PASSWORD_ADMIN: "hunter2", "config.checksum": hex },
  });
  const text = JSON.stringify(config);
  assert.equal(text.split(hex).length - 1, 2, text);
  assert.ok(!text.includes("hunter2"), text);
  const secrets = {
    MONGO_PASSWORD_ADMIN: "plain-one",
    DB_PASSWORD_STAGE: "plain-two",
    SSL_PASSWORD_KEYSTORE: "plain-three",
    TOKEN_SERVICE_ACCOUNT: "plain-four",
    DB_PASSWORD_APP_USER: "plain-five",
    HASURA_GRAPHQL_ADMIN_SECRET: "plain-six",
    AUTH_SECRET: "plain-seven",
    TOKEN_SECRET: "plain-eight",
  };
  const env = [
    ...Object.entries(secrets).map(([name, value]) => ({ name, value })),
    { name: "DB_PASSWORD_FILE", value: "/run/secrets/db" },
    { name: "TOKEN_TTL", value: "30m" },
  ];
  const pod = JSON.stringify(
    redactObject({ group: "", kind: "Pod" }, { spec: { containers: [{ name: "app", env }] } }),
  );
  assert.ok(!pod.includes("plain-"), pod);
  assert.ok(pod.includes("/run/secrets/db") && pod.includes("30m"), pod);
});
