import assert from "@std/assert";
import { Environment } from "../../src/common/env.ts";
import { CallError } from "../../src/common/errors.ts";
import type { Tool } from "../../src/common/tool.ts";
import { openKubernetes } from "../../src/kubernetes/program.ts";
import { kubernetesAvailable, sharedKubernetes, type TestKubernetes } from "../support/kubernetes.ts";
import { until } from "../support/until.ts";
import { container, terminated, waiting } from "./pod_states.ts";

/** Planted in whatever may hold a secret; letters alone, so that no shape gives it away. */
const marker = "QuokkaZebraMarkerOkapi";

/** The marker as text, and in base64 as it looks at each of its three alignments. */
const forms = [
  marker,
  ...[0, 1, 2].map((shift) => {
    const encoded = btoa("x".repeat(shift) + marker);
    return encoded.slice(Math.ceil((shift * 4) / 3), -4);
  }),
];

function assertNoMarker(what: string, text: string): void {
  for (const form of forms) {
    const index = text.indexOf(form);
    assert.ok(index < 0, `${what}: ${text.slice(Math.max(0, index - 100), index + 100)}`);
  }
}

const key = [
  "-----BEGIN RSA PRIVATE",
  `KEY-----\n${btoa(marker.repeat(4))}\n-----END RSA PRIVATE`,
  "KEY-----",
].join(" ");
/** One after the other: what a program may print by mistake. */
const slips = [
  `connecting with password=${marker} to db`,
  `PASSWORD: ${marker}1`,
  `Authorization: Bearer ${marker}`,
  `postgres://app:${marker}@db:5432/app`,
  `https://${marker}@git.example.com/app.git`,
  `{"level":"info","api_key":"${marker}","msg":"x"}`,
  `run --token ${marker} --verbose`,
  `curl -u admin:${marker} https://example.com`,
  `config ${btoa(`password: ${marker}\n`)}`,
  `jwt eyJhbGciOiJIUzI1NiJ9.${btoa(`{"sub":"${marker}"}`).replaceAll("=", "")}.c2lnbmF0dXJl`,
  `Set-Cookie: session=${marker}; Path=/`,
  `Response Body: {"kind":"Secret","data":{"any":"${btoa(marker)}"}}`,
  `{:user "app", :password "${marker}"}`,
  "password:",
  `  ${marker}`,
];
const annotations = {
  "example.com/password": marker,
  "example.com/note": `login with password=${marker}`,
  "example.com/json": JSON.stringify({ deep: [{ clientSecret: marker }] }),
};
const template = {
  containers: [{
    name: "app",
    image: "a:1",
    command: ["sh", "-c", `mysql -p${marker} -e 'select 1'; export API_TOKEN=${marker}`],
    args: ["--password", marker, `--api-key=${marker}`, "-p", marker, `https://u:${marker}@example.com`],
    env: [
      { name: "DB_PASSWORD", value: marker },
      { name: "AWS_SECRET_ACCESS_KEY", value: marker },
      { name: "SETTINGS", value: btoa(`token=${marker}`) },
      { name: "DATABASE_URL", value: `postgres://app:${marker}@db/app` },
    ],
    livenessProbe: {
      httpGet: {
        path: "/",
        port: 80,
        httpHeaders: [{ name: "Authorization", value: `Bearer ${marker}` }, {
          name: "X-Api-Key",
          value: marker,
        }],
      },
    },
    readinessProbe: { exec: { command: ["check", `--token=${marker}`] } },
  }],
};

async function plant(kubernetes: TestKubernetes, namespace: string): Promise<void> {
  const metadata = (name: string, labels: Record<string, string> = {}) => ({
    name,
    namespace,
    labels,
    annotations,
  });
  const objects = [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: metadata("secret"),
      stringData: { password: marker, plain: marker },
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: metadata("settings"),
      data: {
        "db-password": marker,
        "app.yaml":
          `db:\n  password: ${marker}\n  token: |\n    ${marker}\nname: DB_SECRET\nvalue: ${marker}\n`,
        "app.properties": `db.password=${marker}\napi.key=${marker}\n`,
        "app.json": JSON.stringify({ password: marker, nested: { secret: marker } }),
        "manifest": `apiVersion: v1\nkind: Secret\ndata:\n  any: ${btoa(marker)}\n`,
        "key": key,
        "lists.yaml":
          `passwords:\n- ${marker}\n- "${marker}"\ntoken:\n  ${marker}\nsecret: {value: ${marker}}\n`,
        "out.conf": `[OUTPUT]\n    HTTP_Passwd  ${marker}1\n`,
        "log": slips.join("\n"),
      },
      binaryData: { store: btoa(marker) },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: metadata("held", { "test/held": "true", app: "held" }),
      spec: template,
    },
    { apiVersion: "v1", kind: "Pod", metadata: metadata("talks", { app: "talks" }), spec: template },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: metadata("web"),
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" }, annotations }, spec: template },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: metadata("web"),
      spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
    },
    {
      apiVersion: "v1",
      kind: "Event",
      metadata: metadata("held.1"),
      involvedObject: { apiVersion: "v1", kind: "Pod", name: "held", namespace },
      type: "Warning",
      reason: "Failed",
      message: `cannot pull https://u:${marker}@registry.example.com: password=${marker}`,
      count: 2,
      firstTimestamp: new Date().toISOString(),
      lastTimestamp: new Date().toISOString(),
    },
    {
      apiVersion: "vaults.example.com/v1",
      kind: "Vault",
      metadata: metadata("vault"),
      spec: {
        password: marker,
        url: `https://u:${marker}@example.com`,
        clients: [{ clientSecret: marker, apiKeys: [marker] }],
        parameters: [{ name: "ADMIN_PASSWORD", value: marker }],
        admin: { password: { value: marker }, tokens: [{ name: "a", value: marker }] },
        inner: { apiVersion: "v1", kind: "Secret", data: { any: btoa(marker) } },
      },
    },
  ];
  const column = (name: string, jsonPath: string) => ({ name, jsonPath, type: "string" });
  await kubernetes.apply([{
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "vaults.vaults.example.com" },
    spec: {
      group: "vaults.example.com",
      names: { plural: "vaults", singular: "vault", kind: "Vault" },
      scope: "Namespaced",
      versions: [{
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        additionalPrinterColumns: [
          column("Password", ".spec.password"),
          column("URL", ".spec.url"),
          column("Admin", ".spec.admin.password.value"),
        ],
      }],
    },
  }]);
  await kubernetes.kubectl("wait", "--for=condition=Established", "crd/vaults.vaults.example.com");
  // With kubectl's own apply, the annotation with the whole of each object comes by itself.
  const file = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  await kubernetes.kubectl("apply", "--filename", file);
  await Deno.remove(file);
  const applied = await kubernetes.kubectl(
    "get",
    "secret",
    "secret",
    `--namespace=${namespace}`,
    "--output=json",
  );
  assert.ok(
    applied.includes("last-applied-configuration") && applied.includes(marker),
    "nothing was planted",
  );
  await kubernetes.setPodStatus(namespace, "held", {
    phase: "Running",
    message: `it said password=${marker}`,
    containerStatuses: [
      container("app", waiting("CrashLoopBackOff", `failed to pull https://u:${marker}@r.example.com`), {
        restartCount: 3,
        lastState: terminated(1, "Error", { message: slips.join("\n") }),
      }),
    ],
    conditions: [{
      type: "Ready",
      status: "False",
      reason: "Bad",
      message: `token=${marker}`,
      lastTransitionTime: new Date().toISOString(),
    }],
  });
  await until(
    "a pod that talks",
    async () =>
      (await kubernetes.kubectl(
        "get",
        "pod",
        "talks",
        `--namespace=${namespace}`,
        "--output=jsonpath={.status.phase}",
      )) === "Running",
  );
  const lines = [...slips, ...key.split("\n"), "done"];
  await kubernetes.setPodLogs(namespace, "talks", [{ container: "app", lines, previous: lines }]);
}

/** What each tool is asked; a tool that is not here fails the test. */
function callsOf(namespace: string): Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> {
  const kinds = [
    "secrets",
    "configmaps",
    "pods",
    "deployments",
    "replicasets",
    "services",
    "events",
    "vaults",
  ];
  return {
    get_pods: [{ namespace }, { all_namespaces: true }, { namespace, status: "unhealthy" }],
    get_pod_logs: [
      { namespace, pod_name: "talks" },
      { namespace, pod_name: "talks", timestamps: true, tail: 500 },
      { namespace, pod_name: "talks", include: marker },
      { namespace, pod_name: "talks", tail: 2 },
      { namespace, selector: "app=talks", containers: "all" },
      { namespace, pod_name: "held" },
      { namespace, pod_name: "talks", previous: true },
      { namespace, pod_name: "talks", follow_seconds: 1 },
    ],
    describe_pod: [{ namespace, pod_name: "held" }, { namespace, pod_name: "talks" }, {
      namespace,
      pod_name: "web",
    }],
    get_services: [{ namespace }],
    get_deployments: [{ namespace }, { namespace, name: "web" }],
    get_events: [{ namespace }, { namespace, for: "pod/held" }],
    get_nodes: [{}],
    top_pods: [{ namespace }],
    list_contexts: [{}],
    list_resources: kinds.flatMap((kind) => [{ kind, namespace }, { kind, namespace, wide: true }]),
    describe_resource: [
      { kind: "secret", name: "secret", namespace },
      { kind: "secret", name: "secret", namespace, path: "data" },
      { kind: "secret", name: "secret", namespace, path: "data.password" },
      { kind: "secret", name: "secret", namespace, path: "metadata.annotations" },
      { kind: "configmap", name: "settings", namespace },
      { kind: "configmap", name: "settings", namespace, path: 'data["app.yaml"]' },
      { kind: "configmap", name: "settings", namespace, path: 'data["lists.yaml"]' },
      { kind: "configmap", name: "settings", namespace, path: 'data["out.conf"]' },
      { kind: "configmap", name: "settings", namespace, path: "binaryData" },
      { kind: "pod", name: "held", namespace },
      { kind: "pod", name: "held", namespace, path: "spec" },
      { kind: "deploy", name: "web", namespace },
      { kind: "deploy", name: "web", namespace, path: "spec.template" },
      { kind: "vault", name: "vault", namespace },
      { kind: "vault", name: "vault", namespace, path: "spec" },
      { kind: "vault", name: "vault", namespace, path: "spec.admin.password" },
      { kind: "event", name: "held.1", namespace },
    ],
  };
}

Deno.test(
  { name: "no secret leaves, by any tool, plain or in base64", ignore: !kubernetesAvailable },
  async (t) => {
    const kubernetes = await sharedKubernetes();
    const namespace = await kubernetes.namespace("leaks");
    await plant(kubernetes, namespace);
    const variables: Readonly<Record<string, string>> = {
      KUBECONFIG: await kubernetes.kubeconfigFor({ token: kubernetes.adminToken }, { namespace }),
    };
    const environment = new Environment({
      get: (name) => variables[name],
      readFile: (path) => Deno.readTextFileSync(path),
    });
    const backend = await openKubernetes(environment);
    const ask = async (tool: Tool, args: Readonly<Record<string, unknown>>) => {
      const what = `${tool.name} ${JSON.stringify(args)}`;
      let answer: string;
      try {
        const told: string[] = [];
        const context = {
          signal: AbortSignal.timeout(30_000),
          budget: 1_000_000,
          progress: (message: string) => told.push(message),
        };
        const value = await tool.run(tool.input.parse(args), context);
        const { text, structured } = tool.present(value, 1_000_000);
        answer = `${text}\n${JSON.stringify(structured)}\n${told.join("\n")}`;
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        answer = `${error.message}\n${error.hint}`;
      }
      // What the caller has said itself is no secret.
      assertNoMarker(what, typeof args.include === "string" ? answer.replaceAll(args.include, "") : answer);
      assert.ok(!answer.includes(kubernetes.adminToken), `${what}: the kubeconfig's token`);
    };
    const calls = callsOf(namespace);
    for (const tool of backend.tools) {
      await t.step(tool.name, async () => {
        const own = calls[tool.name];
        if (own === undefined) throw new Error(`Say above what ${tool.name} is to be asked`);
        for (const args of own) await ask(tool, args);
      });
    }
    await t.step("resources", async () => {
      if (backend.resources === undefined) return;
      const { list, read } = backend.resources;
      const context = { signal: AbortSignal.timeout(30_000), budget: 1_000_000, progress: () => {} };
      const { resources } = list.present(await list.run({}, context), 1_000_000).structured as {
        resources: { uri: string }[];
      };
      for (const { uri } of resources) await ask(read, { uri });
    });
    await backend.close();
    await kubernetes.kubectl("delete", "namespace", namespace, "--wait=false");
  },
);
