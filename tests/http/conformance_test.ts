import assert from "@std/assert";
import { join } from "node:path";
import { runSuite, suiteAvailable, suites } from "../support/conformance/suite.ts";
import { HttpProgram } from "../support/http_program.ts";
import { programCommand, type ProgramName, project } from "../support/mcp.ts";
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

/** What asks a real program for a tool, a resource or a prompt of the suite's own, which only the fixtures have. */
const asksForFixtures: readonly string[] = [
  ...["simple-text", "image", "audio", "embedded-resource", "mixed-content", "with-logging", "error"]
    .map((kind) => `tools-call-${kind}`),
  ...["with-progress", "sampling", "elicitation"].map((kind) => `tools-call-${kind}`),
  ...["elicitation-sep1034-defaults", "elicitation-sep1330-enums"],
  ...["read-text", "read-binary", "templates-read"].map((kind) => `resources-${kind}`),
  ...["simple", "with-args", "embedded-resource", "with-image"].map((kind) => `prompts-get-${kind}`),
  ...["basic-elicitation", "basic-sampling", "basic-list-roots", "request-state", "multiple-input-requests"]
    .map((kind) => `input-required-result-${kind}`),
  ...["multi-round", "non-tool-request", "result-type", "tampered-state", "capability-check"]
    .map((kind) => `input-required-result-${kind}`),
  ...["json-schema-2020-12", "http-custom-header-server-validation"],
  // Beside what is true of every server it calls test_missing_capability, test_streaming_elicitation and
  // test_logging_tool; the full run has it.
  "server-stateless",
];

/** What a read-only server leaves out, and why. */
const leftOut: readonly string[] = [
  // It keeps no level of the client's: its log is the operator's.
  "logging-set-level",
  // What is behind a resource changes with every answer: there is nothing to subscribe to.
  "resources-subscribe",
  "resources-unsubscribe",
];

/** What one program lacks beside: prompts (which `caching` lists too), completions. */
const lacks: Readonly<Record<ProgramName, readonly string[]>> = {
  postgres: ["prompts-list", "caching"],
  prometheus: ["prompts-list", "caching"],
  kubernetes: ["prompts-list", "caching", "completion-complete"],
  platform: [],
};

/** Nobody listens there, which keeps no program from starting. */
const unreachable = {
  postgres: { DB_HOST: "127.0.0.1", DB_PORT: "1" },
  prometheus: { PROMETHEUS_URL: "http://127.0.0.1:1" },
  kubernetes: { KUBECONFIG: "" },
};

/** The variables of a program; postgres-mcp lists tables as resources, for which it needs some. */
async function variables(
  program: ProgramName,
  stack: AsyncDisposableStack,
): Promise<Readonly<Record<string, string>>> {
  if (program === "postgres") return stack.use(await createProgramDatabase()).variables;
  if (program === "platform") return { ...unreachable.postgres, ...unreachable.prometheus };
  return unreachable[program];
}

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
        longestLifeMs: 400_000,
      });
      const mayFail = (scenario: string) => scenario in withoutSessions || extension.test(scenario);
      const { passed, failed, report } = await runSuite(version, `${server.origin}/mcp`, args, mayFail);
      assert.deepEqual(failed.filter((scenario) => !mayFail(scenario)), [], report);
      assert.ok(passed.length >= 26, report);
    },
  });

  for (const program of ["postgres", "prometheus", "kubernetes", "platform"] as const) {
    Deno.test({
      name: `the conformance suite against ${program}-mcp: ${name}`,
      ignore: !suiteAvailable || (program === "postgres" && !postgresAvailable),
      async fn() {
        await using stack = new AsyncDisposableStack();
        const server = stack.use(
          await HttpProgram.start({
            command: programCommand([], program),
            variables: await variables(program, stack),
            longestLifeMs: 400_000,
          }),
        );
        const excluded = [...asksForFixtures, ...leftOut, ...lacks[program]];
        const inScope = (scenario: string) => !extension.test(scenario);
        const mayFail = (scenario: string) => excluded.includes(scenario) || !inScope(scenario);
        const { passed, failed, report } = await runSuite(version, `${server.origin}/mcp`, args, mayFail);
        // One that is excluded and passes is excluded without a reason.
        const ran = [...passed, ...failed].filter(inScope);
        assert.deepEqual(
          failed.filter(inScope).toSorted(),
          excluded.filter((scenario) => ran.includes(scenario)).toSorted(),
          report,
        );
        assert.ok(passed.includes("tools-list") && passed.includes("dns-rebinding-protection"), report);
      },
    });
  }
}
