/** kubernetes-mcp: gives an AI assistant read-only access to a Kubernetes cluster. */
import { type Program, runProgram } from "./common/program.ts";
import { kubernetesInstructions, kubernetesVariables, openKubernetes } from "./kubernetes/program.ts";

export const program: Program = {
  name: "kubernetes-mcp",
  shortName: "kubernetes",
  title: "Kubernetes, read-only",
  summary: "Gives an AI assistant read-only access to a Kubernetes cluster over MCP.",
  instructions: kubernetesInstructions,
  firstSettings: "KUBECONFIG, unless you use ~/.kube/config",
  variables: kubernetesVariables,
  open: openKubernetes,
};

if (import.meta.main) await runProgram(program);
