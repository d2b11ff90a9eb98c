/** The programs of this project: one line each. */

/** What `compile`, `demo` and the docs have to know of a program. */
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

export const programs: readonly Program[] = [
  { name: "postgres-mcp", entry: "src/postgres.ts", permissions: "postgres", whole: ["libpg-query"] },
  { name: "prometheus-mcp", entry: "src/prometheus.ts", permissions: "prometheus", whole: [] },
  { name: "kubernetes-mcp", entry: "src/kubernetes.ts", permissions: "kubernetes", whole: [] },
  { name: "platform-mcp", entry: "src/platform.ts", permissions: "platform", whole: ["libpg-query"] },
];
