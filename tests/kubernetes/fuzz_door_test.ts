/** A session of every tool with arguments of all sorts: what the apiserver was asked, and what never came out. */
import assert from "@std/assert";
import fc from "fast-check";
import { Environment } from "../../src/common/env.ts";
import { CallError } from "../../src/common/errors.ts";
import type { Tool } from "../../src/common/tool.ts";
import { openKubernetes } from "../../src/kubernetes/program.ts";
import { kubernetesAvailable, sharedKubernetes, type TestKubernetes } from "../support/kubernetes.ts";
import { until } from "../support/until.ts";

const marker = "swordfish-5PzQ8vWk2";
const markers = [
  marker,
  // At each of the three offsets that it can have in base64.
  ...["", "a", "ab"].map((before) => btoa(`${before}${marker}`).slice(before.length === 0 ? 0 : 4, -4)),
];

/** Values by an argument's name; what a schema refuses is counted as refused. */
function values(namespace: string): Readonly<Record<string, fc.Arbitrary<unknown>>> {
  const hostile = fc.constantFrom(
    ..."web/exec|../../secrets|..|web?watch=true|web%2Fexec|web#|exec|-o yaml|--raw=/api|web\n|".split("|"),
  );
  const name = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("web", "login", "settings", "node-0", namespace) },
    { weight: 2, arbitrary: hostile },
    fc.string({ maxLength: 20 }),
  );
  const kind = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        ..."pods|secrets|secret|cm|configmaps|deploy|svc|ep|events|nodes|ns|sa|roles|crd|logs.kwok.x-k8s.io"
          .split("|"),
      ),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ..."pods/exec|pod/attach|pods/portforward|services/proxy|nodes/proxy|pods/log|deployments/scale|namespaces/finalize|serviceaccounts/token|exec|proxy|watch|pods/../secrets|bindings|tokenreviews|selfsubjectreviews"
          .split("|"),
      ),
    },
    fc.string({ maxLength: 20 }),
  );
  const selector = fc.oneof(
    fc.constantFrom("app=web", "a in (b)", "a==b==c", "&watch=true"),
    fc.string({ maxLength: 20 }),
  );
  return {
    namespace: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(namespace, "default", "kube-system") },
      hostile,
    ),
    context: fc.oneof({ weight: 8, arbitrary: fc.constant("test") }, fc.constantFrom("production", "../x")),
    all_namespaces: fc.boolean(),
    kind,
    name,
    pod_name: name,
    deployment: name,
    container: name,
    selector,
    label_selector: selector,
    field_selector: fc.oneof(fc.constantFrom("metadata.name=web", "x=y"), selector),
    // A log that is followed takes as long as it says.
    follow_seconds: fc.constantFrom(undefined, -1),
  };
}

const anything = fc.oneof(
  fc.boolean(),
  fc.integer({ min: -1, max: 300 }),
  fc.constantFrom("all", "unhealthy", "10m", "2026-01-01T00:00:00Z", "(a+)+$", "sick", "name", "init"),
);

async function plant(kubernetes: TestKubernetes): Promise<string> {
  const namespace = await kubernetes.namespace("fuzz");
  const metadata = (name: string) => ({
    name,
    namespace,
    annotations: {
      "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify({ data: { password: marker } }),
      "example.com/api-token": marker,
    },
  });
  const container = {
    name: "web",
    image: "web",
    env: [{ name: "DB_PASSWORD", value: marker }, {
      name: "URL",
      value: `https://jane:${marker}@db.example/`,
    }],
    args: [`--password=${marker}`, "--token", marker],
  };
  await kubernetes.apply([
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: metadata("login"),
      data: { key: btoa(marker), both: btoa(`a${marker}`) },
    },
    { apiVersion: "v1", kind: "ConfigMap", metadata: metadata("settings"), data: { DB_PASSWORD: marker } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: metadata("web"),
      spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
    },
    { apiVersion: "v1", kind: "Pod", metadata: metadata("web"), spec: { containers: [container] } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: metadata("web"),
      spec: {
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [container] } },
      },
    },
  ]);
  await kubernetes.kubectl("wait", "pod/web", "--for=condition=Ready", `--namespace=${namespace}`);
  await kubernetes.setPodLogs(namespace, "web", [{
    container: "web",
    lines: ["started", `login password=${marker}`],
  }]);
  return namespace;
}

Deno.test({
  name:
    "whatever is asked of whichever tool, the apiserver sees nothing but reading, and no secret comes out",
  ignore: !kubernetesAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const namespace = await plant(kubernetes);
    // The identity may do anything: what holds it back is the door alone. Its token has the marker in its name.
    const path = await kubernetes.kubeconfigFor({ token: kubernetes.adminToken }, { namespace });
    const variables: Readonly<Record<string, string>> = { KUBECONFIG: path };
    const backend = await openKubernetes(
      new Environment({ get: (name) => variables[name], readFile: (file) => Deno.readTextFileSync(file) }),
    );
    const since = (await kubernetes.audit()).length;
    const outcomes = new Map<string, number>();
    const call = async (tool: Tool, args: unknown): Promise<void> => {
      const parsed = tool.input.safeParse(args);
      let text: string;
      if (!parsed.success) text = "refused by the schema";
      else {
        try {
          const context = { signal: AbortSignal.timeout(20_000), budget: 32_768, progress: () => {} };
          const answer = tool.present(await tool.run(parsed.data, context), 32_768);
          text = `answered ${answer.text} ${JSON.stringify(answer.structured)}`;
        } catch (error) {
          if (!(error instanceof CallError)) throw error;
          text = `refused: ${error.message} ${error.hint}`;
        }
      }
      const outcome = `${tool.name} ${text.split(/[ :]/, 1)[0]}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      for (const secret of [...markers, kubernetes.adminToken]) {
        assert.ok(!text.includes(secret), `${tool.name} ${JSON.stringify(args)} shows ${secret}`);
      }
    };
    try {
      const known = values(namespace);
      const tools = [
        ...backend.tools,
        ...(backend.resources === undefined ? [] : [backend.resources.list, backend.resources.read]),
      ];
      for (const tool of tools) {
        const fields = Object.fromEntries(
          Object.keys(tool.input.shape).map((key) => [key, known[key] ?? anything]),
        );
        const required = Object.entries(tool.input.shape)
          .filter(([, schema]) => !schema.safeParse(undefined).success).map(([key]) => key);
        await fc.assert(
          fc.asyncProperty(fc.record(fields, { requiredKeys: required }), (args) => call(tool, args)),
          { numRuns: 60, endOnFailure: true },
        );
      }
      // What is most likely to show a secret, asked for by name.
      for (const tool of backend.tools) {
        for (const kind of ["secret", "configmap", "pod", "deployment", "service"]) {
          for (const name of ["login", "settings", "web"]) {
            await call(
              tool,
              tool.name === "list_resources" ? { kind, namespace } : { kind, name, namespace },
            );
          }
        }
        await call(tool, { pod_name: "web", namespace });
        await call(tool, { namespace });
        await call(tool, {});
      }
    } finally {
      await backend.close();
    }
    // There is no metrics API in the tests' cluster.
    for (const tool of backend.tools.filter(({ name }) => name !== "top_pods")) {
      assert.ok((outcomes.get(`${tool.name} answered`) ?? 0) > 0, `${tool.name} never answered`);
    }
    await until("the audit log", async () => (await kubernetes.audit()).length > since);
    const asked = (await kubernetes.audit()).slice(since).filter(({ userAgent }) =>
      userAgent === "kubernetes-mcp"
    );
    assert.ok(asked.length > 100, `${asked.length} requests`);
    for (const { verb, requestURI } of asked) {
      assert.ok(["get", "list"].includes(verb), `${verb} ${requestURI}`);
      const { pathname } = new URL(requestURI, kubernetes.server);
      const segments = pathname.split("/");
      const objects = segments.indexOf("namespaces") === -1
        ? segments.slice(segments[1] === "api" ? 3 : 4)
        : segments.slice(segments.indexOf("namespaces") + 2);
      assert.ok(
        objects.length <= 2 || (objects.length === 3 && objects[0] === "pods" && objects[2] === "log"),
        requestURI,
      );
      assert.ok(!/[?&](watch|command|stdin|dryRun)=/.test(requestURI), requestURI);
    }
  },
});
