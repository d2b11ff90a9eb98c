/** The processes of a control plane: they belong to no test, and are stopped by their ids. */
import { fileURLToPath } from "node:url";
import { makeCertificate } from "./keys.ts";
import { freePort } from "../real_program.ts";

/** Loopback ports. */
export interface Ports {
  readonly etcd: number;
  readonly peer: number;
  readonly api: number;
  readonly controllers: number;
  readonly scheduler: number;
  readonly kubelet: number;
}

/** Free ones, none of them twice. */
export function freePorts(): Ports {
  const ports = new Set<number>();
  while (ports.size < 6) ports.add(freePort());
  const [etcd = 0, peer = 0, api = 0, controllers = 0, scheduler = 0, kubelet = 0] = ports;
  return { etcd, peer, api, controllers, scheduler, kubelet };
}

/** Starts and stops them. */
export class Processes {
  readonly #folder: string;
  readonly #bin: string;
  readonly #ports: Ports;

  constructor(folder: string, bin: string, ports: Ports) {
    this.#folder = folder;
    this.#bin = bin;
    this.#ports = ports;
  }

  /** Starts one, in a session of its own: a child of a test would be taken for a leak. */
  async start(name: string): Promise<void> {
    const { stdout } = await new Deno.Command("sh", {
      args: [
        "-c",
        'log=$1; shift; setsid "$@" >>"$log" 2>&1 </dev/null & echo $!',
        "sh",
        `logs/${name}.log`,
        `${this.#bin}/${name}`,
        ...this.#arguments(name),
      ],
      cwd: this.#folder,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).output();
    await Deno.writeTextFile(`${this.#folder}/pids/${name}`, new TextDecoder().decode(stdout).trim());
  }

  /** Ends all of them when this process ends without a word, as one that is killed does. */
  async keep(): Promise<void> {
    await new Deno.Command("sh", {
      args: [
        "-c",
        'setsid sh -c "$1" keeper "$2" "$3" >/dev/null 2>&1 </dev/null &',
        "sh",
        'while kill -0 "$1" && [ -d "$2" ]; do sleep 1; done; ' +
        'for pid in "$2"/pids/*; do kill -9 "$(cat "$pid")"; done; rm -rf "$2"',
        String(Deno.pid),
        this.#folder,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
  }

  /** Stops one and waits for its end. */
  async stop(name: string, signal: Deno.Signal = "SIGTERM"): Promise<void> {
    const pid = this.#pid(name);
    if (pid === undefined) return;
    kill(pid, signal);
    const end = performance.now() + 60_000;
    while (await isAlive(pid)) {
      if (performance.now() > end) kill(pid, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await Deno.remove(`${this.#folder}/pids/${name}`);
  }

  /** Stops all of them. */
  async stopAll(): Promise<void> {
    for (const name of order.toReversed()) await this.stop(name);
  }

  /** The end of the process: nothing can be waited for. */
  abandon(remove: boolean): void {
    for (const name of order.toReversed()) {
      const pid = this.#pid(name);
      if (pid !== undefined) kill(pid, "SIGKILL");
    }
    try {
      if (remove) Deno.removeSync(this.#folder, { recursive: true });
    } catch { /* a process that has just been killed may still have written */ }
  }

  /** Whether a GET of that URL is answered with 200. */
  async answers(url: string): Promise<boolean> {
    const client = Deno.createHttpClient({
      caCerts: [await Deno.readTextFile(`${this.#folder}/pki/ca.crt`)],
    });
    try {
      const response = await fetch(url, { client });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    } finally {
      client.close();
    }
  }

  /** The last lines of every log, for an error. */
  async lastLines(): Promise<string> {
    const ends = await Promise.all(order.map(async (name) => {
      const text = await Deno.readTextFile(`${this.#folder}/logs/${name}.log`).catch(() => "");
      return `\n== ${name}\n${text.split("\n").slice(-12).join("\n")}`;
    }));
    return ends.join("");
  }

  /** A client certificate signed by the authority. */
  async clientCertificate(
    user: string,
    { groups = [], days = 30 }: { readonly groups?: readonly string[]; readonly days?: number } = {},
  ): Promise<{ readonly cert: string; readonly key: string }> {
    const name = `client-${crypto.randomUUID()}`;
    const subject = `${groups.map((group) => `/O=${group}`).join("")}/CN=${user}`;
    await makeCertificate(this.#folder, name, subject, "extendedKeyUsage=clientAuth\n", days);
    return {
      cert: await Deno.readTextFile(`${this.#folder}/pki/${name}.crt`),
      key: await Deno.readTextFile(`${this.#folder}/pki/${name}.key`),
    };
  }

  #pid(name: string): number | undefined {
    try {
      return Number(Deno.readTextFileSync(`${this.#folder}/pids/${name}`));
    } catch {
      return undefined;
    }
  }

  #arguments(name: string): readonly string[] {
    const { etcd, peer, api, controllers, scheduler, kubelet } = this.#ports;
    const local = (port: number) => `http://127.0.0.1:${port}`;
    const folder = this.#folder;
    switch (name) {
      case "etcd":
        return [
          `--data-dir=${folder}/etcd`,
          `--listen-client-urls=${local(etcd)}`,
          `--advertise-client-urls=${local(etcd)}`,
          `--listen-peer-urls=${local(peer)}`,
          `--initial-advertise-peer-urls=${local(peer)}`,
          `--initial-cluster=default=${local(peer)}`,
          "--unsafe-no-fsync",
          "--log-level=warn",
        ];
      case "kube-apiserver":
        return [
          `--etcd-servers=${local(etcd)}`,
          "--bind-address=127.0.0.1",
          `--secure-port=${api}`,
          "--advertise-address=127.0.0.1",
          "--endpoint-reconciler-type=none",
          `--cert-dir=${folder}/pki`,
          "--tls-cert-file=pki/server.crt",
          "--tls-private-key-file=pki/server.key",
          "--client-ca-file=pki/ca.crt",
          "--token-auth-file=tokens.csv",
          "--authorization-mode=Node,RBAC",
          "--allow-privileged=true",
          "--service-cluster-ip-range=10.96.0.0/16",
          "--service-account-issuer=https://kubernetes.default.svc",
          "--service-account-key-file=pki/sa.pub",
          "--service-account-signing-key-file=pki/sa.key",
          "--kubelet-certificate-authority=pki/ca.crt",
          "--kubelet-client-certificate=pki/kubelet-client.crt",
          "--kubelet-client-key=pki/kubelet-client.key",
          "--kubelet-preferred-address-types=InternalIP",
          "--audit-policy-file=audit.yaml",
          `--audit-log-path=${folder}/audit.log`,
          // In MB: tests read one file, so that it is never to be rotated.
          "--audit-log-maxsize=100000",
        ];
      case "kube-controller-manager":
        return [
          ...component(name, controllers, folder),
          "--use-service-account-credentials",
          "--root-ca-file=pki/ca.crt",
          "--service-account-private-key-file=pki/sa.key",
          "--cluster-signing-cert-file=pki/ca.crt",
          "--cluster-signing-key-file=pki/ca.key",
        ];
      case "kube-scheduler":
        return component(name, scheduler, folder);
      default:
        return [
          "--kubeconfig=kwok.kubeconfig",
          `--config=${fileURLToPath(new URL("stages.yaml", import.meta.url))}`,
          "--manage-all-nodes",
          "--node-ip=127.0.0.1",
          `--node-port=${kubelet}`,
          `--server-address=127.0.0.1:${kubelet}`,
          "--tls-cert-file=pki/server.crt",
          "--tls-private-key-file=pki/server.key",
          "--node-lease-duration-seconds=40",
          "--cidr=10.244.0.1/16",
          "--enable-crds=Logs,ClusterLogs",
        ];
    }
  }
}

const order = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"];

function component(name: string, port: number, folder: string): readonly string[] {
  const kubeconfig = `${name}.kubeconfig`;
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${port}`,
    `--cert-dir=${folder}/pki/${name}`,
    "--leader-elect=false",
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
  ];
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch { /* it has ended already */ }
}

/** By `ps`, since Deno's own way to /proc takes every permission; a zombie has ended. */
async function isAlive(pid: number): Promise<boolean> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "stat=", "-p", String(pid)],
    stdout: "piped",
    stderr: "null",
  }).output();
  return /^[^Z\s]/.test(new TextDecoder().decode(stdout).trim());
}
