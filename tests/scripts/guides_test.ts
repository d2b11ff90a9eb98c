import assert from "@std/assert";
import { dirname, join } from "node:path";
import { project, RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { databaseAvailable } from "../support/test_database.ts";

/** A tree of its own that is the project with what a guide of `docs/` adds to it; removed when disposed. */
async function follow(guide: string): Promise<{ readonly folder: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "guide-" });
  for (const name of ["deno.json", "deno.lock"]) {
    await Deno.copyFile(join(project, name), join(folder, name));
  }
  for (const path of ["src", "tests/support", "scripts"]) {
    await copyTree(join(project, path), join(folder, path));
  }
  const page = await Deno.readTextFile(join(project, "docs", guide));
  const steps = [
    ...page.matchAll(/<!-- (file|after|merge): (\S+?)(?:: (.+?))? -->\n\n```\w+\n([\s\S]*?)```/g),
  ];
  assert.ok(steps.length > 0);
  for (const [, step, path = "", line = "", text = ""] of steps) {
    const file = join(folder, path);
    if (step === "file") {
      await Deno.mkdir(dirname(file), { recursive: true });
      await Deno.writeTextFile(file, text);
      continue;
    }
    const before = await Deno.readTextFile(file);
    if (step === "merge") {
      await Deno.writeTextFile(file, JSON.stringify(merged(JSON.parse(before), JSON.parse(text))));
      continue;
    }
    assert.equal(before.split(`${line}\n`).length, 2, `${path} has not one line ${line}`);
    await Deno.writeTextFile(file, before.replace(`${line}\n`, (found) => `${found}${text}`));
  }
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

type Json = Readonly<Record<string, unknown>>;

/** Objects by their names; what is none is replaced. */
function merged(into: Json, more: Json): Json {
  const isObject = (value: unknown): value is Json =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const entries = Object.entries(more).map(([name, value]) => {
    const before = into[name];
    return [name, isObject(before) && isObject(value) ? merged(before, value) : value];
  });
  return { ...into, ...Object.fromEntries(entries) };
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyTree(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}

async function deno(folder: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout) + decoder.decode(stderr);
  assert.equal(code, 0, text);
  return text;
}

/** Starts a program of that tree as its task does. */
const launch = (folder: string, name: string, variables: Readonly<Record<string, string>> = {}) =>
  RawClient.launch({
    command: {
      command: Deno.execPath(),
      args: ["run", "--quiet", "--no-prompt", `-P=${name}`, `src/${name}.ts`],
    },
    cwd: folder,
    variables,
  });

async function toolNames(client: RawClient): Promise<readonly string[]> {
  const { result } = await client.request("tools/list");
  // The assertions that follow find out whether it has this shape.
  return (result?.tools as { readonly name: string }[]).map(({ name }) => name);
}

Deno.test({
  name: "docs/adding-a-tool.md: the tool type-checks, its test passes, and the program lists it",
  ignore: !permitted || !databaseAvailable,
  async fn() {
    await using guide = await follow("adding-a-tool.md");
    const { folder } = guide;
    const test = ["test", "--quiet", "--no-prompt", "-P=test", "--doc=false"];
    assert.match(await deno(folder, ...test, "tests/postgres/list_extensions_test.ts"), /1 passed/);
    await using client = launch(folder, "postgres");
    await client.initialize();
    assert.ok((await toolNames(client)).includes("list_extensions"));
  },
});

Deno.test({
  name: "docs/adding-a-server.md: the server type-checks, answers, and has what every server has",
  ignore: !permitted,
  async fn() {
    await using guide = await follow("adding-a-server.md");
    const { folder } = guide;
    await deno(folder, "check", "--quiet", "src/clock.ts");
    await using client = launch(folder, "clock", { CLOCK_ZONE: "Asia/Tokyo" });
    await client.initialize();
    assert.deepEqual(await toolNames(client), ["current_time"]);
    assert.match((await client.call("current_time")).text, /^\d.*\(Asia\/Tokyo\)$/);
    await using wrong = launch(folder, "clock", { CLOCK_ZONE: "Atlantis" });
    const { code, stderr } = await wrong.ended;
    assert.equal(code, 2);
    assert.match(stderr, /^clock-mcp: CLOCK_ZONE must be a time zone/);
  },
});
