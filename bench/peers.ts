/**
 * The alternatives, at pinned versions, each with its read-only settings. They are installed from their registries into
 * a folder of the benchmark; one that can't be had is named as skipped.
 */
import { join } from "node:path";

/** One alternative. */
export interface Peer {
  readonly name: string;
  readonly group: "postgres" | "prometheus" | "kubernetes";
  /** Its package, with its version. */
  readonly package: string;
  /** Below `node_modules`; of a peer that no registry has, the variable that names its executable. */
  readonly script: string;
  /** `configuration` is where the text of that name is written, for a peer that has one. */
  readonly args: (backend: Backends, configuration: string) => readonly string[];
  readonly configuration?: (backend: Backends) => string;
  readonly env: (backend: Backends) => Readonly<Record<string, string>>;
}

/** Where the real parts are. */
export interface Backends {
  /** `postgres://…` of a reader. */
  readonly database: string;
  readonly prometheus: string;
  /** A kubeconfig's path. */
  readonly kubeconfig: string;
}

const peers: readonly Peer[] = [
  {
    name: "server-postgres",
    group: "postgres",
    package: "@modelcontextprotocol/server-postgres@0.6.2",
    script: "@modelcontextprotocol/server-postgres/dist/index.js",
    args: ({ database }) => [database],
    env: () => ({}),
  },
  {
    name: "dbhub",
    group: "postgres",
    package: "@bytebase/dbhub@1.4.0",
    script: "@bytebase/dbhub/dist/index.js",
    args: (_, configuration) => ["--transport", "stdio", "--config", configuration],
    configuration: ({ database }) =>
      `[[sources]]\nid = "default"\ndsn = "${database}"\n\n` +
      `[[tools]]\nname = "execute_sql"\nsource = "default"\nreadonly = true\n`,
    env: () => ({}),
  },
  {
    name: "prometheus-mcp",
    group: "prometheus",
    package: "prometheus-mcp@1.1.3",
    script: "prometheus-mcp/dist/index.mjs",
    args: () => ["stdio"],
    env: ({ prometheus }) => ({ PROMETHEUS_URL: prometheus }),
  },
  {
    // The Prometheus project's own, in Go: built from its repository.
    name: "prometheus-mcp-go",
    group: "prometheus",
    package: "prometheus/prometheus-mcp@0.18.0",
    script: "$PROMETHEUS_MCP_GO",
    // Its core tools read; all of its tools would bring those that delete series and stop the server.
    args: ({ prometheus }) => [
      `--prometheus.url=${prometheus}`,
      ...["list_targets", "list_alerts", "list_rules"].map((name) => `--mcp.tools=${name}`),
    ],
    env: () => ({}),
  },
  {
    name: "kubernetes-mcp-server",
    group: "kubernetes",
    package: "kubernetes-mcp-server@0.0.67",
    script: "kubernetes-mcp-server/bin/index.js",
    args: ({ kubeconfig }) => ["--read-only", "--kubeconfig", kubeconfig],
    env: ({ kubeconfig }) => ({ KUBECONFIG: kubeconfig }),
  },
  {
    name: "mcp-server-kubernetes",
    group: "kubernetes",
    package: "mcp-server-kubernetes@4.1.7",
    script: "mcp-server-kubernetes/dist/index.js",
    args: () => [],
    env: ({ kubeconfig }) => ({ KUBECONFIG: kubeconfig, ALLOW_ONLY_READONLY_TOOLS: "true" }),
  },
];

/** What starts a peer, without its own arguments. */
export function peerCommand({ script }: Peer, folder: string): { command: string; args: string[] } {
  if (script.startsWith("$")) return { command: Deno.env.get(script.slice(1)) ?? "", args: [] };
  return { command: "node", args: [join(folder, "node_modules", script)] };
}

/** Installs what is not there; returns the peers that are, and says which are not. */
export async function installPeers(folder: string, say: (line: string) => void): Promise<readonly Peer[]> {
  await Deno.mkdir(folder, { recursive: true });
  const found: Peer[] = [];
  for (const peer of peers) {
    if (peer.script.startsWith("$")) {
      if (await exists(Deno.env.get(peer.script.slice(1)) ?? "")) found.push(peer);
      else say(`skipped: ${peer.package}: ${peer.script.slice(1)} does not name its executable`);
      continue;
    }
    const path = join(folder, "node_modules", peer.script);
    if (await exists(path) || await install(peer, folder)) found.push(peer);
    else say(`skipped: ${peer.package} can't be installed`);
  }
  return found;
}

async function install(peer: Peer, folder: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("npm", {
      args: ["install", "--no-audit", "--no-fund", "--silent", "--prefix", folder, peer.package],
      stdout: "null",
      stderr: "null",
    }).output();
    return success && await exists(join(folder, "node_modules", peer.script));
  } catch {
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
