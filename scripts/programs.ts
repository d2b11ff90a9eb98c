/** The programs of this project: one line each. */
import type { Program as Served } from "../src/common/program.ts";

/** What it takes to compile a program. */
export interface Program {
  /** The executable's name. */
  readonly name: string;
  /** The entry point, from the top of the project. */
  readonly entry: string;
  /** Its permission set in deno.json; also the end of `compile:*` and `serve:*`. */
  readonly permissions: string;
  /** Packages that bring WebAssembly: `deno bundle` leaves them alone, `deno compile` embeds them whole. */
  readonly whole: readonly string[];
}

/** One of the project's own. */
export interface ProjectProgram extends Program {
  /** Its module, loaded when it is wanted: each brings packages that the others do not need. */
  readonly load: () => Promise<{ readonly program: Served }>;
}

export const programs: readonly ProjectProgram[] = [
  {
    name: "postgres-mcp",
    entry: "src/postgres.ts",
    permissions: "postgres",
    whole: ["libpg-query"],
    load: () => import("../src/postgres.ts"),
  },
  {
    name: "prometheus-mcp",
    entry: "src/prometheus.ts",
    permissions: "prometheus",
    whole: [],
    load: () => import("../src/prometheus.ts"),
  },
  {
    name: "kubernetes-mcp",
    entry: "src/kubernetes.ts",
    permissions: "kubernetes",
    whole: [],
    load: () => import("../src/kubernetes.ts"),
  },
  {
    name: "platform-mcp",
    entry: "src/platform.ts",
    permissions: "platform",
    whole: ["libpg-query"],
    load: () => import("../src/platform.ts"),
  },
];
