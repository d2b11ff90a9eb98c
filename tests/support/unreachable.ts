/** Backends that are not there: each program starts without, and says so when a tool is called. */
import type { ProgramName } from "./mcp.ts";

/** Variables for all programs. */
export const unreachable = {
  DB_PORT: "1",
  PROMETHEUS_URL: "http://127.0.0.1:1",
} as const;

/** A tool without arguments, whose answer says what is missing. */
export const anyCall: Readonly<Record<ProgramName, string>> = {
  postgres: "list_tables",
  prometheus: "list_alerts",
  kubernetes: "list_contexts",
  platform: "rank_services_by_error_rate",
};
