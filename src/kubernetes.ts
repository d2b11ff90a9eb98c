/** kubernetes-mcp: lets an AI assistant look into a Kubernetes cluster, and never change a thing there. */
import { type Program, runProgram } from "./common/program.ts";
import { kubernetesInstructions, kubernetesVariables, openKubernetes } from "./kubernetes/program.ts";

export const program: Program = {
  name: "kubernetes-mcp",
  shortName: "kubernetes",
  title: "Kubernetes, read-only",
  summary: "Lets an AI assistant look into a Kubernetes cluster over MCP, and never change a thing there.",
  instructions: kubernetesInstructions,
  firstSettings: "KUBECONFIG, unless ~/.kube/config is meant",
  variables: kubernetesVariables,
  open: openKubernetes,
};

if (import.meta.main) await runProgram(program);
