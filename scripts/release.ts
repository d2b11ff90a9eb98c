/**
 * `deno task release`: puts the executables of one platform into archives and MCP bundles; with `--finish`, writes what
 * belongs to all of them: bills of materials, the registry's entries, the installer, release notes, checksums.
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Environment } from "../src/common/env.ts";
import { createLogger } from "../src/common/log.ts";
import { version } from "../src/common/version.ts";
import { billOfMaterials, importedPackages } from "./release/bill_of_materials.ts";
import { bundleManifest } from "./release/bundle.ts";
import { releaseNotes } from "./release/notes.ts";
import { type Platform, platforms } from "./release/platforms.ts";
import { registryEntry } from "./release/registry_entry.ts";
import { programs } from "./programs.ts";

const help = `Builds the files of a release.

Usage: deno task release --platform NAME [--program NAME] [--from DIR] [--output DIR]
       deno task release --finish --repository OWNER/NAME [--output DIR]

  --platform NAME     ${platforms.map(({ name }) => name).join(", ")}
  --program NAME      one program instead of all, such as postgres-mcp
  --from DIR          where the executables of that platform are [dist]
  --output DIR        [release]
  --finish            write the files common to all platforms, once their archives exist
  --repository        where the release will be downloaded from
`;

const project = fileURLToPath(new URL("..", import.meta.url));
const bundler = "npm:@anthropic-ai/mcpb@2.1.2";

class UsageError extends Error {}

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { success, stderr, stdout } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (success) return;
  const decoder = new TextDecoder();
  throw new Error(`Cannot run ${command}: ${decoder.decode(stderr).trim() || decoder.decode(stdout).trim()}`);
}

/** One archive and one bundle per program. */
async function pack(
  platform: Platform,
  only: string | undefined,
  from: string,
  output: string,
): Promise<void> {
  await Deno.mkdir(output, { recursive: true });
  const environment = new Environment({ get: () => undefined, readFile: () => "" });
  for (const { name, load } of programs) {
    if (only !== undefined && only !== name) continue;
    const executable = join(from, `${name}${platform.executable}`);
    const title = `${name}-${version}-${platform.name}`;
    const workshop = await Deno.makeTempDir({ prefix: "release-" });
    try {
      const folder = join(workshop, title);
      await Deno.mkdir(folder);
      await Deno.copyFile(executable, join(folder, `${name}${platform.executable}`));
      for (const text of ["README.md", "LICENSE"]) {
        await Deno.copyFile(join(project, text), join(folder, text));
      }
      const archive = `${title}${platform.bundle === "win32" ? ".zip" : ".tar.gz"}`;
      if (platform.bundle === "win32") await run("zip", ["-qrX", archive, title], workshop);
      else {
        const same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"];
        await run("tar", [...same, "-czf", archive, title], workshop);
      }
      await Deno.copyFile(join(workshop, archive), join(output, archive));

      const bundle = join(workshop, "bundle");
      await Deno.mkdir(join(bundle, "server"), { recursive: true });
      await Deno.copyFile(executable, join(bundle, "server", `${name}${platform.executable}`));
      const { program } = await load();
      const backend = await program.open(environment, createLogger("off"));
      const manifest = bundleManifest(program, backend.tools, platform);
      await backend.close();
      await Deno.writeTextFile(join(bundle, "manifest.json"), JSON.stringify(manifest, null, 2));
      const mcpb = ["run", "--allow-all", "--quiet", "--no-lock", "--no-config", bundler];
      await run(Deno.execPath(), [...mcpb, "validate", join(bundle, "manifest.json")], workshop);
      await run(Deno.execPath(), [...mcpb, "pack", bundle, join(workshop, `${title}.mcpb`)], workshop);
      await Deno.copyFile(join(workshop, `${title}.mcpb`), join(output, `${title}.mcpb`));
      say(`${archive}, ${title}.mcpb`);
    } finally {
      await Deno.remove(workshop, { recursive: true });
    }
  }
}

async function finish(repository: string, output: string): Promise<void> {
  const downloads = `https://github.com/${repository}/releases/download/v${version}`;
  for (const { name, entry, load } of programs) {
    const packages = await importedPackages(join(project, entry));
    const bill = billOfMaterials(name, version, packages, Deno.version.deno);
    await Deno.writeTextFile(join(output, `${name}-${version}.cdx.json`), JSON.stringify(bill, null, 2));
    const bundles = [];
    for (const file of await filesIn(output)) {
      if (!file.startsWith(`${name}-${version}-`) || !file.endsWith(".mcpb")) continue;
      bundles.push({ file, sha256: await sha256(join(output, file)) });
    }
    const registered = registryEntry((await load()).program, bundles, repository, downloads);
    await Deno.writeTextFile(join(output, `${name}.server.json`), JSON.stringify(registered, null, 2));
  }
  const installer = await Deno.readTextFile(join(project, "scripts/install.sh"));
  const released = `https://github.com/${repository}/releases/download`;
  const placed = installer.replace(/^default_releases=.*$/m, `default_releases="${released}"`)
    .replace(/^default_version=.*$/m, `default_version="${version}"`);
  await Deno.writeTextFile(join(output, "install.sh"), placed);
  const changelog = await Deno.readTextFile(join(project, "CHANGELOG.md"));
  // Beside the folder: all that is in it is downloaded.
  await Deno.writeTextFile(`${output}-notes.md`, releaseNotes(changelog, version));

  const lines = [];
  for (const file of await filesIn(output)) {
    if (file !== "SHA256SUMS") lines.push(`${await sha256(join(output, file))}  ${file}\n`);
  }
  await Deno.writeTextFile(join(output, "SHA256SUMS"), lines.join(""));
  say(`SHA256SUMS of ${lines.length} files`);
}

async function filesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

async function sha256(path: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await Deno.readFile(path))).toHex();
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      platform: { type: "string" },
      program: { type: "string" },
      from: { type: "string", default: "dist" },
      output: { type: "string", default: "release" },
      finish: { type: "boolean", default: false },
      repository: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return say(help.trimEnd());
  if (values.finish) {
    if (!/^[\w.-]+\/[\w.-]+$/.test(values.repository ?? "")) {
      throw new UsageError("--finish needs --repository OWNER/NAME");
    }
    return await finish(values.repository ?? "", values.output);
  }
  const platform = platforms.find(({ name }) => name === values.platform);
  if (platform === undefined) {
    throw new UsageError(`--platform must be one of ${platforms.map(({ name }) => name).join(", ")}`);
  }
  if (values.program !== undefined && !programs.some(({ name }) => name === values.program)) {
    throw new UsageError(`--program must be one of ${programs.map(({ name }) => name).join(", ")}`);
  }
  await pack(platform, values.program, values.from, values.output);
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    Deno.stderr.writeSync(new TextEncoder().encode(`${message}\n`));
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}
