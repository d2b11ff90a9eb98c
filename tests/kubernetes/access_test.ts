/** Logging in to a real apiserver in all the ways of a kubeconfig. */
import assert from "@std/assert";
import { parse, stringify } from "yaml";
import { Environment } from "../../src/common/env.ts";
import { type Cluster, Clusters } from "../../src/kubernetes/api.ts";
import { readKubernetesSettings } from "../../src/kubernetes/settings.ts";
import { podType } from "../../src/kubernetes/well_known.ts";
import {
  type AuditEvent,
  kubernetesAvailable,
  sharedKubernetes,
  type TestKubernetes,
} from "../support/kubernetes.ts";
import { rejection } from "../support/rejection.ts";
import { until } from "../support/until.ts";

const options = { signal: new AbortController().signal };
const base64 = (text: string) => new TextEncoder().encode(text).toBase64();

/** Asks for the pods of a namespace that only this test knows; returns what the apiserver's audit log says of it. */
async function ask(kubernetes: TestKubernetes, cluster: Cluster): Promise<AuditEvent> {
  const namespace = `asked-${crypto.randomUUID()}`;
  await cluster.list(podType, namespace, options);
  const find = async () =>
    (await kubernetes.audit()).find(({ requestURI, responseStatus }) =>
      requestURI.includes(namespace) && responseStatus?.code === 200
    );
  await until("the audit event", async () => await find() !== undefined);
  const event = await find();
  if (event === undefined) throw new Error("the audit event is gone");
  return event;
}

async function withUser<Result>(
  user: Readonly<Record<string, unknown>>,
  use: (cluster: Cluster, kubernetes: TestKubernetes) => Promise<Result>,
  change: (config: { clusters: { cluster: Record<string, unknown> }[] }) => void = () => {},
): Promise<Result> {
  const kubernetes = await sharedKubernetes();
  const path = await kubernetes.kubeconfigFor(user);
  const config = parse(await Deno.readTextFile(path));
  change(config);
  await Deno.writeTextFile(path, stringify(config));
  const clusters = kubernetes.clusters({ KUBECONFIG: path, PATH: Deno.env.get("PATH") ?? "" });
  try {
    return await use(clusters.cluster(undefined), kubernetes);
  } finally {
    clusters.close();
    await Deno.remove(path);
  }
}

function test(name: string, fn: (kubernetes: TestKubernetes) => Promise<void>): void {
  Deno.test({ name, ignore: !kubernetesAvailable, fn: async () => await fn(await sharedKubernetes()) });
}

test("a token", (kubernetes) =>
  withUser({ token: kubernetes.adminToken }, async (cluster) => {
    assert.equal((await ask(kubernetes, cluster)).user.username, "token-admin");
  }));

test("a client certificate, in base64", async (kubernetes) => {
  const { cert, key } = await kubernetes.clientCertificate("inline", { groups: ["system:masters"] });
  await withUser(
    { "client-certificate-data": base64(cert), "client-key-data": base64(key) },
    async (cluster) => {
      assert.equal((await ask(kubernetes, cluster)).user.username, "inline");
      assert.equal(await cluster.identity(options), "inline");
    },
  );
});

test("a client certificate, in files", async (kubernetes) => {
  const { cert, key } = await kubernetes.clientCertificate("filed", { groups: ["system:masters"] });
  const folder = await Deno.makeTempDir({ dir: kubernetes.folder });
  await Deno.writeTextFile(`${folder}/c.crt`, cert);
  await Deno.writeTextFile(`${folder}/c.key`, key);
  await withUser(
    { "client-certificate": `${folder}/c.crt`, "client-key": `${folder}/c.key` },
    async (cluster) => {
      assert.equal((await ask(kubernetes, cluster)).user.username, "filed");
    },
  );
});

test("a client certificate that has expired is named as such", async (kubernetes) => {
  const { cert, key } = await kubernetes.clientCertificate("late", { groups: ["system:masters"], days: -1 });
  await withUser(
    { "client-certificate-data": base64(cert), "client-key-data": base64(key) },
    async (cluster) => {
      const error = await rejection(cluster.list(podType, "default", options));
      assert.match(
        error.message,
        /Cannot log in to context "test" as its client certificate expired at \d{4}-/,
      );
      assert.match(error.hint ?? "", /renew them in the kubeconfig, and then start this program again/);
    },
  );
  const folder = await Deno.makeTempDir({ dir: kubernetes.folder });
  await Deno.writeTextFile(`${folder}/c.crt`, cert);
  await Deno.writeTextFile(`${folder}/c.key`, key);
  await withUser(
    { "client-certificate": `${folder}/c.crt`, "client-key": `${folder}/c.key` },
    async (cluster) => {
      const { hint } = await rejection(cluster.list(podType, "default", options));
      assert.match(hint ?? "", /renew the client certificate in the files .* read anew by the next call$/);
    },
  );
});

test("a token's file is read again when the token is refused", async (kubernetes) => {
  const tokenFile = await Deno.makeTempFile({ dir: kubernetes.folder });
  await Deno.writeTextFile(tokenFile, "an-old-token\n");
  await withUser({ tokenFile, token: "never-used" }, async (cluster) => {
    const error = await rejection(cluster.list(podType, "default", options));
    assert.match(error.message, /does not accept its credentials/);
    assert.match(error.hint ?? "", /renew the token in the file .* read anew by the next call$/);
    assert.ok(!`${error.message}${error.hint}`.includes("an-old-token"));
    await Deno.writeTextFile(tokenFile, `${kubernetes.adminToken}\n`);
    assert.equal((await ask(kubernetes, cluster)).user.username, "token-admin");
  });
});

test("a JSON Web Token that has expired is named as such", () => {
  const part = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url" });
  const token = `${part({ alg: "none" })}.${part({ sub: "jane", exp: 1_700_000_000 })}.c2ln`;
  return withUser({ token }, async (cluster) => {
    const error = await rejection(cluster.list(podType, "default", options));
    assert.match(error.message, /its token expired at 2023-11-14 22:13:20 UTC/);
  });
});

test("an id-token that has expired: kubectl renews it, and it is read at the start", () => {
  const part = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url" });
  const token = `${part({ alg: "none" })}.${part({ sub: "jane", exp: 1_700_000_000 })}.c2ln`;
  const provider = { name: "oidc", config: { "id-token": token, "refresh-token": "swordfish" } };
  return withUser({ "auth-provider": provider }, async (cluster) => {
    const error = await rejection(cluster.list(podType, "default", options));
    assert.match(error.message, /its id-token expired at 2023-11-14 22:13:20 UTC/);
    assert.match(
      error.hint ?? "",
      /run kubectl --context test get namespaces .*; then start this program again$/,
    );
    assert.ok(!`${error.message}${error.hint}`.includes("swordfish"));
  });
});

test("impersonation with groups, a uid and extras", (kubernetes) =>
  withUser({
    token: kubernetes.adminToken,
    as: "jane",
    "as-uid": "42",
    "as-groups": ["system:masters", "on, call"],
    "as-user-extra": { "example.com/team": ["a", "b"], "UPPER": ["c"] },
  }, async (cluster) => {
    const { user, impersonatedUser } = await ask(kubernetes, cluster);
    assert.equal(user.username, "token-admin");
    assert.equal(impersonatedUser?.username, "jane");
    assert.equal(impersonatedUser?.uid, "42");
    assert.deepEqual(impersonatedUser?.groups, ["system:masters", "on, call", "system:authenticated"]);
    assert.deepEqual(impersonatedUser?.extra, { "example.com/team": ["a", "b"], "upper": ["c"] });
  }));

test("impersonation that is not allowed names itself", (kubernetes) =>
  withUser({ token: kubernetes.nobodyToken, as: "jane" }, async (cluster) => {
    const error = await rejection(cluster.list(podType, "default", options));
    assert.equal(error.kind, "refused");
    assert.match(error.message, /"nobody" may not impersonate/);
  }));

test("a missing right is named with the rule that grants it, and the rule does", async (kubernetes) => {
  const namespace = await kubernetes.namespace("rights");
  await withUser({ token: kubernetes.nobodyToken }, async (cluster) => {
    const error = await rejection(cluster.list(podType, namespace, options));
    assert.equal(error.kind, "refused");
    assert.match(
      error.message,
      /^Cannot list pods in namespace rights-\w+ as "nobody" lacks the right to list pods in namespace/,
    );
    const rule = error.hint?.match(/\{apiGroups: .*\}/)?.[0] ?? "";
    const rbac = { apiVersion: "rbac.authorization.k8s.io/v1", metadata: { name: "granted", namespace } };
    await kubernetes.apply([
      { ...rbac, kind: "Role", rules: [parse(rule)] },
      {
        ...rbac,
        kind: "RoleBinding",
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "granted" },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "nobody" }],
      },
    ]);
    await until(
      "the right",
      async () => await cluster.access({ verb: "list", group: "", resource: "pods", namespace }, options),
    );
    assert.deepEqual((await cluster.list(podType, namespace, options)).items, []);
  });
});

test("a pod's service account, whose token rotates", async (kubernetes) => {
  const namespace = await kubernetes.namespace("in-cluster");
  await kubernetes.kubectl(
    ...[
      "create",
      "clusterrolebinding",
      namespace,
      "--clusterrole=view",
      `--serviceaccount=${namespace}:default`,
    ],
  );
  const url = new URL(kubernetes.server);
  const variables: Readonly<Record<string, string>> = {
    KUBERNETES_SERVICE_HOST: url.hostname,
    KUBERNETES_SERVICE_PORT: url.port,
  };
  let token = "not-yet";
  const clusters = new Clusters(readKubernetesSettings(
    new Environment({
      get: (name) => variables[name],
      readFile(path) {
        if (path.endsWith("/serviceaccount/token")) return token;
        if (path.endsWith("/serviceaccount/namespace")) return namespace;
        if (path.endsWith("/serviceaccount/ca.crt")) return kubernetes.authority;
        throw new Deno.errors.NotFound();
      },
    }),
  ));
  try {
    const cluster = clusters.cluster(undefined);
    assert.equal(cluster.defaultNamespace, namespace);
    await rejection(cluster.list(podType, namespace, options));
    token = (await kubernetes.kubectl("create", "token", "default", `--namespace=${namespace}`)).trim();
    await until(
      "the right",
      async () => await cluster.access({ verb: "list", group: "", resource: "pods" }, options),
    );
    const { user } = await ask(kubernetes, cluster);
    assert.equal(user.username, `system:serviceaccount:${namespace}:default`);
    assert.equal(await cluster.identity(options), `system:serviceaccount:${namespace}:default`);
  } finally {
    clusters.close();
    await kubernetes.kubectl("delete", "clusterrolebinding", namespace);
  }
});

const admin = "a cluster-admin's token";
const refusals: readonly [
  name: string,
  user: Readonly<Record<string, unknown>>,
  cluster: Readonly<Record<string, unknown>>,
  message: RegExp,
][] = [
  [
    "insecure-skip-tls-verify",
    { token: admin },
    { "insecure-skip-tls-verify": true },
    /checks every certificate/,
  ],
  ["a tls-server-name", { token: admin }, { "tls-server-name": "kubernetes" }, /tls-server-name/],
  ["an unknown auth-provider", { "auth-provider": { name: "gcp" } }, {}, /auth-provider "gcp"/],
  ["a user with a line break", { token: "t", as: "a\r\nx-evil: 1" }, {}, /impersonates has characters/],
  ["a group beyond Latin", { token: "t", as: "a", "as-groups": ["Łódź"] }, {}, /impersonates has characters/],
  [
    "a proxy with a % in its password",
    { token: "t" },
    { "proxy-url": "http://user:swordfish%E0@proxy" },
    /proxy-url has a %/,
  ],
  ["a proxy of another kind", { token: "t" }, { "proxy-url": "ftp://user:swordfish@proxy" }, /proxy-url/],
  [
    "a server that is no address",
    { token: "t" },
    { server: "https://user:swordfish@host" },
    /not an https address/,
  ],
  ["a cluster without a server", { token: "t" }, { server: "" }, /no server/],
  ["a certificate without its key", { "client-certificate-data": "AAAA" }, {}, /not both/],
  [
    "a certificate that is none",
    { "client-certificate-data": "AAAA", "client-key-data": "AAAA" },
    {},
    /must be PEM/,
  ],
  [
    "base64 that is none",
    { "client-certificate-data": "%%", "client-key-data": "AAAA" },
    {},
    /can't be used/,
  ],
  [
    "an authority that is none",
    { token: "t" },
    { "certificate-authority-data": base64("swordfish") },
    /not a PEM/,
  ],
  [
    "a token's file that is gone",
    { tokenFile: "/nowhere/swordfish" },
    {},
    /the user's tokenFile can't be used: there is no such file/,
  ],
  ["a token with a line break", { token: "sword\nfish" }, {}, /characters that no token has/],
  [
    "a host that nobody knows",
    { token: "t" },
    { server: "https://nowhere.invalid" },
    /its name is not known/,
  ],
];
for (const [name, user, cluster, message] of refusals) {
  test(`${name} is a clear sentence`, (kubernetes) =>
    withUser(user.token === admin ? { token: kubernetes.adminToken } : user, async (opened) => {
      const error = await rejection(opened.list(podType, "default", options));
      assert.match(error.message, message);
      assert.ok(
        !/swordfish|\/nowhere/.test(`${error.message} ${error.hint}`),
        `${error.message} ${error.hint}`,
      );
    }, (config) => Object.assign(config.clusters[0]?.cluster ?? {}, cluster)));
}

test("an authority that has not signed the apiserver's certificate is refused", async (kubernetes) => {
  const folder = await Deno.makeTempDir();
  const { success } = await new Deno.Command("openssl", {
    args: [
      ...[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
      ],
      ...["-subj", "/CN=another", "-keyout", `${folder}/key`, "-out", `${folder}/crt`],
    ],
    stderr: "null",
  }).output();
  assert.ok(success);
  const authority = await Deno.readTextFile(`${folder}/crt`);
  await Deno.remove(folder, { recursive: true });
  await withUser(
    { token: kubernetes.adminToken },
    async (cluster) => {
      const error = await rejection(cluster.list(podType, "default", options));
      assert.match(error.message, /authority that is not trusted/);
    },
    (config) =>
      Object.assign(config.clusters[0]?.cluster ?? {}, { "certificate-authority-data": base64(authority) }),
  );
});

test("the proxy of the kubeconfig is used, with its password", async (kubernetes) => {
  const seen: string[] = [];
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sockets = new Set<Deno.Conn>();
  const serving = (async () => {
    for await (const inner of listener) {
      sockets.add(inner);
      const buffer = new Uint8Array(4096);
      const length = await inner.read(buffer) ?? 0;
      seen.push(new TextDecoder().decode(buffer.subarray(0, length)));
      const outer = await Deno.connect({
        hostname: "127.0.0.1",
        port: Number(new URL(kubernetes.server).port),
      });
      sockets.add(outer);
      await inner.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
      inner.readable.pipeTo(outer.writable).catch(() => {});
      outer.readable.pipeTo(inner.writable).catch(() => {});
    }
  })();
  try {
    await withUser({ token: kubernetes.adminToken }, async (cluster) => {
      assert.equal((await ask(kubernetes, cluster)).user.username, "token-admin");
    }, (config) =>
      Object.assign(config.clusters[0]?.cluster ?? {}, {
        "proxy-url": `http://jane:sword%21fish@127.0.0.1:${listener.addr.port}`,
      }));
    assert.match(seen[0] ?? "", /^CONNECT 127\.0\.0\.1:/);
    assert.match(seen[0] ?? "", new RegExp(`proxy-authorization: Basic ${base64("jane:sword!fish")}`, "i"));
  } finally {
    listener.close();
    await serving.catch(() => {});
    for (const socket of sockets) {
      try {
        socket.close();
      } catch { /* the other end has closed it */ }
    }
  }
});
