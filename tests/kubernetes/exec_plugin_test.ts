/** Credential plugins: real programs, started as the kubeconfig says. */
import assert from "@std/assert";
import { relative } from "node:path";
import { pluginFor, type PluginSource, readExecCredential } from "../../src/kubernetes/exec_plugin.ts";
import type { ExecPlugin, KubeconfigCluster } from "../../src/kubernetes/kubeconfig.ts";
import { PluginRunError, runPlugin } from "../../src/kubernetes/plugin_process.ts";
import { podType } from "../../src/kubernetes/well_known.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { permitted } from "../support/permitted.ts";
import { rejection } from "../support/rejection.ts";

const v1 = "client.authentication.k8s.io/v1";
const options = { refused: undefined, signal: new AbortController().signal };
const cluster: KubeconfigCluster = {
  server: "https://one.example",
  tlsServerName: undefined,
  insecureSkipTlsVerify: false,
  proxyUrl: undefined,
  certificateAuthority: { inline: new TextEncoder().encode("a pem").toBase64() },
  execConfig: { audience: "ours" },
};

function credential(status: unknown, apiVersion = v1): string {
  return JSON.stringify({ kind: "ExecCredential", apiVersion, status });
}

interface Script {
  readonly folder: string;
  readonly plugin: ExecPlugin;
}

/** A plugin that is a shell script in a folder of its own. */
async function script(body: string, changes: Partial<ExecPlugin> = {}): Promise<Script> {
  const folder = await Deno.makeTempDir({ prefix: "plugin-" });
  await Deno.writeTextFile(`${folder}/get-token`, `#!/bin/sh\ncd ${folder}\n${body}\n`, { mode: 0o755 });
  return {
    folder,
    plugin: {
      command: `${folder}/get-token`,
      args: [],
      env: {},
      apiVersion: v1,
      installHint: undefined,
      provideClusterInfo: false,
      interactiveMode: "IfAvailable",
      ...changes,
    },
  };
}

function source(
  plugin: ExecPlugin,
  environment: Readonly<Record<string, string>> = {},
  now?: () => number,
): PluginSource {
  return pluginFor(plugin, {
    context: "one",
    cluster,
    environment: { PATH: "/usr/bin:/bin", ...environment },
    readFile: () => "",
    ...(now === undefined ? {} : { now }),
  });
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !permitted, fn });
}

test("a plugin is told what the specification says, gets no input, and of our environment only what is listed", async () => {
  Deno.env.set("SWORDFISH", "a secret of ours");
  const { folder, plugin } = await script(
    `cat >stdin; env >environment; echo "$@" >arguments; echo '${credential({ token: "abc" })}'`,
    { args: ["--cluster", "a b"], env: { REGION: "north" }, provideClusterInfo: true },
  );
  try {
    const { token } = await source(plugin, { HOME: "/home/jane" })(options);
    assert.equal(token, "abc");
    const environment = await Deno.readTextFile(`${folder}/environment`);
    const names = environment.split("\n").map((line) => line.split("=")[0]).filter((name) =>
      /^[A-Z]/.test(name ?? "")
    );
    assert.deepEqual(names.filter((name) => name !== "PWD" && name !== "OLDPWD").sort(), [
      "HOME",
      "KUBERNETES_EXEC_INFO",
      "PATH",
      "REGION",
    ]);
    assert.deepEqual(JSON.parse(environment.match(/^KUBERNETES_EXEC_INFO=(.*)$/m)?.[1] ?? ""), {
      kind: "ExecCredential",
      apiVersion: v1,
      spec: {
        cluster: {
          server: "https://one.example",
          "certificate-authority-data": new TextEncoder().encode("a pem").toBase64(),
          config: { audience: "ours" },
        },
        interactive: false,
      },
    });
    assert.equal(await Deno.readTextFile(`${folder}/stdin`), "");
    assert.equal(await Deno.readTextFile(`${folder}/arguments`), "--cluster a b\n");
  } finally {
    Deno.env.delete("SWORDFISH");
    await Deno.remove(folder, { recursive: true });
  }
});

test("many calls at once share one run, and its credentials until they expire", async () => {
  const { folder, plugin } = await script(
    `echo run >>runs; echo '${credential({ token: "abc", expirationTimestamp: "2030-01-01T00:00:00Z" })}'`,
  );
  let now = Date.parse("2029-12-31T00:00:00Z");
  const runs = async () => (await Deno.readTextFile(`${folder}/runs`)).length / 4;
  try {
    const ask = source(plugin, {}, () => now);
    await Promise.all(Array.from({ length: 20 }, () => ask(options)));
    assert.equal(await runs(), 1);
    now += 3_600_000;
    const refused = await ask(options);
    assert.equal(await runs(), 1);
    // Refused by the apiserver: once more, but not for each of many calls that were refused together.
    await ask({ ...options, refused });
    await ask({ ...options, refused });
    assert.equal(await runs(), 2);
    now = Date.parse("2029-12-31T23:59:55Z");
    await ask(options);
    assert.equal(await runs(), 3);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("who gives up waiting is let go, and the others get their answer", async () => {
  const { folder, plugin } = await script(
    `while [ ! -e go ]; do sleep 0.05; done; echo '${credential({ token: "abc" })}'`,
  );
  try {
    const ask = source(plugin);
    const impatient = new AbortController();
    const given = ask({ refused: undefined, signal: impatient.signal });
    const patient = ask(options);
    impatient.abort(new Error("no longer wanted"));
    await assert.rejects(given, /no longer wanted/);
    await Deno.writeTextFile(`${folder}/go`, "");
    assert.equal((await patient).token, "abc");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const failures: readonly [name: string, body: string, changes: Partial<ExecPlugin>, message: RegExp][] = [
  ["a plugin that fails", "echo swordfish >&2; exit 3", {}, /plugin "get-token" failed with exit code 3$/],
  ["a plugin that writes no JSON", "echo swordfish", {}, /gave no credentials$/],
  [
    "a plugin that answers in another version",
    `echo '${credential({ token: "swordfish" }, "client.authentication.k8s.io/v1beta1")}'`,
    {},
    /gave no credentials$/,
  ],
  ["a plugin without a token", `echo '${credential({})}'`, {}, /gave no credentials$/],
  ["a plugin that writes without end", "exec cat /dev/zero", {}, /wrote too much$/],
  ["an interactive plugin", "exit 0", { interactiveMode: "Always" }, /wants to ask on a terminal/],
  ["an old version", "exit 0", { apiVersion: "client.authentication.k8s.io/v1alpha1" }, /speaks neither/],
  ["a plugin that is not there", "", { command: "/nowhere/swordfish/get-token" }, /not installed/],
  ["a plugin without a command", "", { command: "" }, /has no command/],
];
for (const [name, body, changes, message] of failures) {
  test(`${name} is a clear sentence, without a word of the plugin's`, async () => {
    const { folder, plugin } = await script(body, changes);
    try {
      const error = await rejection(source(plugin)(options));
      assert.match(error.message, message);
      assert.ok(!/swordfish|\/tmp|nowhere/.test(`${error.message} ${error.hint}`));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

test("a known plugin that fails says how to log in again", async () => {
  const { folder, plugin } = await script("exit 255");
  try {
    await Deno.rename(`${folder}/get-token`, `${folder}/aws`);
    const error = await rejection(source({ ...plugin, command: `${folder}/aws` })(options));
    assert.match(error.hint ?? "", /the credentials may have expired: run aws sso login/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("a plugin that is not there: the kubeconfig's own words about it are passed on, in a line without secrets", async () => {
  const { folder, plugin } = await script("", {
    command: "/nowhere/get-token",
    installHint: `Install it:\n\u001b[31m  brew install get-token --token=swordfish\n${"x ".repeat(500)}`,
  });
  try {
    const { hint = "" } = await rejection(source(plugin)(options));
    assert.match(
      hint,
      /^an operator must install it \(Install it: \S*\[31m brew install get-token --token=\*\*\* x .*…\), /,
    );
    // deno-lint-ignore no-control-regex -- these must not be there
    assert.ok(!/[\x00-\x1f]/.test(hint) && hint.length < 600, hint);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("a plugin that takes too long is killed, with what it holds open", async () => {
  const { folder, plugin } = await script("trap '' TERM; echo $$ >pid; sleep 1000 & echo $! >child; wait");
  try {
    await assert.rejects(
      runPlugin(plugin.command, [], { PATH: "/usr/bin:/bin" }, { timeoutMs: 3_000, maxBytes: 1000 }),
      (error: unknown) => error instanceof PluginRunError && error.reason === "timeout",
    );
    const pid = Number(await Deno.readTextFile(`${folder}/pid`));
    assert.throws(() => Deno.kill(pid, "SIGCONT"));
    Deno.kill(Number(await Deno.readTextFile(`${folder}/child`)), "SIGKILL");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an ExecCredential whose token no header can hold, or with half a certificate, is none", () => {
  for (
    const status of [{ token: "a\r\nx-evil: 1" }, { token: "" }, { token: "\u00fc" }, {
      clientKeyData: "key",
    }]
  ) {
    assert.equal(readExecCredential(credential(status), v1), undefined);
  }
});

Deno.test("an ExecCredential with a certificate", () => {
  const credentials = readExecCredential(
    credential({
      clientCertificateData: "cert",
      clientKeyData: "key",
      expirationTimestamp: "2030-01-01T00:00:00+01:00",
    }),
    v1,
  );
  assert.deepEqual(credentials, {
    token: undefined,
    certificate: { cert: "cert", key: "key" },
    expiresAt: Date.parse("2029-12-31T23:00:00Z"),
  });
});

Deno.test({
  name: "a plugin whose token is refused again says how to log in",
  ignore: !kubernetesAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const { folder, plugin } = await script(`echo '${credential({ token: "stale" })}'`);
    await Deno.rename(`${folder}/get-token`, `${folder}/aws`);
    const path = await kubernetes.kubeconfigFor({ exec: { ...plugin, command: `${folder}/aws` } });
    const clusters = kubernetes.clusters({ KUBECONFIG: path, PATH: "/usr/bin:/bin" });
    try {
      const error = await rejection(clusters.cluster(undefined).list(podType, "default", options));
      assert.match(error.message, /does not accept its credentials/);
      assert.match(error.hint ?? "", /^the credentials may have expired: run aws sso login.*then ask again$/);
    } finally {
      clusters.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "a plugin's token opens the cluster, and a refused one is asked for anew",
  ignore: !kubernetesAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const { folder, plugin } = await script(
      `if [ -e again ]; then t=${kubernetes.adminToken}; else t=stale; touch again; fi\n` +
        `echo '{"kind":"ExecCredential","apiVersion":"${v1}","status":{"token":"'$t'"}}'`,
    );
    // A relative command is relative to the kubeconfig.
    const path = await kubernetes.kubeconfigFor({
      exec: {
        ...plugin,
        command: relative(kubernetes.folder, plugin.command),
      },
    });
    const clusters = kubernetes.clusters({ KUBECONFIG: path, PATH: "/usr/bin:/bin" });
    try {
      const { signal } = options;
      assert.ok((await clusters.cluster(undefined).list(podType, "default", { signal })).items.length >= 0);
    } finally {
      clusters.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
