/** What `MCP_TOKENS_FILE` names in a test. */
import { join } from "node:path";

/** A token file of the test's own; gone when disposed. */
export async function tokenFile(text: string): Promise<{ path: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "tokens-" });
  const path = join(folder, "tokens");
  await Deno.writeTextFile(path, text, { mode: 0o600 });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}
