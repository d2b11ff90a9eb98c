import assert from "@std/assert";
import { buildProgram } from "../../scripts/build.ts";
import { narrow, permissionFlags, permissionSet } from "../../scripts/permissions.ts";
import { programs } from "../../scripts/programs.ts";
import { HttpProgram } from "../support/http_program.ts";
import { RawClient, runProgramToEnd } from "../support/mcp.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { freePort } from "../support/real_program.ts";
import { createProgramDatabase } from "../support/program_database.ts";

Deno.test({
  name: "a hardened build reaches its one database and no other, and says which permission is missing",
  ignore: !postgresAvailable,
  async fn(t) {
    await using database = await createProgramDatabase();
    const program = programs.find(({ permissions }) => permissions === "postgres");
    if (program === undefined) throw new Error("no program has the permissions of postgres");
    const folder = await Deno.makeTempDir();
    try {
      const output = `${folder}/postgres-mcp`;
      const audit = `${folder}/audit.jsonl`;
      const { host, port } = database.server;
      const served = freePort();
      let set = narrow(permissionSet("postgres"), "net", [`${host}:${port}`, `${host}:${served}`]);
      set = narrow(narrow(set, "read", []), "write", [audit]);
      await buildProgram({ program, flags: permissionFlags(set), target: undefined, output, say: () => {} });
      const command = { command: output, args: [] };

      await t.step("its database, its audit file", async () => {
        const variables = { ...database.variables, AUDIT_LOG: audit };
        await using client = await RawClient.connect({ command, variables });
        const { text, isError } = await client.query("SELECT count(*) FROM todos");
        assert.equal(isError, false, text);
        assert.match(await Deno.readTextFile(audit), /"outcome":"ok"/);
      });
      const missing: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
        ["another port", { DB_PORT: "1" }, /--allow-net=127\.0\.0\.1:1\b/],
        ["another host", { DB_HOST: "db.invalid" }, /--allow-net=db\.invalid/],
        ["another audit file", { AUDIT_LOG: `${folder}/other.jsonl` }, /--allow-write/],
        ["a Unix socket", { DB_HOST: database.server.socket }, /--allow-read and --allow-write/],
      ];
      for (const [what, changes, says] of missing) {
        await t.step(what, async () => {
          await using client = await RawClient.connect({
            command,
            variables: { ...database.variables, ...changes },
          });
          const { text, isError } = await client.query("SELECT 1");
          assert.equal(isError, true);
          assert.match(text, says);
          assert.deepEqual((await client.request("ping")).result, {});
        });
      }
      await t.step("over HTTP it serves where it may, and says where it may not", async () => {
        const variables = { ...database.variables, AUDIT_LOG: audit };
        await using program = await HttpProgram.start({ command, address: `${host}:${served}`, variables });
        const health = await fetch(`${program.origin}/healthz`);
        await health.body?.cancel();
        assert.equal(health.status, 200);
        const other = freePort();
        const ended = await runProgramToEnd({
          command: { command: output, args: ["--http", `${host}:${other}`] },
          variables,
          plain: true,
        });
        assert.equal(ended.code, 2);
        assert.match(
          ended.stderr,
          new RegExp(`Cannot listen on ${host}:${other}: .*--net must name the address`),
        );
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
