import assert from "@std/assert";
import { parseAllDocuments } from "yaml";
import { Environment } from "../../src/common/env.ts";
import { CallError } from "../../src/common/errors.ts";
import type { Backend } from "../../src/common/program.ts";
import { openKubernetes } from "../../src/kubernetes/program.ts";
import { kubernetesAvailable, sharedKubernetes, type TestKubernetes } from "../support/kubernetes.ts";
import { permitted } from "../support/permitted.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

const folder = new URL("../../deploy/kubernetes/", import.meta.url);

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

for (const file of ["rbac.yaml", "rbac-namespace.yaml"]) {
  Deno.test({
    name: `${file} grants reading alone, and no secrets`,
    ignore: !permitted,
    async fn() {
      const documents = parseAllDocuments(await Deno.readTextFile(new URL(file, folder)))
        .map((document): { kind: string; rules?: readonly Rule[] } => document.toJS());
      const rules = documents.flatMap((document) => document.rules ?? []);
      assert.ok(rules.length > 5);
      for (const { apiGroups, resources, verbs } of rules) {
        assert.ok(verbs.every((verb) => ["get", "list", "watch"].includes(verb)), verbs.join());
        assert.ok(![...apiGroups, ...resources].includes("*"));
        for (const resource of resources) {
          assert.ok(!["secrets", "configmaps", "serviceaccounts"].includes(resource), resource);
          assert.ok(!resource.includes("/") || resource === "pods/log", resource);
        }
      }
    },
  });
}

/** The whole program, under the service account of that namespace. */
async function openAs(kubernetes: TestKubernetes, namespace: string, home: string): Promise<Backend> {
  const token = (await kubernetes.kubectl("create", "token", "kubernetes-mcp", `--namespace=${namespace}`))
    .trim();
  const kubeconfig = await kubernetes.kubeconfigFor({ token }, { namespace: home });
  const environment = new Environment({
    get: (name) => name === "KUBECONFIG" ? kubeconfig : undefined,
    readFile: (path) => Deno.readTextFileSync(path),
  });
  return await openKubernetes(environment);
}

async function call(backend: Backend, name: string, args: Record<string, unknown> = {}) {
  const tool = backend.tools.find((one) => one.name === name);
  if (tool === undefined) throw new Error(`There is no tool ${name}`);
  return await callTool(tool, args);
}

function workload(namespace: string) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "app", image: "registry.example.org/app:1" }] },
      },
    },
  };
}

/** Calls of the tools, and what their answers have; a sentence about something else than rights is an answer too. */
const calls:
  readonly (readonly [tool: string, args: (pod: string) => Record<string, unknown>, answer: RegExp])[] = [
    ["get_pods", () => ({}), /web-/],
    ["get_pod_logs", (pod) => ({ pod_name: pod }), /a line of the log/],
    ["get_pod_logs", () => ({ deployment: "web" }), /a line of the log/],
    ["describe_pod", (pod) => ({ pod_name: pod }), /registry\.example\.org\/app:1/],
    ["get_services", () => ({}), /web +\| ClusterIP/],
    ["get_deployments", () => ({ name: "web" }), /current replica set web-/],
    ["get_events", () => ({}), /SuccessfulCreate/],
    ["describe_resource", () => ({ kind: "deploy", name: "web" }), /Conditions:/],
    ["describe_resource", () => ({ kind: "sts", name: "nothing" }), /no such object/],
    ...[
      "pods",
      "svc",
      "deploy",
      "rs",
      "sts",
      "ds",
      "jobs",
      "cj",
      "hpa",
      "ing",
      "netpol",
      "pdb",
      "pvc",
      "quota",
      "limits",
      "rc",
      "ev",
      "endpointslices",
    ]
      .map((kind) => ["list_resources", () => ({ kind }), /in namespace/] as const),
    ["list_contexts", () => ({}), /test/],
    ["top_pods", () => ({}), /no metrics API/],
  ];

async function said(backend: Backend, tool: string, args: Record<string, unknown>): Promise<string> {
  try {
    return (await call(backend, tool, args)).text;
  } catch (error) {
    if (error instanceof CallError && error.kind !== "refused") return error.message;
    throw error;
  }
}

async function prepare(kubernetes: TestKubernetes, prefix: string) {
  const namespace = await kubernetes.namespace(prefix);
  await kubernetes.apply([workload(namespace), {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace },
    spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
  }]);
  await kubernetes.kubectl(
    "rollout",
    "status",
    "deployment/web",
    `--namespace=${namespace}`,
    "--timeout=120s",
  );
  const pod = (await kubernetes.kubectl("get", "pods", `--namespace=${namespace}`, "--output=name"))
    .trim().replace("pod/", "");
  await kubernetes.setPodLogs(namespace, pod, [{ container: "app", lines: ["a line of the log"] }]);
  return { namespace, pod };
}

/** RBAC's caches follow a moment after the apiserver has taken a binding. */
async function granted(backend: Backend): Promise<void> {
  await until("the binding", async () => {
    try {
      await call(backend, "get_pods");
      return true;
    } catch {
      return false;
    }
  });
}

Deno.test({
  name: "under rbac.yaml every tool works, and what is not listed is refused by name",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    for (const file of ["namespace.yaml", "rbac.yaml"]) {
      await kubernetes.apply(await Deno.readTextFile(new URL(file, folder)));
    }
    const { namespace, pod } = await prepare(kubernetes, "rbac");
    const backend = await openAs(kubernetes, "mcp", namespace);
    await granted(backend);
    const cluster = [
      ["get_nodes", () => ({}), /node-0/],
      ["get_pods", () => ({ all_namespaces: true, limit: 500 }), new RegExp(namespace)],
      ["describe_resource", () => ({ kind: "node", name: "node-0" }), /allocatable/],
      ...["ns", "pv", "sc"].map((kind) => ["list_resources", () => ({ kind }), /context test/] as const),
    ] as const;
    const called = new Set<string>();
    for (const [tool, args, answer] of [...calls, ...cluster]) {
      called.add(tool);
      await t.step(`${tool} ${JSON.stringify(args("…"))}`, async () => {
        assert.match(await said(backend, tool, args(pod)), answer);
      });
    }
    await t.step("every tool has been called", () => {
      assert.deepEqual(backend.tools.map(({ name }) => name).filter((name) => !called.has(name)), []);
    });
    await t.step("the overview is whole", async () => {
      const read = backend.resources?.read;
      if (read === undefined) throw new Error("There are no resources");
      const { text } = await callTool(read, { uri: "kubernetes://overview" });
      assert.ok(!text.includes("not seen"), text);
    });
    for (
      const [kind, resource, group] of [["secrets", "secrets", ""], ["cm", "configmaps", ""], [
        "leases",
        "leases",
        "coordination.k8s.io",
      ]]
    ) {
      await t.step(`${kind} are refused: the missing right, and the rule that grants it`, async () => {
        const identity = "system:serviceaccount:mcp:kubernetes-mcp";
        await assert.rejects(call(backend, "list_resources", { kind }), {
          kind: "refused",
          message: new RegExp(
            `as "${identity}" lacks the right to list ${resource}.* in namespace ${namespace}$`,
          ),
          hint: new RegExp(
            `a rule in a Role in namespace ${namespace} or a ClusterRole: ` +
              `\\{apiGroups: \\["${group}"\\], resources: \\["${resource}"\\], verbs: \\["list"\\]\\}$`,
          ),
        });
        await assert.rejects(call(backend, "describe_resource", { kind, name: "x" }), {
          kind: "refused",
          message: new RegExp(`lacks the right to get ${resource}`),
        });
      });
    }
    await backend.close();
  },
});

Deno.test({
  name: "under rbac-namespace.yaml every tool works in its namespace, and nowhere else",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const { namespace, pod } = await prepare(kubernetes, "alone");
    await kubernetes.kubectl(
      "apply",
      `--namespace=${namespace}`,
      "--filename",
      new URL("rbac-namespace.yaml", folder).pathname,
    );
    const backend = await openAs(kubernetes, namespace, namespace);
    await granted(backend);
    for (const [tool, args, answer] of calls) {
      await t.step(`${tool} ${JSON.stringify(args("…"))}`, async () => {
        assert.match(await said(backend, tool, args(pod)), answer);
      });
    }
    await t.step("its own namespace exists, empty as it may be", async () => {
      assert.doesNotMatch(await said(backend, "list_resources", { kind: "cronjobs" }), /exists/);
      const { structured } = await call(backend, "get_pods", { label_selector: "app=none" });
      assert.equal(structured.note, "all_namespaces: true looks everywhere.");
    });
    const refused: readonly (readonly [tool: string, args: Record<string, unknown>, right: RegExp])[] = [
      ["get_pods", { all_namespaces: true }, /list pods$/],
      ["get_pods", { namespace: "kube-system" }, /list pods in namespace kube-system$/],
      ["get_deployments", { all_namespaces: true }, /list deployments in API group apps$/],
      ["get_services", { namespace: "default" }, /list services in namespace default$/],
      ["get_events", { all_namespaces: true }, /list events$/],
      ["get_nodes", {}, /list nodes$/],
      ["list_resources", { kind: "secrets" }, /list secrets in namespace/],
      ["describe_resource", { kind: "ns", name: namespace }, /get namespaces/],
    ];
    for (const [tool, args, right] of refused) {
      await t.step(`${tool} ${JSON.stringify(args)} is refused`, async () => {
        await assert.rejects(call(backend, tool, args), { kind: "refused", message: right });
      });
    }
    await backend.close();
  },
});
