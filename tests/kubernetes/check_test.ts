/** What `--check` says of an identity: what it lacks, and what it has too much. */
import assert from "@std/assert";
import { parseAllDocuments } from "yaml";
import type { CheckResult } from "../../src/common/check_result.ts";
import { checkClusters } from "../../src/kubernetes/check.ts";
import { excessRights, readerManifest, readsSecrets } from "../../src/kubernetes/rights.ts";
import { kubernetesAvailable, sharedKubernetes, type TestKubernetes, until } from "../support/kubernetes.ts";

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
    const token =
      (await kubernetes.kubectl("create", "token", "kubernetes-mcp", "--namespace=kubernetes-mcp")).trim();
    await until("the rights", async () => (await check(kubernetes, { token })).result === "well");
    const reader = await check(kubernetes, { token });
    assert.match(reader.text, /as system:serviceaccount:kubernetes-mcp:kubernetes-mcp\./);
    assert.match(reader.text, /The identity can read and nothing else\./);
  },
});
