/** How kubernetes-mcp logs in, as a client starts it: from source, or what `TEST_PROGRAMS` holds. */
import assert from "@std/assert";
import { buildProgram } from "../../scripts/build.ts";
import { narrow, permissionFlags, permissionSet } from "../../scripts/permissions.ts";
import { programs } from "../../scripts/programs.ts";
import { kubernetesAvailable, sharedKubernetes, type TestKubernetes } from "../support/kubernetes.ts";
import { type CommandLine, compiled, programCommand, RawClient } from "../support/mcp.ts";
import { until } from "../support/until.ts";

const program = "kubernetes";
const rbac = new URL("../../deploy/kubernetes/", import.meta.url);

/** A folder with a credential plugin of that name, which writes down what it was given. */
async function plugin(kubernetes: TestKubernetes, name: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "plugin-" });
  const answer = JSON.stringify({
    kind: "ExecCredential",
    apiVersion: "client.authentication.k8s.io/v1",
    status: { token: kubernetes.adminToken },
  });
  const body = `cd ${folder}; echo run >>runs; env >environment; echo '${answer}'`;
  await Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return folder;
}

async function runs(folder: string): Promise<number> {
  const text = await Deno.readTextFile(`${folder}/runs`).catch(() => "");
  return text.split("\n").length - 1;
}

function kubeconfigWith(kubernetes: TestKubernetes, command: string): Promise<string> {
  return kubernetes.kubeconfigFor({
    exec: { apiVersion: "client.authentication.k8s.io/v1", command, interactiveMode: "IfAvailable" },
  });
}

/** Asks for pods in a program with that kubeconfig and that folder first on its PATH. */
async function askPods(
  kubeconfig: string,
  folder: string,
  command: CommandLine = programCommand([], program),
) {
  await using client = await RawClient.connect({
    command,
    variables: {
      KUBECONFIG: kubeconfig,
      PATH: `${folder}:/usr/bin:/bin`,
      AWS_PROFILE: "shop",
      MAX_OUTPUT_BYTES: "20000",
    },
  });
  const first = await client.call("get_pods", {});
  const second = await client.call("get_services", {});
  return { first, second, said: first.text + second.text + client.stderr };
}

Deno.test({
  name: "kubernetes-mcp and credential plugins",
  ignore: !kubernetesAvailable || Deno.build.os === "windows",
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const aws = await plugin(kubernetes, "aws");
    await t.step(
      "one that the run permission lists logs in, once, and sees none of our variables",
      async () => {
        const { first, second, said } = await askPods(await kubeconfigWith(kubernetes, "aws"), aws);
        assert.equal(first.isError, false, first.text);
        assert.equal(second.isError, false, second.text);
        assert.equal(await runs(aws), 1);
        const names = (await Deno.readTextFile(`${aws}/environment`)).split("\n")
          .map((line) => line.replace(/=.*/, ""));
        for (const name of ["PATH", "AWS_PROFILE", "KUBERNETES_EXEC_INFO"]) {
          assert.ok(names.includes(name), name);
        }
        for (const name of ["MAX_OUTPUT_BYTES", "NO_COLOR", "DENO_DIR"]) {
          assert.ok(!names.includes(name), name);
        }
        assert.ok(!said.includes(kubernetes.adminToken));
      },
    );
    await t.step("one that it does not list is never started", async () => {
      const other = await plugin(kubernetes, "other-login");
      for (const command of ["other-login", `${other}/other-login`]) {
        const { first } = await askPods(await kubeconfigWith(kubernetes, command), other);
        assert.equal(first.isError, true);
        assert.match(
          first.text,
          /"other-login" is not on the PATH, or not among the programs that this one may start/,
        );
      }
      assert.equal(await runs(other), 0);
      await Deno.remove(other, { recursive: true });
    });
    await t.step("in a build that names a path no other file of that name is started", async () => {
      const impostor = await plugin(kubernetes, "aws");
      const command = await hardened(`${aws}/aws`);
      const kubeconfig = await kubeconfigWith(kubernetes, "aws");
      const before = await runs(aws);
      assert.equal((await askPods(kubeconfig, impostor, command.line)).first.isError, true);
      assert.equal((await askPods(kubeconfig, aws, command.line)).first.isError, false);
      assert.deepEqual([await runs(impostor), await runs(aws)], [0, before + 1]);
      for (const folder of [impostor, command.folder]) {
        await Deno.remove(folder, { recursive: true });
      }
    });
    await Deno.remove(aws, { recursive: true });
  },
});

/** The program, from source or compiled, with the run permission narrowed to one path. */
async function hardened(path: string): Promise<{ readonly line: CommandLine; readonly folder: string }> {
  const folder = await Deno.makeTempDir({ prefix: "hardened-" });
  const flags = permissionFlags(narrow(permissionSet(program), "run", [path]));
  if (!compiled) {
    const { command, args } = programCommand([], program);
    const line = { command, args: args.flatMap((word) => word.startsWith("-P") ? flags : [word]) };
    return { line, folder };
  }
  const one = programs.find(({ permissions }) => permissions === program);
  if (one === undefined) throw new Error(`There is no program ${program}`);
  const output = `${folder}/kubernetes-mcp`;
  await buildProgram({ program: one, flags, target: undefined, output, say: () => {} });
  return { line: { command: output, args: [] }, folder };
}

Deno.test({
  name: "kubernetes-mcp under its own service account, and under a client certificate",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    for (const file of ["namespace.yaml", "rbac.yaml"]) {
      await kubernetes.apply(await Deno.readTextFile(new URL(file, rbac)));
    }
    const token = (await kubernetes.kubectl("create", "token", "kubernetes-mcp", "--namespace=mcp")).trim();
    const tokenFile = await Deno.makeTempFile({ dir: kubernetes.folder });
    await Deno.writeTextFile(tokenFile, token);
    await t.step("a token in a file: what the role lists is read, and secrets are not", async () => {
      await using client = await RawClient.connect({
        program,
        variables: { KUBECONFIG: await kubernetes.kubeconfigFor({ tokenFile }), RATE_LIMIT_PER_MINUTE: "0" },
      });
      await until("the binding", async () => !(await client.call("get_nodes", {})).isError);
      assert.match((await client.call("get_nodes", {})).text, /node-0/);
      const refused = await client.call("list_resources", { kind: "secrets" });
      assert.equal(refused.isError, true);
      assert.match(
        refused.text,
        /"system:serviceaccount:mcp:kubernetes-mcp" lacks the right to list secrets/,
      );
      assert.ok(!client.stderr.includes(token));
    });
    await t.step("a client certificate in files", async () => {
      const { cert, key } = await kubernetes.clientCertificate("jane", { groups: ["system:masters"] });
      const folder = await Deno.makeTempDir({ dir: kubernetes.folder });
      await Deno.writeTextFile(`${folder}/c.crt`, cert);
      await Deno.writeTextFile(`${folder}/c.key`, key);
      const user = { "client-certificate": `${folder}/c.crt`, "client-key": `${folder}/c.key` };
      await using client = await RawClient.connect({
        program,
        variables: { KUBECONFIG: await kubernetes.kubeconfigFor(user) },
      });
      const { isError, text } = await client.call("get_nodes", {});
      assert.equal(isError, false, text);
    });
  },
});
