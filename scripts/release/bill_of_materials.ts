/**
 * What is inside an executable, in CycloneDX 1.6: every npm package that its module graph reaches, with the checksum
 * that deno.lock holds, and the runtime.
 *
 * Source: https://cyclonedx.org/docs/1.6/json/
 */
/** A package of the lock file. */
interface Locked {
  readonly integrity?: string;
  readonly dependencies?: readonly string[];
  readonly optionalPeers?: readonly string[];
}

/** One component of the bill. */
export interface Component {
  readonly type: "library" | "platform";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: "SHA-512"; readonly content: string }[];
}

/** A CycloneDX document. */
export interface BillOfMaterials {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly version: 1;
  readonly metadata: {
    readonly component: {
      readonly type: "application";
      readonly "bom-ref": string;
      readonly name: string;
      readonly version: string;
      readonly licenses: readonly { readonly license: { readonly id: string } }[];
    };
  };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

// deno.lock, version 5: `name@version` to what it needs, which are names, with a version where there are several.
const lock: { readonly npm: Readonly<Record<string, Locked>> } = JSON.parse(
  Deno.readTextFileSync(new URL("../../deno.lock", import.meta.url)),
);
const packages = lock.npm;

/**
 * The bill of one program.
 *
 * @param direct the packages that its modules import, as `name@version`
 */
export function billOfMaterials(
  program: string,
  version: string,
  direct: readonly string[],
  runtime: string,
): BillOfMaterials {
  const reached = new Map<string, readonly string[]>();
  const visit = (key: string) => {
    if (reached.has(key)) return;
    const needs = (packages[key]?.dependencies ?? []).map(keyOf);
    reached.set(key, needs);
    for (const need of needs) visit(need);
  };
  const roots = direct.map(keyOf);
  for (const root of roots) visit(root);
  const self = `${program}@${version}`;
  const deno: Component = {
    type: "platform",
    "bom-ref": `deno@${runtime}`,
    name: "deno",
    version: runtime,
    purl: `pkg:github/denoland/deno@v${runtime}`,
  };
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": self,
        name: program,
        version,
        licenses: [{ license: { id: "Apache-2.0" } }],
      },
    },
    components: [deno, ...[...reached.keys()].sort().map(component)],
    dependencies: [
      { ref: self, dependsOn: [deno["bom-ref"], ...roots] },
      ...[...reached].sort().map(([ref, dependsOn]) => ({ ref, dependsOn })),
    ],
  };
}

/** The lock file's own key for a package, which carries the peers that it was resolved with. */
function keyOf(name: string): string {
  if (name in packages) return name;
  const found = Object.keys(packages).find((key) => key.startsWith(`${name}@`) || key.startsWith(`${name}_`));
  if (found === undefined) throw new Error(`Cannot find ${name} in deno.lock`);
  return found;
}

function component(key: string): Component {
  const [, name = key, version = ""] = key.match(/^(@?[^@]+)@([^_]+)/) ?? [];
  const integrity = packages[key]?.integrity?.replace(/^sha512-/, "");
  const path = name.replace(/^@/, "%40");
  return {
    type: "library",
    "bom-ref": key,
    name,
    version,
    purl: `pkg:npm/${path}@${version}`,
    ...(integrity === undefined ? {} : { hashes: [{ alg: "SHA-512" as const, content: hex(integrity) }] }),
  };
}

function hex(base64: string): string {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).toHex();
}

/** The npm packages that a program's own modules import, as `name@version`. */
export async function importedPackages(entry: string): Promise<readonly string[]> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    stdout: "piped",
    stderr: "null",
  }).output();
  if (!success) throw new Error(`Cannot list the modules of ${entry}`);
  const { modules }: { modules: { npmPackage?: string }[] } = JSON.parse(new TextDecoder().decode(stdout));
  return [...new Set(modules.flatMap(({ npmPackage }) => npmPackage === undefined ? [] : [npmPackage]))]
    .sort();
}
