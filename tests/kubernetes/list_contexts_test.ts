import assert from "@std/assert";
import { Environment } from "../../src/common/env.ts";
import { Clusters } from "../../src/kubernetes/api.ts";
import { listContexts } from "../../src/kubernetes/list_contexts.ts";
import { readKubernetesSettings } from "../../src/kubernetes/settings.ts";
import { callTool } from "../support/tools.ts";

function clusters(count: number, allowed: string): Clusters {
  const names = Array.from({ length: count }, (_, index) => `context-${index}`);
  const config = JSON.stringify({
    "current-context": "context-0",
    clusters: [{ name: "c", cluster: { server: "https://secret.example" } }],
    users: [{ name: "u", user: { token: "swordfish" } }],
    contexts: names.map((name) => ({ name, context: { cluster: "c", user: "u" } })),
  });
  const variables: Readonly<Record<string, string>> = { KUBECONFIG: "/k", KUBE_CONTEXT: allowed };
  return new Clusters(readKubernetesSettings(
    new Environment({ get: (name) => variables[name], readFile: () => config }),
  ));
}

Deno.test("names, which of them may be used, and the default", async () => {
  const { text, structured } = await callTool(listContexts(clusters(3, "context-2,context-0")), {});
  assert.equal(text, "context-2 (default)\ncontext-0\ncontext-1 (not allowed)");
  assert.equal(structured.total, 3);
  assert.ok(!JSON.stringify(structured).includes("secret.example"));
});

Deno.test("a kubeconfig of very many contexts keeps to the budget, and the allowed ones come first", async () => {
  const { text, structured } = await callTool(listContexts(clusters(5_000, "context-4999")), {}, 4_096);
  assert.match(text, /^context-4999 \(default\)\n/);
  assert.match(text, /more contexts not shown\.$/);
  assert.equal(structured.total, 5_000);
});
