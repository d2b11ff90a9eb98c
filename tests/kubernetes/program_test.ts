/** kubernetes-mcp as a client starts it, over stdio: from source, or what `TEST_PROGRAMS` holds. */
import assert from "@std/assert";
import { utf8Length } from "../../src/common/utf8.ts";
import {
  kubernetesAvailable,
  sharedKubernetes,
  startKubernetes,
  type TestKubernetes,
} from "../support/kubernetes.ts";
import { RawClient, runProgramToEnd, type ToolAnswer } from "../support/mcp.ts";
import { freePort } from "../support/real_program.ts";
import { until } from "../support/until.ts";

const program = "kubernetes";
/** 2,000 tokens. */
const mostBytes = 8_000;
/** Stands in Secrets, environment values, annotations and the kubeconfig, and in no answer. */
const marker = "hunter2-f00dfeed-marker";

function deployment(namespace: string, name: string, labels: Record<string, string>, image: string) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, ...labels }, annotations: { "example.org/token": marker } },
        spec: {
          containers: [{
            name: "app",
            image,
            env: [{ name: "DB_PASSWORD", value: marker }],
            args: [`--password=${marker}`],
          }],
        },
      },
    },
  };
}

const tools = [
  "get_pods",
  "get_pod_logs",
  "describe_pod",
  "get_services",
  "get_deployments",
  "get_events",
  "get_nodes",
  "top_pods",
  "describe_resource",
  "list_resources",
  "list_contexts",
];

Deno.test({
  name: "kubernetes-mcp over stdio",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const namespace = await kubernetes.namespace("shop");
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "db", namespace },
      stringData: { password: marker },
    };
    await kubernetes.apply([
      deployment(namespace, "postgres", {}, "postgres:17"),
      deployment(
        namespace,
        "user-service",
        { "test/crash": "true" },
        "registry.example.org/user-service:1.4.2",
      ),
      secret,
    ]);
    // kubectl's own apply leaves the whole object in an annotation.
    const file = await Deno.makeTempFile({ suffix: ".json" });
    await Deno.writeTextFile(file, JSON.stringify({ ...secret, metadata: { name: "applied", namespace } }));
    await kubernetes.kubectl("apply", "--filename", file);
    await Deno.remove(file);
    await kubernetes.kubectl(
      "rollout",
      "status",
      "deployment/postgres",
      `--namespace=${namespace}`,
      "--timeout=120s",
    );
    await until("the crash loop", async () => {
      const text = await kubernetes.kubectl("get", "pods", `--namespace=${namespace}`, "--no-headers");
      return (text.match(/CrashLoopBackOff +2 /g) ?? []).length === 2;
    });
    const pods = (await kubernetes.kubectl("get", "pods", `--namespace=${namespace}`, "--output=name"))
      .trim().replaceAll("pod/", "").split("\n");
    const database = pods.find((pod) => pod.startsWith("postgres-")) ?? "";
    await kubernetes.setPodLogs(namespace, database, [{
      container: "app",
      lines: ["database system is ready to accept connections", `connecting with password=${marker}`],
    }]);
    const kubeconfig = await kubernetes.kubeconfigFor({ token: kubernetes.adminToken }, { namespace });
    const variables = { KUBECONFIG: kubeconfig, RATE_LIMIT_PER_MINUTE: "0" };

    await using client = await RawClient.connect({ program, variables });
    const heard: string[] = [];
    const ask = async (name: string, args: Record<string, unknown> = {}): Promise<ToolAnswer> => {
      const answer = await client.call(name, args);
      heard.push(answer.text, JSON.stringify(answer.structured ?? null));
      return answer;
    };
    const answered = async (name: string, args: Record<string, unknown> = {}): Promise<string> => {
      const answer = await ask(name, args);
      assert.equal(answer.isError, false, answer.text);
      assert.ok(utf8Length(answer.text) <= mostBytes, `${utf8Length(answer.text)} bytes`);
      return answer.text;
    };

    await until(
      "pods that crash",
      async () => (await client.call("get_pods", {})).text.includes("CrashLoopBackOff"),
    );

    await t.step("the tools", async () => {
      const { result } = await client.request("tools/list");
      const list = result?.tools as readonly { name: string; outputSchema?: unknown }[];
      assert.deepEqual(list.map(({ name }) => name).sort(), tools.toSorted());
      const lean = list.map(({ outputSchema: _, ...tool }) => tool);
      assert.ok(utf8Length(JSON.stringify({ tools: lean })) <= 12 * 1024);
    });
    await t.step("what pods are running?", async () => {
      const text = await answered("get_pods");
      assert.match(text, new RegExp(`^4 pods in namespace ${namespace}, context test:`));
      assert.match(text, /postgres-\S+ +\| 1\/1 +\| Running/);
      assert.match(text, /user-service-\S+ +\| 0\/1 +\| (?:CrashLoopBackOff|Error)/);
    });
    await t.step("show me logs for the postgres pod", async () => {
      for (const name of ["postgres", database]) {
        const text = await answered("get_pod_logs", { pod_name: name });
        assert.match(text, /database system is ready to accept connections/);
        assert.match(text, /password=\*\*\*/);
      }
      const matching = await answered("get_pod_logs", { pod_name: database, include: "(?i)READY to .*s$" });
      assert.match(matching, /database system is ready to accept connections/);
      assert.doesNotMatch(matching, /password/);
      const byDeployment = await answered("get_pod_logs", { deployment: "postgres" });
      assert.match(byDeployment, /database system is ready/);
    });
    for (
      const [tool, args] of [
        ["describe_resource", { kind: "deployment", name: "user-service" }],
        ["get_deployments", { name: "user-service" }],
      ] as const
    ) {
      await t.step(`describe the user-service deployment: ${tool}`, async () => {
        const text = await answered(tool, args);
        assert.match(text, /user-service: (?:DEGRADED|PROGRESSING|STALLED), /);
        assert.match(text, /current replica set user-service-\w+: 0 of 2 pods ready/);
        assert.match(
          text,
          /pod user-service-\S+: (?:CrashLoopBackOff|Error|Running) \(.*last ended Error \(1\)/,
        );
        assert.match(text, /registry\.example\.org\/user-service:1\.4\.2/);
      });
    }
    await t.step("are there any failing pods, and why?", async () => {
      const text = await answered("get_pods", { status: "unhealthy" });
      assert.match(text, /2 unhealthy/);
      assert.match(text, /CrashLoopBackOff/);
      assert.match(text, /Error \(1\)|back-off/);
      assert.ok(!/\npostgres-/.test(text));
    });
    await t.step("the overview is a resource", async () => {
      const { result } = await client.request("resources/list");
      assert.match(JSON.stringify(result), /kubernetes:\/\/overview/);
      const read = await client.request("resources/read", { uri: "kubernetes://overview" });
      heard.push(JSON.stringify(read));
      assert.match(JSON.stringify(read.result), new RegExp(`${namespace} +\\| +2 \\| `));
    });
    await t.step("what can't be: other contexts, subresources, paths, a write", async () => {
      const refused: readonly (readonly [tool: string, args: Record<string, unknown>])[] = [
        ["get_pods", { context: "production" }],
        ["get_pods", { namespace: "../../x" }],
        ["describe_pod", { pod_name: `${database}/exec` }],
        ["describe_resource", { kind: "pods/exec", name: database }],
        ["list_resources", { kind: "pods/proxy" }],
        ["get_pod_logs", { pod_name: `${database}/../../secrets/db` }],
        ["get_pods", { verb: "delete" }],
      ];
      for (const [tool, args] of refused) {
        const answer = await ask(tool, args).catch(() => ({ isError: true, text: "" }));
        assert.equal(answer.isError, true, `${tool} ${JSON.stringify(args)}: ${answer.text}`);
      }
    });
    await t.step("nothing secret has been said, plain or in base64", async () => {
      await answered("list_resources", { kind: "secrets" });
      for (
        const [kind, name] of [["secret", "db"], ["secret", "applied"], ["deploy", "postgres"], [
          "pod",
          database,
        ], ["node", "node-0"]]
      ) {
        await answered("describe_resource", { kind, name });
      }
      await answered("describe_pod", { pod_name: database });
      await answered("get_events");
      await answered("get_nodes");
      await answered("list_contexts");
      const all = heard.join("\n") + client.stderr;
      for (const secret of [marker, kubernetes.adminToken]) {
        for (let shift = 0; shift < 3; shift++) {
          // In base64 a text looks different at each of three offsets; its middle is what can be looked for.
          const encoded = btoa("x".repeat(shift) + secret).slice(4, -4);
          assert.ok(!all.includes(encoded), `base64 of a secret at offset ${shift}`);
        }
        assert.ok(!all.includes(secret), "a secret");
      }
    });
    await t.step("the apiserver was asked to read, and nothing else", async () => {
      const events = (await kubernetes.audit()).filter(({ userAgent }) =>
        userAgent?.startsWith("kubernetes-mcp") ?? false
      );
      assert.ok(events.length > 10);
      const reading = /^\/(?:api|apis|version)(?:\/|$|\?)/;
      const subresource = /\/pods\/[^/?]+\/(?!log(?:\?|$))/;
      // What the identity may do is asked by POST, of --check alone.
      const review = /^\/apis\/authorization\.k8s\.io\/v1\/selfsubject(?:access|rules)reviews$/;
      for (const { verb, requestURI } of events) {
        if (verb === "create") assert.match(requestURI, review);
        else assert.ok(["get", "list"].includes(verb), `${verb} ${requestURI}`);
        assert.ok(reading.test(requestURI) && !subresource.test(requestURI), requestURI);
      }
    });
  },
});

Deno.test({
  name: "kubernetes-mcp --check, under a client certificate and without any right",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    await t.step("well: exit 0", async () => {
      const { code, stdout } = await runProgramToEnd({
        program,
        args: ["--check"],
        plain: true,
        variables: { KUBECONFIG: kubernetes.kubeconfig },
      });
      assert.equal(code, 0, stdout);
      assert.match(stdout, /v1\.\d+/);
    });
    await t.step("an unreachable cluster is no error at the start, and one at the first call", async () => {
      const port = freePort();
      const away = await Deno.makeTempFile({ suffix: ".kubeconfig" });
      await Deno.writeTextFile(
        away,
        `clusters: [{name: away, cluster: {server: "https://127.0.0.1:${port}"}}]
users: [{name: away, user: {token: ${marker}}}]
contexts: [{name: away, context: {cluster: away, user: away}}]
current-context: away
`,
      );
      await using client = await RawClient.connect({
        program,
        variables: { KUBECONFIG: away },
      });
      const { isError, text } = await client.call("get_pods", {});
      assert.equal(isError, true);
      assert.match(text, /connection was refused/);
      assert.ok(!(text + client.stderr).includes(marker));
      await Deno.remove(away);
    });
  },
});

Deno.test({
  name: "200 calls at once over 1,000 pods, and the memory they take",
  ignore: !kubernetesAvailable || Deno.build.os !== "linux",
  async fn() {
    // No controllers: pods that nobody runs are enough, and come faster.
    await using kubernetes = await startKubernetes({ controllers: false });
    const namespace = "crowd";
    await kubernetes.apply([
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } },
    ]);
    await createPods(kubernetes, namespace, 1_000);
    await using client = await RawClient.connect({
      program,
      variables: { KUBECONFIG: kubernetes.kubeconfig, RATE_LIMIT_PER_MINUTE: "0", AUDIT_LOG: "/dev/null" },
    });
    const calls = Array.from(
      { length: 200 },
      (_, at) =>
        client.call(at % 2 === 0 ? "get_pods" : "list_resources", {
          namespace,
          ...(at % 2 === 0 ? {} : { kind: "pods" }),
        }),
    );
    for (const { isError, text } of await Promise.all(calls)) {
      assert.equal(isError, false, text);
      assert.match(text, /of 1,000 pods/);
    }
    // Deno keeps /proc of others to those who may do everything.
    const { stdout } = await new Deno.Command("grep", { args: ["VmHWM", `/proc/${client.pid}/status`] })
      .output();
    const [, peak = "Infinity"] = /(\d+) kB/.exec(new TextDecoder().decode(stdout)) ?? [];
    assert.ok(Number(peak) < 320 * 1024, `${Math.round(Number(peak) / 1024)} MiB`);
  },
});

/** Past kubectl, which makes 50 a second. */
async function createPods(kubernetes: TestKubernetes, namespace: string, pods: number): Promise<void> {
  using http = Deno.createHttpClient({ caCerts: [kubernetes.authority] });
  const create = async (index: number) => {
    const response = await fetch(`${kubernetes.server}/api/v1/namespaces/${namespace}/pods`, {
      client: http,
      method: "POST",
      headers: { authorization: `Bearer ${kubernetes.adminToken}`, "content-type": "application/json" },
      body: JSON.stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `pod-${index}`, labels: { app: "crowd" } },
        spec: {
          containers: [{
            name: "app",
            image: "registry.example.org/app:1",
            env: Array.from(
              { length: 10 },
              (_, at) => ({ name: `SETTING_${at}`, value: "a value of some length" }),
            ),
            resources: { requests: { cpu: "1m" } },
          }],
        },
      }),
    });
    await response.body?.cancel();
    assert.equal(response.status, 201);
  };
  for (let from = 0; from < pods; from += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, at) => create(from + at)));
  }
}
