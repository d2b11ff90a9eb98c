/** platform-mcp: PostgreSQL, Prometheus and Kubernetes in one program, and what only the three together can answer. */
import { type Program, runProgram } from "./common/program.ts";
import { openPlatform, platformVariables } from "./platform/program.ts";

export const program: Program = {
  name: "platform-mcp",
  shortName: "platform",
  title: "Platform, read-only",
  summary: "Gives an AI assistant read-only access to PostgreSQL, Prometheus and Kubernetes over MCP.",
  hasSample: true,
  firstSettings:
    "DB_HOST, DB_NAME, DB_USER, DB_PASSWORD_FILE, PROMETHEUS_URL, KUBECONFIG, whichever you have",
  variables: platformVariables,
  open: openPlatform,
};

if (import.meta.main) await runProgram(program);
