/** libpq's own client: what it says is right. */

const permitted = (["run", "env"] as const)
  .every((name) => Deno.permissions.querySync({ name }).state === "granted");

/** Of `POSTGRES_BIN`, else of `PATH`. */
async function find(): Promise<string | undefined> {
  if (!permitted) return undefined;
  const folder = Deno.env.get("POSTGRES_BIN") ?? "";
  for (const program of [...(folder === "" ? [] : [`${folder}/psql`]), "psql"]) {
    try {
      if ((await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output()).success) {
        return program;
      }
    } catch {
      // The next one.
    }
  }
  return undefined;
}

/** Its path or name; undefined where there is none. */
export const psqlProgram: string | undefined = await find();

/** Whether there is a psql. */
export const psqlAvailable: boolean = psqlProgram !== undefined;

/** What psql prints for one statement over `url`, without a header; undefined where it fails. */
export async function psql(url: string, sql: string): Promise<string | undefined> {
  if (psqlProgram === undefined) throw new Error("Cannot find psql");
  const { success, stdout } = await new Deno.Command(psqlProgram, {
    args: ["--no-psqlrc", "--no-password", "-Atc", sql, url],
    env: { PGCONNECT_TIMEOUT: "10" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return success ? new TextDecoder().decode(stdout).trim() : undefined;
}
