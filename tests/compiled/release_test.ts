import assert from "@std/assert";
import { join } from "node:path";
import { version } from "../../src/common/version.ts";
import { compiled, project } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

const programs = permitted ? Deno.env.get("TEST_PROGRAMS") ?? "" : "";
const ignore = !permitted || !compiled || Deno.build.os !== "linux";
const platform = `linux-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}`;

async function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd: project,
    env: { ...env },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Serves the files of a folder on loopback, as a release page does. */
function serveFolder(folder: string): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const file = join(folder, new URL(request.url).pathname.slice(1));
    try {
      return new Response((await Deno.open(file)).readable);
    } catch {
      return new Response("there is no such file", { status: 404 });
    }
  });
}

Deno.test({
  name: "a release: archives, bundles, checksums, and an installer that trusts only what they say",
  ignore,
  async fn(t) {
    const folder = await Deno.makeTempDir({ prefix: "release-test-" });
    const release = join(folder, "release");
    try {
      const packed = await run(Deno.execPath(), [
        ...["task", "--quiet", "release", "--platform", platform, "--program", "postgres-mcp"],
        ...["--from", programs, "--output", release],
      ]);
      assert.equal(packed.code, 0, packed.text);
      const finished = await run(Deno.execPath(), [
        ...["task", "--quiet", "release", "--finish", "--repository", "example/mcp", "--output", release],
      ]);
      assert.equal(finished.code, 0, finished.text);

      await t.step("the checksums are those of the files", async () => {
        const { code, text } = await run("sh", [
          "-c",
          'cd "$1" && sha256sum --check --strict SHA256SUMS',
          "sh",
          release,
        ]);
        assert.equal(code, 0, text);
        const listed = (await Deno.readTextFile(join(release, "SHA256SUMS"))).trim().split("\n");
        assert.equal(listed.length, (await Array.fromAsync(Deno.readDir(release))).length - 1);
      });
      await t.step("the registry's entry names each bundle by its checksum", async () => {
        const entry = JSON.parse(await Deno.readTextFile(join(release, "postgres-mcp.server.json")));
        assert.equal(entry.name, "io.github.example/postgres-mcp");
        assert.ok(entry.description.length <= 100);
        const [bundle] = entry.packages;
        assert.ok(bundle.identifier.endsWith(`/v${version}/postgres-mcp-${version}-${platform}.mcpb`));
        const sums = await Deno.readTextFile(join(release, "SHA256SUMS"));
        assert.ok(sums.includes(`${bundle.fileSha256}  postgres-mcp-${version}-${platform}.mcpb\n`));
      });
      await t.step("the bill of materials lists what is inside, and nothing of the tests", async () => {
        const bill = JSON.parse(await Deno.readTextFile(join(release, `postgres-mcp-${version}.cdx.json`)));
        const names = bill.components.map(({ name }: { name: string }) => name);
        for (const name of ["deno", "libpg-query", "@modelcontextprotocol/server", "zod"]) {
          assert.ok(names.includes(name), name);
        }
        for (const name of ["fast-check", "oidc-provider", "@electric-sql/pglite"]) {
          assert.ok(!names.includes(name), name);
        }
      });

      await using server = serveFolder(release);
      const releases = `http://127.0.0.1:${server.addr.port}`;
      const bin = join(folder, "bin");
      const install = (...names: string[]) =>
        run("sh", [join(release, "install.sh"), ...names], { MCP_RELEASES: releases, MCP_BIN: bin });
      await t.step("installs, and the program runs", async () => {
        const { code, text } = await install("postgres-mcp");
        assert.equal(code, 0, text);
        assert.match(text, /--print-config claude-code/);
        const installed = await run(join(bin, "postgres-mcp"), ["--version"]);
        assert.equal(installed.text, `postgres-mcp ${version}\n`);
      });
      await t.step("a tampered archive is refused, and the installed program stays", async () => {
        const archive = join(release, `postgres-mcp-${version}-${platform}.tar.gz`);
        const before = await Deno.stat(join(bin, "postgres-mcp"));
        const bytes = await Deno.readFile(archive);
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
        await Deno.writeFile(archive, bytes);
        const { code, text } = await install("postgres-mcp");
        assert.equal(code, 1);
        assert.match(text, /checksum of postgres-mcp-.* is not the one in SHA256SUMS: nothing was installed/);
        const after = await Deno.stat(join(bin, "postgres-mcp"));
        assert.equal(after.mtime?.getTime(), before.mtime?.getTime());
        assert.deepEqual((await Array.fromAsync(Deno.readDir(bin))).map(({ name }) => name), [
          "postgres-mcp",
        ]);
      });
      await t.step(
        "without MCP_RELEASES it asks the project's own, for the version that is wanted",
        async () => {
          const stub = join(folder, "stub");
          await Deno.mkdir(stub);
          await Deno.writeTextFile(join(stub, "curl"), '#!/bin/sh\necho "asked: $*"\nexit 22\n', {
            mode: 0o755,
          });
          const { code, text } = await run("sh", [join(release, "install.sh")], {
            PATH: `${stub}:/usr/bin:/bin`,
            MCP_VERSION: "9.9.9",
            MCP_BIN: bin,
          });
          assert.equal(code, 1);
          assert.match(
            text,
            /asked: .* https:\/\/github\.com\/example\/mcp\/releases\/download\/v9\.9\.9\/SHA256SUMS\n/,
          );
        },
      );
      await t.step("a script that was cut while it was downloaded does nothing", async () => {
        const whole = await Deno.readTextFile(join(release, "install.sh"));
        const cut = join(folder, "cut.sh");
        await Deno.writeTextFile(cut, whole.slice(0, whole.lastIndexOf("}")));
        const before = await Array.fromAsync(Deno.readDir(bin));
        const { code, text } = await run("sh", [cut], { MCP_RELEASES: releases, MCP_BIN: bin });
        assert.notEqual(code, 0);
        assert.ok(!text.includes("Downloading"), text);
        assert.deepEqual(await Array.fromAsync(Deno.readDir(bin)), before);
      });
      await t.step("an unknown program, an archive that is not there", async () => {
        const unknown = await install("mysql-mcp");
        assert.equal(unknown.code, 1);
        assert.match(unknown.text, /there is no mysql-mcp: the programs are postgres-mcp/);
        const absent = await run("sh", [join(release, "install.sh"), "postgres-mcp"], {
          MCP_RELEASES: releases,
          MCP_VERSION: "9.9.9",
          MCP_BIN: bin,
        });
        assert.equal(absent.code, 1);
        assert.match(absent.text, /SHA256SUMS does not list postgres-mcp-9\.9\.9/);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
