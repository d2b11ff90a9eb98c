/** What `--check` says of an identity: what it lacks, and what it has too much. */
import assert from "@std/assert";
import { parseAllDocuments } from "yaml";
import type { CheckResult } from "../../src/common/check_result.ts";
import { checkClusters } from "../../src/kubernetes/check.ts";
import { excessRights, readerManifest, readsSecrets } from "../../src/kubernetes/rights.ts";
import { describeStatus } from "../../src/kubernetes/status_error.ts";
import { kubernetesAvailable, sharedKubernetes, type TestKubernetes } from "../support/kubernetes.ts";
import { until } from "../support/until.ts";

async function check(
  kubernetes: TestKubernetes,
  user: Readonly<Record<string, unknown>>,
): Promise<{ result: CheckResult; text: string }> {
  const clusters = kubernetes.clusters({ KUBECONFIG: await kubernetes.kubeconfigFor(user) });
  const lines: string[] = [];
  try {
    return { result: await checkClusters(clusters, (line) => lines.push(line)), text: lines.join("\n") };
  } finally {
    clusters.close();
  }
}

function rights(manifest: string): readonly string[] {
  return parseAllDocuments(manifest).map((document) => document.toJS())
    .filter(({ kind }) => kind === "ClusterRole")
    .flatMap(({ rules }) =>
      rules.flatMap(({ apiGroups, resources }: { apiGroups: string[]; resources: string[] }) =>
        apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}`))
      )
    ).sort();
}

/** What is in no namespace, as `kind/name`: of those an apply replaces another's. */
function clusterWide(manifest: string): readonly string[] {
  return parseAllDocuments(manifest).map((document) => document.toJS())
    .filter(({ metadata }) => metadata.namespace === undefined)
    .map(({ kind, metadata }) => `${kind}/${metadata.name}`);
}

Deno.test({
  name: "the manifest that is printed replaces nothing of a deployment's",
  ignore: Deno.permissions.querySync({ name: "read" }).state !== "granted",
  async fn() {
    const file = await Deno.readTextFile(new URL("../../deploy/kubernetes/rbac.yaml", import.meta.url));
    const theirs = clusterWide(file);
    assert.ok(theirs.length > 0);
    assert.deepEqual(clusterWide(readerManifest()).filter((name) => theirs.includes(name)), []);
  },
});

Deno.test({
  name: "the manifest that is printed grants what deploy/kubernetes/rbac.yaml grants",
  ignore: Deno.permissions.querySync({ name: "read" }).state !== "granted",
  async fn() {
    const file = await Deno.readTextFile(new URL("../../deploy/kubernetes/rbac.yaml", import.meta.url));
    assert.deepEqual(rights(readerManifest()), rights(file));
  },
});

const rules: readonly [
  name: string,
  rule: Readonly<Record<string, readonly string[]>>,
  excess: RegExp,
  secrets: boolean,
][] = [
  [
    "reading",
    { verbs: ["get", "list", "watch"], groups: [""], resources: ["pods", "pods/log"] },
    /^$/,
    false,
  ],
  [
    "asking about oneself",
    { verbs: ["create"], groups: ["authorization.k8s.io"], resources: ["selfsubjectaccessreviews"] },
    /^$/,
    false,
  ],
  [
    "deleting",
    { verbs: ["get", "delete"], groups: ["apps"], resources: ["deployments"] },
    /^delete: deployments of apps$/,
    false,
  ],
  [
    "exec by a GET",
    { verbs: ["get"], groups: [""], resources: ["pods/exec"] },
    /^get: pods\/exec, which is more/,
    false,
  ],
  ["everything", { verbs: ["*"], groups: ["*"], resources: ["*"] }, /cluster-admin/, true],
  ["Secrets", { verbs: ["list"], groups: [""], resources: ["secrets"] }, /^$/, true],
];
for (const [name, { verbs = [], groups = [], resources = [] }, excess, secrets] of rules) {
  Deno.test(`the right of ${name} is told apart`, () => {
    const rule = [{ verbs, groups, resources, names: [] }];
    assert.match(excessRights(rule).join(), excess);
    assert.equal(readsSecrets(rule), secrets);
  });
}

Deno.test({
  name: "an administrator is warned, one without rights is told which, and the printed identity is well",
  ignore: !kubernetesAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const admin = await check(kubernetes, { token: kubernetes.adminToken });
    assert.equal(admin.result, "wanting");
    assert.match(admin.text, /^Connected to context test, Kubernetes v1\.\d+\.\d+\.\n/);
    assert.match(admin.text, /anything at all, as a cluster-admin/);
    const nobody = await check(kubernetes, { token: kubernetes.nobodyToken });
    assert.match(nobody.text, /- list pods, for get_pods/);
    assert.match(nobody.text, /all_namespaces will be refused/);
    const [, printed = ""] = nobody.text.match(/\n\n(apiVersion: v1\n[^]*?)\n\n?$/) ?? [];
    await kubernetes.apply(printed);
    const [, ...create] = printed.match(/\$\(kubectl (create) (token) (\S+) (\S+) (\S+)\)/) ?? [];
    const token = (await kubernetes.kubectl(...create)).trim();
    await until("the rights", async () => (await check(kubernetes, { token })).result === "well");
    const reader = await check(kubernetes, { token });
    assert.match(reader.text, /as system:serviceaccount:mcp-reader:mcp-reader\./);
    assert.match(reader.text, /The identity can only read\./);
  },
});

Deno.test({
  name: "a kubeconfig's user without credentials is told as that, and not as one who lacks a right",
  ignore: !kubernetesAvailable,
  async fn() {
    const { result, text } = await check(await sharedKubernetes(), {});
    assert.equal(result, "down");
    assert.match(
      text,
      /\nCannot read what the cluster offers as the user of context "test" has no credentials that count \("system:anonymous"\)\.\n/,
    );
    assert.match(
      text,
      /\nGive the kubeconfig's user a token, a client certificate or a credential plugin\.$/,
    );
    assert.doesNotMatch(text, /\(discovery\)|apiGroups/);
  },
});

Deno.test({
  name: "one who may not even ask what the cluster offers is told the roles that let everybody",
  fn() {
    const says =
      'selfsubjectrulesreviews.authorization.k8s.io is forbidden: User "eve" cannot create resource';
    const what = { verb: "get", group: "", resource: "(discovery)", kind: "" } as const;
    const status = { message: says, reason: "Forbidden", continue: undefined, retryAfterSeconds: undefined };
    const { message, hint } = describeStatus(403, status, what, "test");
    assert.equal(message, 'Cannot read what the cluster offers as "eve" lacks the right to');
    assert.match(
      hint ?? "",
      /^an operator can bind it to the ClusterRoles system:discovery and system:basic-user,/,
    );
  },
});

Deno.test({
  name: "a server that is asked without TLS, and wants it, is told as that",
  ignore: !kubernetesAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const path = await kubernetes.kubeconfigFor({ token: kubernetes.adminToken });
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replace("server: https:", "server: http:"));
    const clusters = kubernetes.clusters({ KUBECONFIG: path });
    const lines: string[] = [];
    try {
      assert.equal(await checkClusters(clusters, (line) => lines.push(line)), "down");
    } finally {
      clusters.close();
    }
    assert.deepEqual(lines, [
      "Cannot read what the cluster offers as the apiserver says: status 400.",
      "Write https:// in the kubeconfig, where the server wants TLS.",
    ]);
  },
});
