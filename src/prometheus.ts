/** prometheus-mcp: lets an AI assistant ask a Prometheus about services, and never change a thing there. */
import { type Program, runProgram } from "./common/program.ts";
import { openPrometheus, prometheusInstructions, prometheusVariables } from "./prometheus/program.ts";

export const program: Program = {
  name: "prometheus-mcp",
  shortName: "prometheus",
  title: "Prometheus, read-only",
  summary: "Lets an AI assistant ask a Prometheus about services over MCP, and never change a thing there.",
  instructions: prometheusInstructions,
  firstSettings: "PROMETHEUS_URL",
  variables: prometheusVariables,
  open: openPrometheus,
};

if (import.meta.main) await runProgram(program);
