/** prometheus-mcp: gives an AI assistant read-only access to a Prometheus server. */
import { type Program, runProgram } from "./common/program.ts";
import { openPrometheus, prometheusInstructions, prometheusVariables } from "./prometheus/program.ts";

export const program: Program = {
  name: "prometheus-mcp",
  shortName: "prometheus",
  title: "Prometheus, read-only",
  summary: "Gives an AI assistant read-only access to a Prometheus server over MCP.",
  instructions: prometheusInstructions,
  firstSettings: "PROMETHEUS_URL",
  variables: prometheusVariables,
  open: openPrometheus,
};

if (import.meta.main) await runProgram(program);
