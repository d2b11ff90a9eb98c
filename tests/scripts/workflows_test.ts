import assert from "@std/assert";
import { parse } from "yaml";
import { permitted } from "../support/permitted.ts";

const workflows = new URL("../../.github/workflows/", import.meta.url);

interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly steps: readonly { uses?: string; run?: string }[] }>>;
}

async function read(name: string): Promise<Workflow> {
  return parse(await Deno.readTextFile(new URL(name, workflows)));
}

Deno.test({
  name: "every action of a workflow is pinned by its hash, and a workflow starts without rights to write",
  ignore: !permitted,
  async fn(t) {
    for (const name of ["ci.yml", "release.yml"]) {
      await t.step(name, async () => {
        const { permissions, jobs } = await read(name);
        assert.deepEqual(permissions, { contents: "read" });
        const actions = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ uses }) => uses ?? []));
        assert.ok(actions.length > 0);
        for (const action of actions) assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
      });
    }
  },
});

/** The linters are for who changes these files; CI does not have them. */
async function lints(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  const decoder = new TextDecoder();
  return code === 0 ? "" : decoder.decode(stdout) + decoder.decode(stderr);
}

function onPath(command: string): boolean {
  if (!permitted) return false;
  const folders = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  return folders.some((folder) => {
    try {
      return Deno.statSync(`${folder}/${command}`).isFile;
    } catch {
      return false;
    }
  });
}

const pathOf = (url: URL) => decodeURIComponent(url.pathname);

Deno.test("actionlint finds nothing in the workflows", { ignore: !onPath("actionlint") }, async () => {
  const files = ["ci.yml", "release.yml"].map((name) => pathOf(new URL(name, workflows)));
  assert.equal(await lints("actionlint", files), "");
});

Deno.test("shellcheck finds nothing in the scripts", { ignore: !onPath("shellcheck") }, async () => {
  const files = ["../../scripts/install.sh", "../../.ci/run"].map((name) =>
    pathOf(new URL(name, import.meta.url))
  );
  assert.equal(await lints("shellcheck", files), "");
});

Deno.test("hadolint finds nothing in the Dockerfile", { ignore: !onPath("hadolint") }, async () => {
  const path = pathOf(new URL("../../deploy/docker/Dockerfile", import.meta.url));
  assert.equal(await lints("hadolint", [path]), "");
});
