/** The resource `NAME://limits`: what a call may cost, and what this process may do. It asks no backend. */
import configuration from "../../deno.json" with { type: "json" };
import { fit } from "./output.ts";
import { listedResources, readResource, resourceList, resourceRead, type Resources } from "./resources.ts";
import { count, duration } from "./units.ts";

/** A whole number that bounds something, and the variable that sets it. */
export interface Limit {
  readonly name: string;
  readonly value: number;
  readonly purpose: string;
}

/** What there is to tell. */
export interface ServerLimits {
  /** Name and version. */
  readonly server: string;
  readonly limits: readonly Limit[];
  /** Milliseconds after which a call is given up. */
  readonly deadlineMs: number;
  /** Permissions that were given up at the start. */
  readonly givenUp: readonly Deno.PermissionDescriptor["name"][];
  /** Programs that the permission to run may name. */
  readonly plugins: readonly string[];
  /** Which groups of tools there are, and why; a line each. */
  readonly groups: readonly string[];
}

const kinds = ["net", "read", "write", "run", "env", "sys", "ffi"] as const;
const mimeType = "text/plain";

/** The programs that a permission set of deno.json names for running; a build may have narrowed them. */
export function pluginsOf(permissionSet: string): readonly string[] {
  const sets: Readonly<Record<string, object>> = configuration.permissions;
  const set = sets[permissionSet] ?? {};
  return "run" in set && Array.isArray(set.run) ? set.run : [];
}

/** The text. */
export function limitsText({ server, limits, deadlineMs, givenUp, plugins, groups }: ServerLimits): string {
  return [
    `${server}: what a call may cost, and what this process may do. None of it can be changed from here.`,
    "",
    "limits",
    ...limits.map(({ name, value, purpose }) => `  ${name} ${count(value)}: ${purpose}`),
    `  a call is given up after ${duration(deadlineMs)}`,
    "  every call has a line in the audit log",
    "",
    "permissions of the process, by Deno",
    ...kinds.map((kind) => `  ${kind}: ${permissionText(kind, givenUp, plugins)}`),
    ...(groups.length === 0 ? [] : ["", "groups of tools", ...groups.map((line) => `  ${line}`)]),
  ].join("\n");
}

function permissionText(
  kind: (typeof kinds)[number],
  givenUp: ServerLimits["givenUp"],
  plugins: readonly string[],
): string {
  if (givenUp.includes(kind)) return "none";
  const { state } = Deno.permissions.querySync({ name: kind });
  if (state === "granted") return "all";
  if (kind !== "run") return "what its build or its start named, and nothing else";
  const named = plugins.filter((command) =>
    Deno.permissions.querySync({ name: "run", command }).state === "granted"
  );
  return named.length === 0 ? "none" : `${named.join(", ")}, to log in to a cluster`;
}

/** A program's resources, and this one before them. */
export function withLimits({ list, read, ...more }: Resources, uri: string, text: () => string): Resources {
  const own = { uri, name: "limits", title: "This server's limits and permissions", mimeType };
  return {
    ...more,
    list: resourceList({
      run: async (args, context) => ({
        isFirst: args.cursor === undefined,
        value: await list.run(args, context),
      }),
      present({ isFirst, value }, budget) {
        const page = list.present(value, budget);
        const { resources, ...rest } = listedResources.parse(page.structured);
        return { ...page, structured: { resources: isFirst ? [own, ...resources] : resources, ...rest } };
      },
    }),
    read: resourceRead({
      run: async (args, context) => args.uri === uri ? undefined : { value: await read.run(args, context) },
      present(other, budget) {
        if (other === undefined) {
          return { text: fit(text(), budget), structured: { uri, mimeType }, rows: 1 };
        }
        const { structured, ...rest } = read.present(other.value, budget);
        return { ...rest, structured: readResource.parse(structured) };
      },
    }),
  };
}
