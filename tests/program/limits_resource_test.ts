import assert from "@std/assert";
import { type ProgramName, RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { until } from "../support/until.ts";

/** A variable of each program, and what it then says. */
const cases: readonly (readonly [ProgramName, Readonly<Record<string, string>>, readonly RegExp[]])[] = [
  ["postgres", { MAX_ROWS: "5" }, [
    /^ {2}MAX_ROWS 5: maximum number of rows/m,
    /given up after 45 s$/m,
    /^ {2}run: none$/m,
  ]],
  ["prometheus", { MAX_POINTS: "7" }, [/^ {2}MAX_POINTS 7: points/m, /^ {2}PROMETHEUS_TIMEOUT_MS 30,000:/m]],
  ["kubernetes", { KUBE_TIMEOUT_MS: "2000" }, [
    /^ {2}KUBE_TIMEOUT_MS 2,000:/m,
    /given up after 47 s$/m,
    /^ {2}run: none$/m,
  ]],
  ["platform", { DB_HOST: "127.0.0.1", MAX_ROWS: "6" }, [
    /^ {2}MAX_ROWS 6: maximum number of rows/m,
    /^ {2}run: none$/m,
    /^ {2}PostgreSQL: 6 tools, there as DB_HOST, DB_PORT, MAX_ROWS are set$/m,
    /^ {2}Prometheus: not there, as nothing of it is configured$/m,
  ]],
];

for (const [program, variables, says] of cases) {
  Deno.test({
    name:
      `${program}: its limits and permissions are a resource, which is limited and audited, and asks no backend`,
    ignore: !permitted,
    async fn() {
      await using client = await RawClient.connect({
        program,
        variables: { ...variables, DB_PORT: "2", RATE_LIMIT_PER_MINUTE: "1", MAX_OUTPUT_BYTES: "4096" },
      });
      const uri = `${program}://limits`;
      const read = () => client.request("resources/read", { uri });
      // An answer of resources/read has contents.
      const [content] = (await read()).result?.contents as {
        readonly text: string;
        readonly mimeType: string;
      }[];
      assert.equal(content?.mimeType, "text/plain");
      for (
        const expected of [/^ {2}RATE_LIMIT_PER_MINUTE 1:/m, /^ {2}net: all$/m, /^ {2}write: none$/m, ...says]
      ) {
        assert.match(content?.text ?? "", expected);
      }
      assert.doesNotMatch(content?.text ?? "", /DB_PORT 2/);
      assert.match((await read()).error?.message ?? "", /more than 1 time a minute/);
      await until("both are audited", () => client.auditLines.length >= 2);
      assert.deepEqual(client.auditLines.map(({ tool, outcome }) => [tool, outcome]), [
        ["resources/read", "ok"],
        ["resources/read", "limited"],
      ]);
    },
  });
}
