/** `deno task demo`, as somebody sees it who plays it in a pipe. */
import assert from "@std/assert";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("../..", import.meta.url));

/** Plays the demo; `without` names variables that this test's own environment has. */
export async function demo(
  variables: Readonly<Record<string, string>>,
  without: readonly string[] = [],
): Promise<string> {
  const inherited = Object.entries(Deno.env.toObject()).filter(([name]) => !without.includes(name));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "demo"],
    cwd: project,
    env: {
      ...Object.fromEntries(inherited),
      DB_HOST: "elsewhere.invalid",
      DATABASE_URL: "postgres://elsewhere.invalid/",
      ...variables,
    },
    clearEnv: true,
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0, text + new TextDecoder().decode(stderr));
  assert.ok(!text.includes("\x1b"));
  return text;
}
