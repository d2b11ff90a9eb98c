/**
 * A real Kubernetes control plane for tests: etcd, kube-apiserver (RBAC on, every request in an audit log), controller
 * manager and scheduler on free loopback ports, and kwok, which plays the kubelet of two nodes. About six seconds.
 *
 * Programs are taken from `KUBEBUILDER_ASSETS` (the convention of envtest), else from `PATH`. With `KUBE_TEST_DIR` a
 * developer keeps one running in that folder from one run to the next.
 */
import { parse, stringify } from "yaml";
import { Environment } from "../../src/common/env.ts";
import { Clusters } from "../../src/kubernetes/api.ts";
import { readKubernetesSettings } from "../../src/kubernetes/settings.ts";
import { permitted } from "./permitted.ts";
import { makeKeys } from "./kubernetes/keys.ts";
import { freePorts, type Ports, Processes } from "./kubernetes/processes.ts";
import { until } from "./until.ts";

const programs = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok"];

/** The folder with the programs, or undefined where one of them is missing. */
function assets(): string | undefined {
  const given = Deno.env.get("KUBEBUILDER_ASSETS");
  const folders = given !== undefined && given !== "" ? [given] : (Deno.env.get("PATH") ?? "").split(":");
  return folders.find((folder) =>
    programs.every((program) => {
      try {
        return Deno.statSync(`${folder}/${program}`).isFile;
      } catch {
        return false;
      }
    })
  );
}

/**
 * Whether a control plane can be started here; for `Deno.test({ ignore: !kubernetesAvailable })`. With `CI=true` a
 * missing one is a failure and not a reason to skip.
 */
export const kubernetesAvailable: boolean = (() => {
  const found = permitted && assets() !== undefined;
  if (!found && permitted && Deno.env.get("CI") === "true") {
    throw new Error(`Cannot find ${programs.join(", ")}: set KUBEBUILDER_ASSETS to their folder`);
  }
  return found;
})();

/** One request in the apiserver's audit log: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/ */
export interface AuditEvent {
  readonly verb: string;
  readonly requestURI: string;
  readonly userAgent?: string;
  readonly user: { readonly username: string; readonly groups?: readonly string[]; readonly uid?: string };
  readonly impersonatedUser?: {
    readonly username: string;
    readonly uid?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
  readonly responseStatus?: { readonly code?: number };
}

/** A running control plane. */
export interface TestKubernetes {
  /** `https://127.0.0.1:…` */
  readonly server: string;
  /** PEM of the authority that signs everything. */
  readonly authority: string;
  readonly folder: string;
  /** kubeconfig of a cluster-admin with a client certificate, context `test`. */
  readonly kubeconfig: string;
  /** A cluster-admin's bearer token. */
  readonly adminToken: string;
  /** A bearer token of user `nobody`, without any rights. */
  readonly nobodyToken: string;
  /** Runs kubectl as the cluster-admin, and returns what it prints; a last argument that is no string is its environment. */
  kubectl(...args: readonly (string | Readonly<Record<string, string>>)[]): Promise<string>;
  /** `kubectl apply`, server-side, of YAML or of objects. */
  apply(manifest: string | readonly Readonly<Record<string, unknown>>[]): Promise<void>;
  /** A fresh namespace for one test: `prefix-…`. */
  namespace(prefix: string): Promise<string>;
  /** Replaces a pod's status, for a pod with the label `test/held: "true"`. */
  setPodStatus(namespace: string, pod: string, status: Readonly<Record<string, unknown>>): Promise<void>;
  /** Gives a pod's containers their logs; `previous` is what the container before the last restart wrote. */
  setPodLogs(namespace: string, pod: string, logs: readonly PodLog[]): Promise<void>;
  /** Writes a kubeconfig of one context, `test`, with this user entry; returns its path. */
  kubeconfigFor(user: Readonly<Record<string, unknown>>, options?: { namespace?: string }): Promise<string>;
  /** A client certificate for that user, signed by the authority; negative `days` has expired. */
  clientCertificate(user: string, options?: { groups?: readonly string[]; days?: number }): Promise<
    { readonly cert: string; readonly key: string }
  >;
  /** The product's own view of it; `variables` such as KUBECONFIG and KUBE_CONTEXT. The caller closes it. */
  clusters(variables?: Readonly<Record<string, string>>): Clusters;
  /** What the apiserver has been asked since it started. */
  audit(): Promise<readonly AuditEvent[]>;
  /** Stops and starts the apiserver on its port; only for a control plane of one's own. */
  stopApiserver(): Promise<void>;
  startApiserver(): Promise<void>;
  /** SIGKILL, as a machine that is lost; only for a control plane of one's own. */
  kill(part: "etcd" | "kube-apiserver"): Promise<void>;
  /** Starts etcd again, on its files; the apiserver finds it by itself. */
  startEtcd(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What one container has logged. */
export interface PodLog {
  readonly container: string;
  /** Lines without a time get one, a second apart, the last one now. */
  readonly lines:
    readonly (string | { readonly time: string; readonly text: string; readonly stream?: "stderr" })[];
  readonly previous?: readonly (string | { readonly time: string; readonly text: string })[];
}

/** How much of it is started. */
export interface TestKubernetesOptions {
  /** Without, there are only etcd and the apiserver. */
  readonly controllers?: boolean;
}

let shared: Promise<TestKubernetes> | undefined;

/** The one control plane that the tests of this process share; it ends with the process. */
export function sharedKubernetes(): Promise<TestKubernetes> {
  return shared ??= startKubernetes({}, Deno.env.get("KUBE_TEST_DIR"));
}

/** Starts one. `kept`: a folder of one that stays, and is used again if it runs. */
export async function startKubernetes(
  options: TestKubernetesOptions = {},
  kept?: string,
): Promise<TestKubernetes> {
  const bin = assets();
  if (bin === undefined) throw new Error("Cannot find kube-apiserver: set KUBEBUILDER_ASSETS to its folder");
  if (kept !== undefined) {
    const running = await runningIn(kept, bin);
    if (running !== undefined) return running;
  }
  const folder = kept ?? await Deno.makeTempDir({ prefix: "kubernetes-" });
  for (const part of ["etcd", "logs", "pods", "pids"]) {
    await Deno.mkdir(`${folder}/${part}`, { recursive: true });
  }
  const ports = freePorts();
  const processes = new Processes(folder, bin, ports);
  const abandon = () => processes.abandon(kept === undefined);
  if (kept === undefined) globalThis.addEventListener("unload", abandon);
  try {
    await makeKeys(folder, ports.api);
    if (kept === undefined) await processes.keep();
    await processes.start("etcd");
    await processes.start("kube-apiserver");
    const kubernetes = describe(folder, bin, ports, processes);
    await until("a healthy etcd", () => processes.answers(`http://127.0.0.1:${ports.etcd}/health`));
    await until("a ready apiserver", () => processes.answers(`https://127.0.0.1:${ports.api}/readyz`));
    if (options.controllers !== false) await startControllers(kubernetes, processes);
    await Deno.writeTextFile(`${folder}/ports.json`, JSON.stringify(ports));
    return {
      ...kubernetes,
      async [Symbol.asyncDispose]() {
        globalThis.removeEventListener("unload", abandon);
        await processes.stopAll();
        await Deno.remove(folder, { recursive: true });
      },
    };
  } catch (error) {
    const logs = await processes.lastLines();
    await processes.stopAll();
    throw new Error(`Cannot start Kubernetes: ${logs}`, { cause: error });
  }
}

async function startControllers(kubernetes: TestKubernetes, processes: Processes): Promise<void> {
  await processes.start("kube-controller-manager");
  await processes.start("kube-scheduler");
  const node = (name: string) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" } },
    status: {
      allocatable: { cpu: "32", memory: "256Gi", pods: "5000" },
      capacity: { cpu: "32", memory: "256Gi", pods: "5000" },
    },
  });
  await kubernetes.apply(await Deno.readTextFile(new URL("kubernetes/kwok_crds.yaml", import.meta.url)));
  await kubernetes.apply([node("node-0"), node("node-1")]);
  await kubernetes.kubectl(
    "wait",
    "--for=condition=Established",
    "crd/logs.kwok.x-k8s.io",
    "crd/clusterlogs.kwok.x-k8s.io",
  );
  await processes.start("kwok");
  await kubernetes.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s");
  await until(
    "the default service account",
    async () =>
      (await kubernetes.kubectl("get", "serviceaccounts", "--namespace=default", "--output=name")).includes(
        "default",
      ),
  );
}

/** The one that a developer left running there. */
async function runningIn(folder: string, bin: string): Promise<TestKubernetes | undefined> {
  try {
    const ports: Ports = JSON.parse(await Deno.readTextFile(`${folder}/ports.json`));
    const processes = new Processes(folder, bin, ports);
    return await processes.answers(`https://127.0.0.1:${ports.api}/readyz`)
      ? describe(folder, bin, ports, processes)
      : undefined;
  } catch {
    return undefined;
  }
}

function describe(
  folder: string,
  bin: string,
  ports: Ports,
  processes: Processes,
): TestKubernetes {
  const server = `https://127.0.0.1:${ports.api}`;
  const authority = Deno.readTextFileSync(`${folder}/pki/ca.crt`);
  const kubeconfig = `${folder}/admin.kubeconfig`;
  const [adminToken = "", nobodyToken = ""] = Deno.readTextFileSync(`${folder}/tokens.csv`).split("\n")
    .map((line) => line.split(",")[0] ?? "");
  const kubectl: TestKubernetes["kubectl"] = async (...given) => {
    const args = given.filter((argument) => typeof argument === "string");
    const { success, stdout, stderr } = await new Deno.Command(`${bin}/kubectl`, {
      args,
      env: Object.assign(
        // It tells times in the local zone.
        { KUBECONFIG: kubeconfig, HOME: folder, TZ: "UTC" },
        ...given.filter((argument) => typeof argument !== "string"),
      ),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`kubectl ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  };
  const apply: TestKubernetes["apply"] = async (manifest) => {
    const file = await Deno.makeTempFile({ suffix: ".yaml" });
    try {
      const text = typeof manifest === "string"
        ? manifest
        : manifest.map((object) => stringify(object)).join("---\n");
      await Deno.writeTextFile(file, text);
      await kubectl("apply", "--server-side", "--force-conflicts", "--filename", file);
    } finally {
      await Deno.remove(file);
    }
  };
  return {
    server,
    authority,
    folder,
    kubeconfig,
    adminToken,
    nobodyToken,
    kubectl,
    apply,
    async namespace(prefix) {
      const name = `${prefix}-${crypto.randomUUID().slice(0, 8)}`;
      await kubectl("create", "namespace", name);
      // Pods are refused until the controller manager has made it.
      await until(
        `the service account of ${name}`,
        async () =>
          (await kubectl("get", "serviceaccounts", `--namespace=${name}`, "--output=name")).includes(
            "default",
          ),
      );
      return name;
    },
    async setPodStatus(namespace, pod, status) {
      await kubectl(
        ...["patch", "pod", pod, `--namespace=${namespace}`, "--subresource=status", "--type=merge"],
        `--patch=${JSON.stringify({ status })}`,
      );
    },
    async setPodLogs(namespace, pod, logs) {
      const write = async (lines: readonly (string | { time: string; text: string; stream?: string })[]) => {
        const file = await Deno.makeTempFile({ dir: `${folder}/pods`, suffix: ".log" });
        const last = Date.now();
        await Deno.writeTextFile(
          file,
          lines.map((line, index) =>
            typeof line === "string"
              ? `${new Date(last - (lines.length - 1 - index) * 1000).toISOString()} stdout F ${line}\n`
              : `${line.time} ${line.stream ?? "stdout"} F ${line.text}\n`
          ).join(""),
        );
        return file;
      };
      await apply([{
        apiVersion: "kwok.x-k8s.io/v1alpha1",
        kind: "Logs",
        metadata: { name: pod, namespace },
        spec: {
          logs: await Promise.all(logs.map(async ({ container, lines, previous }) => ({
            containers: [container],
            logsFile: await write(lines),
            ...(previous === undefined ? {} : { previousLogsFile: await write(previous) }),
          }))),
        },
      }]);
      // kwok reads them by a watch of its own.
      for (const { container } of logs) {
        await until(`the logs of ${pod}`, async () => {
          try {
            await kubectl("logs", pod, `--namespace=${namespace}`, `--container=${container}`, "--tail=1");
            return true;
          } catch {
            return false;
          }
        });
      }
    },
    async kubeconfigFor(user, { namespace } = {}) {
      const path = await Deno.makeTempFile({ dir: folder, suffix: ".kubeconfig" });
      const admin = parse(await Deno.readTextFile(kubeconfig));
      await Deno.writeTextFile(
        path,
        stringify({
          ...admin,
          users: [{ name: "test", user }],
          contexts: [{
            name: "test",
            context: { cluster: "test", user: "test", ...(namespace === undefined ? {} : { namespace }) },
          }],
        }),
      );
      return path;
    },
    clientCertificate: (user, certificateOptions) => processes.clientCertificate(user, certificateOptions),
    clusters(variables = {}) {
      const values: Readonly<Record<string, string>> = { KUBECONFIG: kubeconfig, ...variables };
      return new Clusters(readKubernetesSettings(
        new Environment({ get: (name) => values[name], readFile: (path) => Deno.readTextFileSync(path) }),
      ));
    },
    async audit() {
      const text = await Deno.readTextFile(`${folder}/audit.log`);
      // What follows the last line break is a line that is being written.
      return text.split("\n").slice(0, -1).map((line): AuditEvent => JSON.parse(line));
    },
    stopApiserver: () => processes.stop("kube-apiserver"),
    async startApiserver() {
      await processes.start("kube-apiserver");
      await until("a ready apiserver", () => processes.answers(`${server}/readyz`));
    },
    kill: (part) => processes.stop(part, "SIGKILL"),
    async startEtcd() {
      await processes.start("etcd");
      await until("a healthy etcd", () => processes.answers(`http://127.0.0.1:${ports.etcd}/health`));
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
