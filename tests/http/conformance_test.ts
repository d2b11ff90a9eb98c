import assert from "@std/assert";
import { join } from "node:path";
import { runSuite, suiteAvailable, suites } from "../support/conformance/suite.ts";
import { HttpProgram } from "../support/http_program.ts";
import { project } from "../support/mcp.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";

/** What can't apply to a server without sessions, and why. */
const withoutSessions = {
  // In the older revisions the server asks the client by a request of its own, whose answer comes by another POST:
  // only a session could bring the two together.
  "tools-call-sampling": "a request from the server to the client",
  "tools-call-elicitation": "a request from the server to the client",
  "elicitation-sep1034-defaults": "a request from the server to the client",
  "elicitation-sep1330-enums": "a request from the server to the client",
} as const;

/** Optional extensions, which the suite runs without scoring. */
const extension = /^tasks-/;

/** What can't apply to a real program: the scenario asks for a tool, a resource or a prompt of the suite's own. */
const asksForFixtures = [
  /^tools-call-/,
  /^prompts-/,
  /^resources-(read|templates|subscribe|unsubscribe)/,
  /^elicitation-/,
  /^input-required-result-/,
  /^json-schema-2020-12$/,
  /^http-custom-header-server-validation$/,
  // Beside what is true of every server it calls test_missing_capability, test_streaming_elicitation and
  // test_logging_tool; the full run has it.
  /^server-stateless$/,
  // It lists prompts, which postgres-mcp has none of.
  /^caching$/,
  // A read-only server keeps no level of the client's: its log is the operator's.
  /^logging-set-level$/,
  // The first thing it does is to list resources and to look for the suite's own.
  /^resources-list$/,
];

const runs: readonly (readonly [string, string, readonly string[]])[] = [
  ["2026-07-28", suites.next, ["--requirements", "2026-07-28"]],
  ["2025-11-25", suites.next, ["--requirements", "2025-11-25"]],
  ["2025-11-25, of the 0.1 line", suites.stable, []],
];

for (const [name, version, args] of runs) {
  Deno.test({
    name: `the conformance suite in full, against its fixtures on this HTTP layer and pipeline: ${name}`,
    ignore: !suiteAvailable,
    async fn() {
      await using server = await HttpProgram.start({
        command: {
          command: Deno.execPath(),
          args: ["run", "--quiet", "--allow-all", join(project, "tests/support/conformance/program.ts")],
        },
        longestLifeMs: 180_000,
      });
      const { passed, failed, report } = await runSuite(version, `${server.origin}/mcp`, args);
      const unexpected = failed.filter((scenario) =>
        !(scenario in withoutSessions) && !extension.test(scenario)
      );
      assert.deepEqual(unexpected, [], report);
      assert.ok(passed.length >= 26, report);
    },
  });

  Deno.test({
    name: `the conformance suite against postgres-mcp: ${name}`,
    ignore: !suiteAvailable || !postgresAvailable,
    async fn() {
      await using database = await createProgramDatabase();
      await using program = await HttpProgram.start({
        variables: database.variables,
        longestLifeMs: 180_000,
      });
      const { passed, failed, report } = await runSuite(version, `${program.origin}/mcp`, args);
      const unexpected = failed.filter((scenario) =>
        !extension.test(scenario) && !asksForFixtures.some((pattern) => pattern.test(scenario))
      );
      assert.deepEqual(unexpected, [], report);
      for (const scenario of ["tools-list", "completion-complete", "dns-rebinding-protection"]) {
        assert.ok(passed.includes(scenario), report);
      }
    },
  });
}
