/** postgres-mcp: gives an AI assistant read-only access to a PostgreSQL database. */
import { type Program, runProgram } from "./common/program.ts";
import { openPostgres, postgresInstructions, postgresVariables } from "./postgres/program.ts";

export const program: Program = {
  name: "postgres-mcp",
  shortName: "postgres",
  title: "PostgreSQL, read-only",
  summary: "Gives an AI assistant read-only access to a PostgreSQL database over MCP.",
  instructions: postgresInstructions,
  hasSample: true,
  firstSettings: "DB_HOST, DB_NAME, DB_USER and DB_PASSWORD_FILE",
  variables: postgresVariables,
  open: openPostgres,
};

if (import.meta.main) await runProgram(program);
