/** kubernetes-mcp in front of a real apiserver, over TLS, whose connection fails in mid-answer. */
import { sufferAll } from "../support/fault_cases.ts";
import { kubernetesAvailable, startKubernetes } from "../support/kubernetes.ts";
import { keepRows } from "../support/reliability.ts";

Deno.test({
  name: "kubernetes-mcp: a connection that fails in mid-answer is told, audited, and not used again",
  ignore: !kubernetesAvailable,
  async fn(t) {
    await using kubernetes = await startKubernetes({ controllers: false });
    await kubernetes.apply(Array.from({ length: 60 }, (_, index) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: `service-${index}`, namespace: "default" },
      spec: { selector: { app: `app-${index}` }, ports: [{ port: 80 }] },
    })));
    const { hostname, port } = new URL(kubernetes.server);
    const rows = await sufferAll(t, {
      program: "kubernetes",
      target: { host: hostname, port: Number(port) },
      async variables(at) {
        const path = `${kubernetes.folder}/behind-${at}.kubeconfig`;
        const kubeconfig = await Deno.readTextFile(kubernetes.kubeconfig);
        await Deno.writeTextFile(path, kubeconfig.replace(kubernetes.server, `https://127.0.0.1:${at}`));
        return { KUBECONFIG: path, KUBE_TIMEOUT_MS: "2000", CACHE_TTL_SECONDS: "0" };
      },
      tool: "get_services",
      arguments: { namespace: "default", limit: 100 },
      afterBytes: 6_000,
    }, [
      ["refuse", "the apiserver ends each connection at once", /the connection broke/],
      ["reset", "a reset in mid-answer", /the connection broke/],
      ["half-close", "the apiserver's side is closed in mid-answer", /the connection broke/],
      ["stall", "the connection goes silent in mid-answer", /within 2 s/],
      ["drip", "one byte a second", /within 2 s/],
      ["garbage", "other bytes in mid-answer", /./],
      ["lost", "all connections go silent while they are idle", /within 2 s/],
    ]);
    await t.step("docs/reliability.md says so", () => keepRows("kubernetes", rows));
  },
});
