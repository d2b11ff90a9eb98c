/** Runs what docs/deploying.md says, in a copy of deploy/ and with the programs from source. */
import { join } from "node:path";
import { programCommand, project } from "./mcp.ts";

/** A copy of deploy/, removed when disposed. */
export interface DeployCopy extends AsyncDisposable {
  readonly path: string;
}

/** The guide's commands. */
export interface Guide extends DeployCopy {
  /** Runs each shell block of a section, in that folder of the checkout; those that need an engine or a network are left. */
  run(section: string, variables: Readonly<Record<string, string>>, folder?: string): Promise<void>;
}

/** A folder with a copy of deploy/. */
export async function copyOfDeploy(): Promise<DeployCopy> {
  const path = await Deno.makeTempDir({ prefix: "deploy-" });
  await new Deno.Command("cp", { args: ["-r", join(project, "deploy"), path] }).output();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** A checkout as the guide wants it, against that cluster. */
export async function followGuide(kubeconfig: string): Promise<Guide> {
  const copy = await copyOfDeploy();
  const text = await Deno.readTextFile(join(project, "docs/deploying.md"));
  const { command, args } = programCommand([], "platform");
  await Deno.mkdir(join(copy.path, "dist"));
  const words = [command, ...args].map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(
    join(copy.path, "dist/platform-mcp"),
    `#!/bin/sh\ncd '${project}' && exec ${words} "$@"\n`,
    { mode: 0o755 },
  );
  return {
    ...copy,
    async run(section, variables, folder = ".") {
      for (const block of shellBlocks(text, section)) {
        const { success, stdout, stderr } = await new Deno.Command("bash", {
          args: ["-euo", "pipefail", "-c", block],
          cwd: join(copy.path, folder),
          env: {
            ...variables,
            KUBECONFIG: kubeconfig,
            PATH: `${Deno.env.get("KUBEBUILDER_ASSETS") ?? ""}:${Deno.env.get("PATH") ?? ""}`,
          },
          stdin: "null",
        }).output();
        if (success) continue;
        const decoder = new TextDecoder();
        throw new Error(`${block}\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
      }
    },
  };
}

function shellBlocks(text: string, section: string): readonly string[] {
  const [, body] = new RegExp(`^##+ ${section}\\n([\\s\\S]*?)(?=^##|(?![\\s\\S]))`, "m").exec(text) ?? [];
  const blocks = [...(body ?? "").matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = ""]) => block)
    .filter((block) => /^ *kubectl /m.test(block));
  if (blocks.length === 0) throw new Error(`docs/deploying.md has no commands for kubectl in: ${section}`);
  return blocks;
}
