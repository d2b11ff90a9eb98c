/** postgres-mcp in front of a real server whose connection fails in mid-answer. */
import { sufferAll } from "../support/fault_cases.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";
import { keepRows } from "../support/reliability.ts";

Deno.test({
  name: "postgres-mcp: a connection that fails in mid-row is told, audited, and not used again",
  ignore: !postgresAvailable,
  async fn(t) {
    await using database = await createProgramDatabase();
    const { host, port } = database.server;
    const rows = await sufferAll(t, {
      program: "postgres",
      target: { host, port },
      variables: (at) =>
        Promise.resolve({
          ...database.variables,
          DB_PORT: String(at),
          DB_SSLMODE: "disable",
          STATEMENT_TIMEOUT_MS: "1000",
        }),
      tool: "query_database",
      arguments: { sql: "SELECT g, repeat('x', 50) AS x FROM generate_series(1, 150) g" },
      afterBytes: 4_000,
    }, [
      ["refuse", "the server ends each connection at once", /it closed the connection at once/],
      ["reset", "a reset in mid-row", /the connection to .* was lost/],
      ["half-close", "the server's side is closed in mid-row", /the connection to .* was lost/],
      ["stall", "the connection goes silent in mid-row", /was silent for 6 s/],
      ["drip", "one byte a second", /was silent for 6 s/],
      ["garbage", "other bytes in mid-row", /does not speak PostgreSQL's protocol/],
      ["lost", "all connections go silent while they are idle", "answered"],
    ]);
    await t.step("docs/reliability.md says so", () => keepRows("postgres", rows));
  },
});
