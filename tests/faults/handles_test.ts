/** A program that may open no more files: the limit is lowered while it runs, to what it has open, and raised again. */
import assert from "@std/assert";
import { RawClient } from "../support/mcp.ts";
import { available, findProgram, freePort } from "../support/real_program.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";
import { keepRows } from "../support/reliability.ts";
import { until } from "../support/until.ts";

const isLinux = Deno.build.os === "linux";
const prlimit = isLinux ? findProgram("PRLIMIT_BIN", "prlimit") : undefined;
const ignore = !isLinux || !available(prlimit, "Cannot find prlimit, of util-linux");

/** The numbers of the files that a process has open. */
async function openFiles(pid: number): Promise<ReadonlySet<number>> {
  const { stdout } = await new Deno.Command("ls", { args: [`/proc/${pid}/fd`] }).output();
  return new Set(new TextDecoder().decode(stdout).trimEnd().split("\n").map(Number));
}

/** Lets a process open so many files more; without a number, a thousand. The limit is on numbers, which may have gaps. */
async function allowFiles(pid: number, more = 1_000): Promise<void> {
  let open = await openFiles(pid);
  // A file that it reads for a moment would leave its number free.
  await until("it opens and closes none", async () => {
    const before = open;
    open = await openFiles(pid);
    return before.symmetricDifference(open).size === 0;
  });
  let limit = 0;
  for (let free = 0; free < more || open.has(limit); limit++) {
    if (!open.has(limit)) free++;
  }
  const { success, stderr } = await new Deno.Command(prlimit ?? "", {
    args: ["--pid", String(pid), `--nofile=${limit}:`],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

const programs = [
  ["postgres", "query_database", { sql: "SELECT 1" }],
  ["prometheus", "query_metrics", { query: "up" }],
  ["kubernetes", "get_nodes", {}],
] as const;

Deno.test({
  name: "without a file handle for a connection a call says so, and asks the backend when there is one",
  ignore,
  async fn(t) {
    const port = freePort();
    const kubeconfig = await Deno.makeTempFile();
    await Deno.writeTextFile(
      kubeconfig,
      JSON.stringify({
        "current-context": "test",
        contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
        clusters: [{ name: "test", cluster: { server: `http://127.0.0.1:${port}` } }],
        users: [{ name: "test", user: {} }],
      }),
    );
    const variables = {
      DB_HOST: "127.0.0.1",
      DB_PORT: String(port),
      PROMETHEUS_URL: `http://127.0.0.1:${port}`,
      KUBECONFIG: kubeconfig,
    };
    const rows: string[][] = [];
    for (const [program, tool, args] of programs) {
      await t.step(program, async () => {
        await using client = await RawClient.connect({ program, variables });
        // What it loads for its first call, a file after the other, has been loaded by then.
        await client.call(tool, args);
        await allowFiles(client.pid, 0);
        const { text, isError } = await client.call(tool, args);
        assert.equal(isError, true);
        assert.match(text, /this program cannot open any more connections or files\. .*ulimit -n/);
        assert.doesNotMatch(text, /DB_HOST|PROMETHEUS_URL/);
        await allowFiles(client.pid);
        assert.match((await client.call(tool, args)).text, /refused|nothing accepts connections/);
        rows.push([`${program}-mcp has no file handle free`, text]);
      });
    }
    await Deno.remove(kubeconfig);
    await t.step("docs/reliability.md says so", () => keepRows("handles", rows));
  },
});

Deno.test({
  name: "of many calls those that get a handle are answered, and the pool is whole again afterwards",
  ignore: ignore || !postgresAvailable,
  async fn() {
    await using database = await createProgramDatabase();
    const variables = { ...database.variables, DB_POOL_SIZE: "8", RATE_LIMIT_PER_MINUTE: "0" };
    await using client = await RawClient.connect({ variables });
    assert.equal((await client.query("SELECT 1")).isError, false);
    await allowFiles(client.pid, 2);
    const failed: string[] = [];
    const calls = () =>
      Array.from({ length: 8 }, async (_, i) => {
        const { text, isError } = await client.query(`SELECT ${i}, count(*) FROM todos`);
        if (isError) failed.push(text);
      });
    // Those that get a connection keep it until there are some that did not.
    await database.execute("begin; lock table todos");
    const held = calls();
    await until("some fail", () => failed.length > 0);
    await database.execute("commit");
    await Promise.all(held);
    assert.ok(failed.length < 8, `${failed.length} of 8 failed`);
    for (const text of failed) assert.match(text, /cannot open any more connections/);
    await allowFiles(client.pid);
    failed.length = 0;
    await Promise.all(calls());
    assert.deepEqual(failed, []);
  },
});
