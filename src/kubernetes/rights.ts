/** What the identity of this program may do, and what it needs: RBAC's words in both directions. */
import type { AccessAttributes, RulesAnswer } from "./api.ts";

/** What the tools read, as the rules of a cluster role: those of `deploy/kubernetes/rbac.yaml`. No Secrets, no ConfigMaps. */
const readRules: readonly { readonly group: string; readonly resources: readonly string[] }[] = [
  {
    group: "",
    resources: [
      "pods",
      "pods/log",
      "services",
      "events",
      "nodes",
      "namespaces",
      "persistentvolumeclaims",
      "persistentvolumes",
      "resourcequotas",
      "limitranges",
      "replicationcontrollers",
    ],
  },
  { group: "apps", resources: ["daemonsets", "deployments", "replicasets", "statefulsets"] },
  { group: "autoscaling", resources: ["horizontalpodautoscalers"] },
  { group: "batch", resources: ["cronjobs", "jobs"] },
  { group: "discovery.k8s.io", resources: ["endpointslices"] },
  { group: "metrics.k8s.io", resources: ["pods"] },
  { group: "networking.k8s.io", resources: ["ingresses", "networkpolicies"] },
  { group: "policy", resources: ["poddisruptionbudgets"] },
  { group: "storage.k8s.io", resources: ["storageclasses"] },
];

/** The rights without which a tool can't answer, and the tool. */
export const toolRights: readonly (AccessAttributes & { readonly tool: string })[] = [
  { verb: "list", group: "", resource: "pods", tool: "get_pods" },
  { verb: "get", group: "", resource: "pods", subresource: "log", tool: "get_pod_logs" },
  { verb: "get", group: "", resource: "pods", tool: "describe_pod" },
  { verb: "list", group: "", resource: "services", tool: "get_services" },
  { verb: "list", group: "discovery.k8s.io", resource: "endpointslices", tool: "get_services" },
  { verb: "list", group: "apps", resource: "deployments", tool: "get_deployments" },
  { verb: "list", group: "apps", resource: "replicasets", tool: "get_deployments" },
  { verb: "list", group: "", resource: "events", tool: "get_events" },
  { verb: "list", group: "", resource: "nodes", tool: "get_nodes" },
];

const readVerbs: ReadonlySet<string> = new Set(["get", "list", "watch"]);
/** A GET of these does something, or reaches into a container. */
const actingSubresources = /\/(exec|attach|portforward|proxy)$/;

/** Rights beyond reading, in words; what every identity may ask about itself does not count. */
export function excessRights(rules: RulesAnswer["rules"]): readonly string[] {
  const excess = rules.flatMap(({ verbs, groups, resources }) => {
    const about = groups.every((group) => /^(authorization|authentication)\.k8s\.io$/.test(group)) &&
      resources.every((resource) => resource.startsWith("selfsubject"));
    if (about) return [];
    if (verbs.includes("*") && groups.includes("*") && resources.includes("*")) {
      return ["anything at all, as a cluster-admin"];
    }
    const acting = resources.filter((resource) => actingSubresources.test(resource) || resource === "*");
    const writing = verbs.filter((verb) => !readVerbs.has(verb));
    if (writing.length > 0) return [`${writing.map(word).join(", ")}: ${names(resources, groups)}`];
    return acting.length > 0 && verbs.includes("get")
      ? [`get: ${names(acting, groups)}, which is more than reading`]
      : [];
  });
  return [...new Set(excess)];
}

/** Whether the rules let an identity read the values of Secrets. */
export function readsSecrets(rules: RulesAnswer["rules"]): boolean {
  return rules.some(({ verbs, groups, resources, names }) =>
    names.length === 0 && (groups.includes("") || groups.includes("*")) &&
    (resources.includes("secrets") || resources.includes("*")) &&
    verbs.some((verb) => verb === "*" || readVerbs.has(verb))
  );
}

function word(verb: string): string {
  return verb === "*" ? "all verbs" : verb;
}

function names(resources: readonly string[], groups: readonly string[]): string {
  const shown = resources.slice(0, 6).map((resource) => resource === "*" ? "all resources" : resource).join(
    ", ",
  );
  const group = groups.filter((name) => name !== "");
  return `${shown}${resources.length > 6 ? " and more" : ""}${
    group.length === 0 ? "" : group.includes("*") ? " of all groups" : ` of ${group.join(", ")}`
  }`;
}

/**
 * A manifest that makes an identity for this program which can read and nothing else. Its names are not those of
 * `deploy/kubernetes`, whose rights an apply would take away.
 */
export function readerManifest(): string {
  const rules = readRules.map(({ group, resources }) =>
    `  - { apiGroups: ["${group}"], resources: [${resources.join(", ")}], verbs: [get, list, watch] }`
  );
  return `apiVersion: v1
kind: Namespace
metadata: { name: mcp-reader }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: mcp-reader, namespace: mcp-reader }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: mcp-reader }
rules:
${rules.join("\n")}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: mcp-reader }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mcp-reader }
subjects: [{ kind: ServiceAccount, name: mcp-reader, namespace: mcp-reader }]
# A context with it, for KUBE_CONTEXT; CLUSTER as kubectl config get-contexts shows it:
#   kubectl config set-credentials mcp-reader --token="$(kubectl create token mcp-reader --namespace=mcp-reader --duration=24h)"
#   kubectl config set-context mcp-reader --cluster=CLUSTER --user=mcp-reader`;
}
