/** postgres-mcp: lets an AI assistant look into a PostgreSQL database, and never change a thing there. */
import { type Program, runProgram } from "./common/program.ts";
import { openPostgres, postgresInstructions, postgresVariables } from "./postgres/program.ts";

export const program: Program = {
  name: "postgres-mcp",
  shortName: "postgres",
  title: "PostgreSQL, read-only",
  summary: "Lets an AI assistant look into a PostgreSQL database over MCP, and never change a thing there.",
  instructions: postgresInstructions,
  hasSample: true,
  firstSettings: "DB_HOST, DB_NAME, DB_USER and DB_PASSWORD_FILE",
  variables: postgresVariables,
  open: openPostgres,
};

if (import.meta.main) await runProgram(program);
