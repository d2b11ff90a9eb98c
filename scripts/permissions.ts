/**
 * The permission sets of deno.json, as the flags that `deno compile` bakes.
 *
 * Source: https://docs.deno.com/runtime/fundamentals/configuration/#permissions
 */
import manifest from "../deno.json" with { type: "json" };

/** `true` grants all, a list grants what it names, nothing and `false` refuse. */
export type Grant = boolean | readonly string[];

/** One permission set. There is no `ffi`, no `sys` and no `import` here: no program gets them. */
export interface PermissionSet {
  readonly net?: Grant;
  readonly read?: Grant;
  readonly write?: Grant;
  readonly run?: Grant;
  /** `ignore`: every other variable reads as unset, instead of raising an error. */
  readonly env?: Grant | { readonly allow: readonly string[]; readonly ignore: boolean };
}

/** The kinds that a hardened build may narrow. */
export const narrowable = ["net", "read", "write", "run"] as const;
export type Narrowable = (typeof narrowable)[number];

/** The set of that name. Throws {@linkcode Error} where deno.json has none. */
export function permissionSet(name: string): PermissionSet {
  const sets: Readonly<Record<string, PermissionSet>> = manifest.permissions;
  const set = sets[name];
  if (set === undefined) throw new Error(`Cannot find the permission set "${name}" in deno.json`);
  return set;
}

/**
 * The set with one kind of permission narrowed to `values`; none of them takes it away. A program that may be run by
 * its name, wherever the PATH finds it, can be narrowed to one absolute path.
 *
 * @throws {RangeError} when the set does not grant what is asked for
 */
export function narrow(set: PermissionSet, kind: Narrowable, values: readonly string[]): PermissionSet {
  const granted = set[kind] ?? false;
  const names = (value: string) => kind === "run" ? [value, programName(value)] : [value];
  const excess = values.find((value) =>
    granted === false || (granted !== true && !names(value).some((name) => granted.includes(name)))
  );
  if (excess !== undefined) throw new RangeError(`--${kind} can only narrow, and "${excess}" is not granted`);
  return { ...set, [kind]: values.length > 0 ? values : false };
}

/** `aws` of `/usr/local/bin/aws` and of `C:\\tools\\aws.exe`; whatever is no absolute path stays as it is. */
function programName(value: string): string {
  if (!/^(?:\/|[a-z]:[/\\])/i.test(value)) return value;
  return value.replace(/^.*[/\\]/, "").replace(/\.exe$/i, "");
}

/** The set as flags of `deno run` and `deno compile`. */
export function permissionFlags(set: PermissionSet): string[] {
  const { env = false } = set;
  const { allow, ignore } = typeof env === "object" && "allow" in env ? env : { allow: env, ignore: false };
  return [
    ...narrowable.flatMap((kind) => grantFlag(`--allow-${kind}`, set[kind] ?? false)),
    ...grantFlag("--allow-env", allow),
    ...grantFlag("--ignore-env", ignore),
  ];
}

function grantFlag(flag: string, grant: Grant): string[] {
  if (typeof grant === "boolean") return grant ? [flag] : [];
  return grant.length > 0 ? [`${flag}=${grant.join(",")}`] : [];
}
