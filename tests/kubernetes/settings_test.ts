import assert from "@std/assert";
import { Environment } from "../../src/common/env.ts";
import { CallError, StartError } from "../../src/common/errors.ts";
import { Clusters } from "../../src/kubernetes/api.ts";
import { httpVariables } from "../../src/common/http/settings.ts";
import { pluginVariables, readKubernetesSettings } from "../../src/kubernetes/settings.ts";
import { postgresVariables } from "../../src/postgres/program.ts";
import { prometheusVariables } from "../../src/prometheus/program.ts";

const config = `
current-context: staging
clusters: [{ name: one, cluster: { server: "https://one.example" } }]
users:
- { name: token, user: { token: swordfish } }
- { name: file, user: { tokenFile: /tokens/file } }
- { name: exec, user: { exec: { command: aws, apiVersion: client.authentication.k8s.io/v1 } } }
contexts:
- { name: staging, context: { cluster: one, user: token, namespace: shop } }
- { name: file, context: { cluster: one, user: file } }
- { name: exec, context: { cluster: one, user: exec } }
- { name: lost, context: { cluster: gone, user: token } }
- { name: nobody, context: { cluster: one, user: gone } }
`;

function environment(
  variables: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {},
) {
  return new Environment({
    get: (name) => variables[name],
    readFile(path) {
      const text = files[path];
      if (text === undefined) throw new Deno.errors.NotFound();
      return text;
    },
  });
}

const files = { "/home/jane/.kube/config": config, "/k": config, "/empty": "", "/broken": "{ swordfish" };
const home = { HOME: "/home/jane" };

Deno.test("a credential plugin sees none of the secrets that our programs read", () => {
  const ours = [...postgresVariables, ...prometheusVariables, ...httpVariables]
    .flatMap(({ name }) => [name, `${name}_FILE`]);
  assert.deepEqual(pluginVariables.filter((name) => ours.includes(name)), []);
});

Deno.test("unset, the current context alone may be used", () => {
  const settings = readKubernetesSettings(environment(home, files));
  assert.deepEqual(settings.allowed, ["staging"]);
  const clusters = new Clusters(settings);
  assert.equal(clusters.cluster(undefined).context, "staging");
  assert.equal(clusters.cluster(undefined).defaultNamespace, "shop");
  assert.throws(
    () => clusters.cluster("file"),
    (error: unknown) =>
      error instanceof CallError && error.kind === "refused" && /KUBE_CONTEXT/.test(error.message),
  );
});

Deno.test("the first of the named contexts is the default", () => {
  const settings = readKubernetesSettings(environment({ ...home, KUBE_CONTEXT: "file, staging" }, files));
  const clusters = new Clusters(settings);
  assert.equal(clusters.cluster(undefined).context, "file");
  assert.equal(clusters.cluster(undefined).defaultNamespace, "default");
  assert.equal(clusters.cluster("staging").context, "staging");
  assert.deepEqual(clusters.contexts().slice(0, 3), [
    { name: "file", allowed: true, default: true },
    { name: "staging", allowed: true, default: false },
    { name: "exec", allowed: false, default: false },
  ]);
});

const filesNeeded: readonly [context: string, files: boolean, plugins: boolean][] = [
  ["staging", false, false],
  ["file", true, false],
  ["exec", false, true],
];
for (const [context, needsFiles, plugins] of filesNeeded) {
  Deno.test(`context ${context} keeps only the permissions that it needs`, () => {
    const source = environment({ ...home, KUBE_CONTEXT: context }, files);
    assert.equal(readKubernetesSettings(source).usesPlugins, plugins);
    assert.equal(source.usesFiles, needsFiles);
  });
}

const refused: readonly [name: string, variables: Readonly<Record<string, string>>][] = [
  ["a KUBECONFIG that names no file", { KUBECONFIG: "/none:/nothing" }],
  ["a KUBECONFIG that is no YAML", { KUBECONFIG: "/k:/broken" }],
  ["a KUBE_CONTEXT that the kubeconfig lacks", { KUBECONFIG: "/k", KUBE_CONTEXT: "staging,swordfish" }],
  ["a KUBE_TIMEOUT_MS of no number", { KUBECONFIG: "/k", KUBE_TIMEOUT_MS: "soon" }],
  ["a KUBECONFIG that was not expanded", { KUBECONFIG: "${HOME}/config" }],
];
for (const [name, variables] of refused) {
  Deno.test(`${name} ends the start, and no value is told`, () => {
    assert.throws(
      () => readKubernetesSettings(environment(variables, files)),
      (error: unknown) => error instanceof StartError && !/swordfish|\/k|\/none/.test(error.message),
    );
  });
}

const absent: readonly [name: string, variables: Readonly<Record<string, string>>, message: RegExp][] = [
  ["without a kubeconfig", { HOME: "/home/joe" }, /there is no kubeconfig/],
  ["without a home", {}, /there is no kubeconfig/],
  ["with an empty kubeconfig", { KUBECONFIG: "/empty" }, /has no contexts/],
  ["with a broken one in the home folder", { HOME: "/broken-home" }, /can't be used: it is not valid YAML/],
  ["without a current context", { KUBECONFIG: "/no-current" }, /no current context/],
];
for (const [name, variables, message] of absent) {
  Deno.test(`${name} the program starts, and says so in the call`, () => {
    const settings = readKubernetesSettings(
      environment(variables, {
        ...files,
        "/broken-home/.kube/config": "{ swordfish",
        "/no-current": config.replace("current-context: staging", ""),
      }),
    );
    assert.throws(
      () => new Clusters(settings).cluster(undefined),
      (error: unknown) =>
        error instanceof CallError && error.kind === "unavailable" && message.test(error.message),
    );
  });
}

for (const name of ["lost", "nobody"]) {
  Deno.test(`context ${name}, of which a part is missing, is an answer`, () => {
    const settings = readKubernetesSettings(environment({ ...home, KUBE_CONTEXT: name }, files));
    assert.throws(() => new Clusters(settings).cluster(undefined), /is not in the kubeconfig/);
  });
}

Deno.test("in a pod without a kubeconfig there is the service account, in its own namespace", () => {
  const folder = "/var/run/secrets/kubernetes.io/serviceaccount";
  const source = environment({ KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" }, {
    [`${folder}/token`]: "a.b.c",
    [`${folder}/namespace`]: "shop\n",
    [`${folder}/ca.crt`]: "-----BEGIN CERTIFICATE-----",
  });
  const settings = readKubernetesSettings(source);
  assert.deepEqual(settings.allowed, ["in-cluster"]);
  assert.equal(settings.kubeconfig.clusters.get("in-cluster")?.server, "https://[fd00::1]:443");
  assert.equal(new Clusters(settings).cluster(undefined).defaultNamespace, "shop");
  assert.equal(source.usesFiles, true);
});
