import assert from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { explainCompile, flagLines, inAscii } from "../../scripts/build.ts";
import { permitted } from "../support/permitted.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));

async function run(
  command: string,
  args: string[],
  options: { input?: string; env?: Record<string, string> } = {},
) {
  const child = new Deno.Command(command, {
    args,
    cwd: project,
    env: { NO_COLOR: "1", ...options.env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(options.input ?? "")).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

const compile = (args: string[], env: Record<string, string> = {}) =>
  run(Deno.execPath(), ["task", "--quiet", "compile", ...args], { env });

const nonsense = [
  { args: ["--bogus"], says: /--bogus.*: --help lists them/ },
  { args: ["postgres-mcp"], says: /the programs are postgres, prometheus, kubernetes, platform/ },
  { args: ["--net"], says: /--net/ },
  { args: ["--run=ls"], says: /can only narrow/ },
  { args: ["kubernetes", "--run=/usr/bin/ls"], says: /can only narrow, and "\/usr\/bin\/ls" is not granted/ },
  { args: ["--target=toaster"], says: /the platforms are .*x86_64-unknown-linux-gnu/ },
];
for (const { args, says } of nonsense) {
  Deno.test(`deno task compile ${args.join(" ")}: one line and exit 2`, { ignore: !permitted }, async () => {
    const { code, stdout, stderr } = await compile(args);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, says);
    assert.equal(stderr.trimEnd().split("\n").length, 1);
  });
}

Deno.test("the flags that are built in are told in lines that can be read, and whole", () => {
  const names = Array.from({ length: 40 }, (_, at) => `A_VARIABLE_OF_OURS_${at}`);
  const lines = flagLines(`--allow-env=${names.join(",")}`);
  assert.ok(lines.length > 1 && lines.every((line) => line.length <= 100 && /^ {2}\S| {4}\S/.test(line)));
  assert.equal(
    lines.map((line) => line.trim()).join("").replaceAll(" ", ""),
    `--allow-env=${names.join(",")}`,
  );
  assert.deepEqual(flagLines("--allow-net"), ["  --allow-net"]);
});

Deno.test("a program in ASCII alone finds the same", () => {
  const script =
    'return [/^[‘’„«]…/.test("‘…"), /^[\u{1f600}-😂]$/u.test("😁"), /[a-zµ]+/.exec("5 µs")[0], `é😀`]';
  const ascii = inAscii(script);
  assert.match(ascii, /^[\x20-\x7e]+$/);
  assert.deepEqual(new Function(ascii)(), new Function(script)());
});

const unreachable = [
  `    0: Setting up base binary.
    1: error sending request for url (https://dl.deno.land/release/v2.9.6/denort-x86_64-apple-darwin.zip): dns error`,
  `Download https://dl.deno.land/release/v2.7.14/denort-x86_64-apple-darwin.zip
error: Setting up base binary.`,
];
for (const complaint of unreachable) {
  Deno.test(`a runtime that can't be downloaded is explained: ${complaint.slice(0, 20).trim()}…`, () => {
    assert.match(
      explainCompile(complaint),
      /^Cannot download Deno's runtime: https:\S+\/denort-x86_64-apple-darwin\.zip .*DENORT_BIN/,
    );
  });
}

Deno.test("a build that fails leaves nothing half-written", { ignore: !permitted }, async () => {
  const folder = await Deno.makeTempDir();
  try {
    const output = join(folder, "postgres-mcp");
    const { code, stderr } = await compile(["postgres", "--output", output], {
      DENO_COMPILE: join(folder, "deno"),
    });
    assert.equal(code, 1);
    assert.match(stderr, /Cannot run .*deno/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const request = (id: number, method: string, params: unknown) =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });
const conversation = [
  request(1, "initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  }),
  `{"jsonrpc":"2.0","method":"notifications/initialized"}`,
  request(2, "tools/call", { name: "query_database", arguments: { sql: "DELETE FROM todos" } }),
].join("\n") + "\n";

Deno.test({
  name: "a build without any permission but its environment starts, and its parser refuses a DELETE",
  // Without DENORT_BIN it needs a network that reaches Deno's downloads.
  ignore: !permitted || (Deno.env.get("DENORT_BIN") === undefined && Deno.env.get("CI") === undefined),
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const output = join(folder, "postgres-mcp");
      const build = await compile(["postgres", "--output", output, "--net=none", "--read=none", "--write="]);
      assert.equal(build.code, 0, build.stderr);
      assert.match(build.stdout, /\d MB {2}\d/);
      assert.doesNotMatch(build.stdout, /--allow-(net|read|write|run)/);
      assert.deepEqual([...Deno.readDirSync(folder)].map((entry) => entry.name), ["postgres-mcp"]);

      assert.equal((await run(output, ["--version"])).stdout, `postgres-mcp ${manifest.version}\n`);
      const { code, stdout } = await run(output, [], { input: conversation });
      assert.equal(code, 0);
      const answer = stdout.trimEnd().split("\n").map((line) => JSON.parse(line)).find(({ id }) => id === 2);
      assert.equal(answer.result.isError, true);
      assert.match(answer.result.content[0].text, /SELECT|DELETE/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
