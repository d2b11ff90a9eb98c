import assert from "@std/assert";
import { parse } from "yaml";
import { mergeKubeconfigs, parseKubeconfig } from "../../src/kubernetes/kubeconfig.ts";
import { KubeconfigProblem } from "../../src/kubernetes/kubeconfig_yaml.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";

const first = `
apiVersion: v1
kind: Config
current-context: staging
clusters:
- name: staging
  cluster: { server: "https://staging.example", certificate-authority: pki/ca.crt, tls-server-name: inner.example }
- name: shared
  cluster: { server: "https://first.example", insecure-skip-tls-verify: true, proxy-url: "http://proxy.example:3128" }
users:
- name: red
  user: { token: "0123456", as: jane, as-uid: "42", as-groups: [dev, "on, call"], as-user-extra: { "example.com/team": [a, b] } }
- name: plugin
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: ./bin/get-token
      args: [--cluster, staging]
      env: null
      interactiveMode: IfAvailable
      provideClusterInfo: true
contexts:
- name: staging
  context: { cluster: staging, user: red, namespace: shop }
`;
const second = `
current-context: production
clusters:
- name: shared
  cluster: { server: "https://second.example", certificate-authority-data: AAAA }
users:
- name: red
  user: { username: jane, password: "null and void" }
- name: blue
  user: { tokenFile: tokens/blue, client-certificate: c.crt, client-key: /keys/c.key }
contexts:
- name: production
  context: { cluster: shared, user: blue }
`;

Deno.test("of two files the first to name a thing wins, as a whole", () => {
  const merged = mergeKubeconfigs([
    parseKubeconfig(first, "/a/config"),
    parseKubeconfig(second, "/b/config"),
  ]);
  assert.equal(merged.currentContext, "staging");
  assert.deepEqual([...merged.contexts.keys()].sort(), ["production", "staging"]);
  assert.equal(merged.clusters.get("shared")?.server, "https://first.example");
  assert.equal(merged.clusters.get("shared")?.certificateAuthority, undefined);
  assert.equal(merged.users.get("red")?.username, undefined);
});

Deno.test("relative paths are relative to the file that holds them", () => {
  const { clusters, users } = parseKubeconfig(second, "/b/config");
  assert.equal(users.get("blue")?.tokenFile, "/b/tokens/blue");
  assert.deepEqual(users.get("blue")?.clientCertificate, { path: "/b/c.crt" });
  assert.deepEqual(users.get("blue")?.clientKey, { path: "/keys/c.key" });
  assert.deepEqual(clusters.get("shared")?.certificateAuthority, { inline: "AAAA" });
  assert.equal(parseKubeconfig(first, "/a/config").users.get("plugin")?.exec?.command, "/a/bin/get-token");
});

Deno.test("scalars stay text: a token of digits keeps its leading zero", () => {
  const { users } = parseKubeconfig(first, "/a/config");
  assert.equal(
    parseKubeconfig("users: [{ name: red, user: { token: 0123 } }]", "/k").users.get("red")?.token,
    "0123",
  );
  assert.deepEqual(users.get("red")?.impersonate, {
    user: "jane",
    uid: "42",
    groups: ["dev", "on, call"],
    extra: { "example.com/team": ["a", "b"] },
  });
});

for (const text of ["", "# nothing yet\n", "---\n"]) {
  Deno.test(`${JSON.stringify(text)} is a kubeconfig without anything`, () => {
    assert.equal(parseKubeconfig(text, "/a/config").contexts.size, 0);
  });
}

Deno.test("what a merge key brings counts, an impersonation most of all", () => {
  const { users } = parseKubeconfig(
    "x: &reader {as: readonly}\nusers: [{name: red, user: {token: t, <<: *reader}}]",
    "/k",
  );
  assert.equal(users.get("red")?.token, "t");
  assert.equal(users.get("red")?.impersonate?.user, "readonly");
});

Deno.test("the last of two equal keys counts, and the first of two documents, as for kubectl", () => {
  const { users } = parseKubeconfig(
    "users: [{name: red, user: {token: a, token: b}}]\n---\nusers: [{name: blue, user: {}}]",
    "/k",
  );
  assert.deepEqual([...users.keys()], ["red"]);
  assert.equal(users.get("red")?.token, "b");
});

/** Values as they stand in a file: what a text, and what a yes or no, is read from them; undefined where there is none. */
const scalars:
  readonly (readonly [value: string, text: string | undefined | "refused", flag: boolean | "refused"])[] = [
    ...["True", "yes", "YES", "y", "on", '!!bool "on"'].map((value) => [value, "refused", true] as const),
    ...["FALSE", "no", "N"].map((value) => [value, "refused", false] as const),
    ...["Null", "~", "", "!!null null"].map((value) => [value, undefined, false] as const),
    ['"null"', "null", "refused"],
    ["'~'", "~", "refused"],
    ["!!str null", "null", "refused"],
    ['"yes"', "yes", "refused"],
    ["yEs", "yEs", "refused"],
    ["!!binary aHVudGVyMg==", "hunter2", "refused"],
    ['!!binary "a b"', "refused", "refused"],
  ];

for (const [value, text, flag] of scalars) {
  Deno.test({
    name: `${JSON.stringify(value)} is read as kubectl reads it`,
    ignore: !kubernetesAvailable,
    async fn() {
      const kubernetes = await sharedKubernetes();
      const path = await Deno.makeTempFile();
      const both = async <Value>(file: string, ours: (file: ReturnType<typeof parseKubeconfig>) => Value) => {
        await Deno.writeTextFile(path, file);
        const config = ["config", "view", "--raw", "--output=json"];
        const view = await kubernetes.kubectl(...config, { KUBECONFIG: path }).catch(() => undefined);
        try {
          return {
            theirs: view === undefined ? "refused" : JSON.parse(view),
            ours: ours(parseKubeconfig(file, path)),
          };
        } catch (error) {
          assert.ok(error instanceof KubeconfigProblem);
          return { theirs: view === undefined ? "refused" : JSON.parse(view), ours: "refused" };
        }
      };
      try {
        const user = await both(
          `users:\n- name: red\n  user:\n    token: ${value}\n`,
          ({ users }) => users.get("red")?.token,
        );
        assert.equal(user.ours, text);
        assert.equal(user.theirs === "refused" ? "refused" : user.theirs.users[0].user.token, text);
        const cluster = await both(
          `clusters:\n- name: c\n  cluster:\n    insecure-skip-tls-verify: ${value}\n`,
          ({ clusters }) => clusters.get("c")?.insecureSkipTlsVerify,
        );
        assert.equal(cluster.ours, flag);
        assert.equal(
          cluster.theirs === "refused"
            ? "refused"
            : cluster.theirs.clusters[0].cluster["insecure-skip-tls-verify"] ?? false,
          flag,
        );
      } finally {
        await Deno.remove(path);
      }
    },
  });
}

const broken: readonly [name: string, text: string][] = [
  ["no YAML", "users: [ {token: swordfish"],
  ["a list", "- swordfish"],
  ["another kind", "kind: Pod"],
  ["the same name twice", "users:\n- {name: swordfish}\n- {name: swordfish}"],
];
for (const [name, text] of broken) {
  Deno.test(`a file that is ${name} is refused without a word of it`, () => {
    assert.throws(
      () => parseKubeconfig(text, "/home/jane/config"),
      (error: unknown) => error instanceof KubeconfigProblem && !/swordfish|jane/.test(error.message),
    );
  });
}

Deno.test({
  name: "kubectl config view reads the same",
  ignore: !kubernetesAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const folder = await Deno.makeTempDir();
    try {
      await Deno.mkdir(`${folder}/a`);
      await Deno.writeTextFile(`${folder}/a/one`, first);
      await Deno.writeTextFile(`${folder}/two`, second);
      const paths = [`${folder}/a/one`, `${folder}/two`];
      const view = parse(
        await kubernetes.kubectl("config", "view", "--raw", "--output=yaml", {
          KUBECONFIG: [`${folder}/none`, ...paths].join(":"),
        }),
        { schema: "failsafe" },
      );
      const ours = mergeKubeconfigs(
        await Promise.all(
          paths.map(async (path) => parseKubeconfig(await Deno.readTextFile(path), path)),
        ),
      );
      // kubectl writes relative paths as they are, whichever file they come from: names of files are compared.
      const names = (map: ReadonlyMap<string, unknown>) =>
        JSON.parse(JSON.stringify([...map].sort()).replace(/"[^"]*\/([^"/]+)"/g, '"$1"'));
      const theirs = parseKubeconfig(
        await kubernetes.kubectl("config", "view", "--raw", "--output=yaml", { KUBECONFIG: paths.join(":") }),
        `${folder}/a/one`,
      );
      assert.equal(view["current-context"], ours.currentContext);
      for (const part of ["contexts", "clusters", "users"] as const) {
        assert.deepEqual(names(ours[part]), names(theirs[part]), part);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
