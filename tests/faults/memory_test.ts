/** Large results of a real server: what the program takes for them stays bounded. */
import assert from "@std/assert";
import { RawClient } from "../support/mcp.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";

/** MB that a large result may add to the most that the program has taken. */
const mostMegabytes = 100;

async function peak(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("grep", { args: ["VmHWM", `/proc/${pid}/status`] }).output();
  return Number(new TextDecoder().decode(stdout).match(/(\d+) kB/)?.[1]) / 1024;
}

const cases: readonly (readonly [what: string, sql: string, says: RegExp])[] = [
  ["ten million rows", "SELECT g FROM generate_series(1, 10000000) g", /Cut: /],
  [
    "ten million rows, each of a kilobyte",
    "SELECT g, repeat('x', 1000) FROM generate_series(1, 10000000) g",
    /Cut: /,
  ],
  ["one cell of 200 MB", "SELECT repeat(repeat('x', 1000000), 200)", /larger than 64 MB/],
];

Deno.test({
  name: `ten million rows, and a cell of 200 MB, take less than ${mostMegabytes} MB of memory`,
  ignore: !postgresAvailable || Deno.build.os !== "linux",
  async fn(t) {
    await using database = await createProgramDatabase();
    await using client = await RawClient.connect({ variables: database.variables });
    assert.equal((await client.query("SELECT 1")).isError, false);
    const before = await peak(client.pid);
    for (const [what, sql, says] of cases) {
      await t.step(what, async () => {
        const { text } = await client.query(sql);
        assert.match(text, says);
        const grown = await peak(client.pid) - before;
        assert.ok(grown < mostMegabytes, `${Math.round(grown)} MB more`);
        assert.equal((await client.query("SELECT 1")).isError, false);
      });
    }
  },
});
