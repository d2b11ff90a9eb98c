/** The modules of the programs, loaded one at a time: each brings packages that the others do not need. */
import type { Program } from "../src/common/program.ts";

const modules: Readonly<Record<string, () => Promise<{ readonly program: Program }>>> = {
  postgres: () => import("../src/postgres.ts"),
  prometheus: () => import("../src/prometheus.ts"),
  kubernetes: () => import("../src/kubernetes.ts"),
  platform: () => import("../src/platform.ts"),
};

/** Whether there is a program of that short name. */
export function isProgram(name: string): boolean {
  return Object.hasOwn(modules, name);
}

/** The program of that short name, such as `postgres`. Throws {@linkcode Error} when there is none. */
export async function loadProgram(name: string): Promise<Program> {
  const load = isProgram(name) ? modules[name] : undefined;
  if (load === undefined) throw new Error(`no program is named "${name}"`);
  return (await load()).program;
}
