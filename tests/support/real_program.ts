/** Real programs for tests: found, skipped by name where they are absent, and waited for. */
import { permitted } from "./permitted.ts";

/** The path of a program: what the variable names, else the first of that name on `PATH`; undefined where there is none. */
export function findProgram(variable: string, name: string): string | undefined {
  if (!permitted) return undefined;
  try {
    const given = Deno.env.get(variable);
    if (given !== undefined && given !== "") return Deno.realPathSync(given);
    for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
      try {
        if (Deno.statSync(`${folder}/${name}`).isFile) return `${folder}/${name}`;
      } catch { /* the next folder */ }
    }
  } catch { /* no permission to look, or a variable that names nothing */ }
  return undefined;
}

/** Whether there is one; with `CI=true` a missing part is a failure and not a reason to skip. */
export function available(part: string | undefined, sentence: string): boolean {
  if (part === undefined && permitted && Deno.env.get("CI") === "true") throw new Error(sentence);
  return part !== undefined;
}

/**
 * A port of the loopback interface that nobody listens on, from below those that the kernel gives to outgoing connections
 * (32768 and up on Linux, ip(7)): one of these could be taken again before the program that is meant to listen has it.
 */
export function freePort(): number {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Whether somebody listens on a port of the loopback interface. */
export async function listens(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
