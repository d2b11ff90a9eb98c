import assert from "@std/assert";
import { dirname, join } from "node:path";
import { newToken } from "../../src/common/http/tokens.ts";
import { HttpProgram } from "../support/http_program.ts";
import { compiled, programCommand, project } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

const decoder = new TextDecoder();

/** Whether this user may make mounts of its own; where there is no such right, there is no image to play either. */
const canMount = permitted && compiled && Deno.build.os === "linux" && Deno.uid() === 0 &&
  new Deno.Command("unshare", { args: ["--mount", "true"], stderr: "null" }).outputSync().success;

/** What the Dockerfile says of the image. */
async function readDockerfile() {
  const text = await Deno.readTextFile(join(project, "deploy/docker/Dockerfile"));
  const field = (pattern: RegExp) => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`the Dockerfile lacks ${pattern}`);
    return found;
  };
  return {
    user: field(/^USER (\d+:\d+)$/m),
    program: field(/^COPY --chmod=0555 \S+\/\$\{PROGRAM\} (\S+)$/m),
    entrypoint: JSON.parse(field(/^ENTRYPOINT (\[.*\])$/m)),
    command: JSON.parse(field(/^CMD (\[.*\])$/m)),
  };
}

/** Lays out a root folder: the program where the image has it, the C library that it asks for, and nothing else. */
async function layOut(root: string, executable: string, destination: string): Promise<void> {
  const copy = async (from: string, to: string) => {
    await Deno.mkdir(join(root, dirname(to)), { recursive: true });
    await Deno.copyFile(from, join(root, to));
  };
  await copy(executable, destination);
  await Deno.chmod(join(root, destination), 0o555);
  const { stdout } = await new Deno.Command("ldd", { args: [executable] }).output();
  for (const [library] of decoder.decode(stdout).matchAll(/\/\S+/g)) {
    await copy(await Deno.realPath(library), library);
  }
  await Deno.mkdir(join(root, "proc"));
}

/** Makes the root read-only, takes all rights, and becomes the program; what an engine does with an image. */
const enter = `
set -eu
root=$1 user=$2 tokens=$3; shift 3
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount -o remount,ro,bind "$root"
exec setpriv --no-new-privs env -i MCP_TOKENS_FILE="$tokens" DB_PORT=1 MCP_ALLOWED_HOSTS=127.0.0.1 \\
  "$(command -v chroot)" --userspec="$user" --groups= "$root" "$@"
`;

Deno.test({
  name:
    "the image's layout: the executable and its C library, read-only, as a user without rights, answers over HTTP",
  ignore: !canMount,
  async fn(t) {
    const image = await readDockerfile();
    assert.deepEqual(image.entrypoint, [image.program]);
    assert.deepEqual(image.command, ["--http", "0.0.0.0:8080"]);
    const root = await Deno.makeTempDir({ prefix: "image-" });
    try {
      await Deno.chmod(root, 0o755);
      await layOut(root, programCommand().command, image.program);
      const { token, line } = newToken("alice");
      await Deno.writeTextFile(join(root, "tokens"), line);
      await using program = await HttpProgram.start({
        command: {
          command: "unshare",
          args: ["--mount", "sh", "-c", enter, "sh", root, image.user, "/tokens", image.program],
        },
        address: "0.0.0.0:0",
      });
      await t.step("it has the user of the image, and no way to more", async () => {
        const { stdout } = await new Deno.Command("grep", {
          args: ["-E", "^(Uid|Groups|NoNewPrivs):", `/proc/${program.pid}/status`],
        }).output();
        const [uid] = image.user.split(":");
        assert.equal(
          decoder.decode(stdout).replaceAll(/[ \t]+/g, " "),
          `Uid: ${uid} ${uid} ${uid} ${uid}\nGroups: \nNoNewPrivs: 1\n`,
        );
      });
      await t.step("its root file system is read-only", async () => {
        const { stdout } = await new Deno.Command("cat", { args: [`/proc/${program.pid}/mounts`] }).output();
        assert.match(decoder.decode(stdout), /^\S+ \/ \S+ ro,/m);
      });
      await t.step("it is alive, and lists its tools to who has a token", async () => {
        const health = await program.get("/healthz");
        assert.equal(health.status, 200);
        await health.body?.cancel();
        const refused = await program.send("tools/list");
        assert.equal(refused.status, 401);
        await refused.body?.cancel();
        const { result } = await program.ask("tools/list", {}, {
          headers: { authorization: `Bearer ${token}` },
        });
        assert.match(JSON.stringify(result), /"query_database"/);
      });
      await t.step("a call that needs its parser answers", async () => {
        const { result } = await program.ask("tools/call", {
          name: "query_database",
          arguments: { sql: "DROP TABLE todos" },
        }, { headers: { authorization: `Bearer ${token}` } });
        assert.match(JSON.stringify(result), /DROP/);
      });
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
});
