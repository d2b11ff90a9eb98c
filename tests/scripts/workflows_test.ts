import assert from "@std/assert";
import { parse } from "yaml";
import { permitted } from "../support/permitted.ts";

const workflows = new URL("../../.github/workflows/", import.meta.url);

const names = ["ci.yml", "nightly.yml", "release.yml"] as const;

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
    for (const name of names) {
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

/** Where `.github/linters` did not bring them, they are skipped. */
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
  const files = names.map((name) => pathOf(new URL(name, workflows)));
  assert.equal(await lints("actionlint", files), "");
});

Deno.test("shellcheck finds nothing in the scripts", { ignore: !onPath("shellcheck") }, async () => {
  const scripts = ["scripts/install.sh", ".ci/run", ".github/real-parts", ".github/linters"];
  const files = scripts.map((name) => pathOf(new URL(`../../${name}`, import.meta.url)));
  assert.equal(await lints("shellcheck", files), "");
});

Deno.test("each task that a workflow runs is there", { ignore: !permitted }, async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  const { jobs } = parse(await Deno.readTextFile(new URL("nightly.yml", workflows)));
  const named: readonly string[] = jobs.long.strategy.matrix.task;
  assert.deepEqual(named.filter((task) => !(task in tasks)), []);
});

Deno.test("hadolint finds nothing in the Dockerfile", { ignore: !onPath("hadolint") }, async () => {
  const path = pathOf(new URL("../../deploy/docker/Dockerfile", import.meta.url));
  assert.equal(await lints("hadolint", [path]), "");
});
