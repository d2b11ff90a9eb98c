/**
 * kubeconfig files as kubectl reads them: several are merged, the first to name a thing wins, and relative paths are
 * relative to the file that holds them.
 *
 * https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
 * https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
import { dirname, isAbsolute, resolve } from "node:path";
import {
  flag,
  KubeconfigProblem,
  list,
  type Mapping,
  mapping,
  parseYaml,
  string,
  strings,
} from "./kubeconfig_yaml.ts";

/** A file's text, or text that stands in the kubeconfig itself. */
export type Material =
  | { readonly inline: string }
  | { readonly path: string };

/** A cluster entry. */
export interface KubeconfigCluster {
  readonly server: string | undefined;
  readonly tlsServerName: string | undefined;
  readonly insecureSkipTlsVerify: boolean;
  readonly proxyUrl: string | undefined;
  /** PEM. */
  readonly certificateAuthority: Material | undefined;
  /** For a plugin with `provideClusterInfo`: the extension `client.authentication.k8s.io/exec`. */
  readonly execConfig: unknown;
}

/** An exec plugin: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#configuration */
export interface ExecPlugin {
  /** A bare name, or an absolute path. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly apiVersion: string;
  readonly installHint: string | undefined;
  readonly provideClusterInfo: boolean;
  readonly interactiveMode: string | undefined;
}

/** A user entry. */
export interface KubeconfigUser {
  /** PEM. */
  readonly clientCertificate: Material | undefined;
  /** PEM. */
  readonly clientKey: Material | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly impersonate: Impersonation | undefined;
  readonly exec: ExecPlugin | undefined;
  readonly authProvider:
    | { readonly name: string; readonly config: Readonly<Record<string, string>> }
    | undefined;
}

/** Who the requests are made as: https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/ */
export interface Impersonation {
  readonly user: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** A context entry. */
export interface KubeconfigContext {
  readonly cluster: string;
  readonly user: string;
  readonly namespace: string | undefined;
}

/** The files, merged. */
export interface Kubeconfig {
  readonly currentContext: string | undefined;
  readonly contexts: ReadonlyMap<string, KubeconfigContext>;
  readonly clusters: ReadonlyMap<string, KubeconfigCluster>;
  readonly users: ReadonlyMap<string, KubeconfigUser>;
}

/** What a pod or a machine without a kubeconfig has. */
export const emptyKubeconfig: Kubeconfig = {
  currentContext: undefined,
  contexts: new Map(),
  clusters: new Map(),
  users: new Map(),
};

/** Merges: of two that set the same name the earlier wins as a whole. */
export function mergeKubeconfigs(files: readonly Kubeconfig[]): Kubeconfig {
  const first = <Value>(maps: readonly ReadonlyMap<string, Value>[]) =>
    new Map(maps.toReversed().flatMap((map) => [...map]));
  return {
    currentContext: files.map((file) => file.currentContext).find((name) => name !== undefined),
    contexts: first(files.map((file) => file.contexts)),
    clusters: first(files.map((file) => file.clusters)),
    users: first(files.map((file) => file.users)),
  };
}

/**
 * Reads one file's text; `path` is the file's absolute path. Throws {@linkcode KubeconfigProblem}. Whatever is wrong
 * with one entry's content shows when that entry is used.
 */
export function parseKubeconfig(text: string, path: string): Kubeconfig {
  const folder = dirname(path);
  const settings = parseYaml(text, "failsafe") ?? "";
  if (settings === "") return emptyKubeconfig;
  const whole = mapping(settings);
  if (whole === undefined) throw new KubeconfigProblem("it is not a mapping of settings");
  const kind = string(whole.kind);
  if (kind !== undefined && kind !== "Config") throw new KubeconfigProblem("its kind is not Config");
  const typed = mapping(parseYaml(text, "core"));
  const execConfigs = new Map(
    list(typed?.clusters).map((entry) => [String(mapping(entry)?.name), execConfig(mapping(entry))]),
  );
  return {
    currentContext: string(whole["current-context"]),
    contexts: named(whole, "contexts", "context", (context) => ({
      cluster: string(context.cluster) ?? "",
      user: string(context.user) ?? "",
      namespace: string(context.namespace),
    })),
    clusters: named(whole, "clusters", "cluster", (cluster, name) => ({
      server: string(cluster.server),
      tlsServerName: string(cluster["tls-server-name"]),
      insecureSkipTlsVerify: flag(cluster["insecure-skip-tls-verify"], "insecure-skip-tls-verify"),
      proxyUrl: string(cluster["proxy-url"]),
      certificateAuthority: material(cluster, "certificate-authority", folder),
      execConfig: execConfigs.get(name),
    })),
    users: named(whole, "users", "user", (user) => readUser(user, folder)),
  };
}

function readUser(user: Mapping, folder: string): KubeconfigUser {
  const tokenFile = string(user.tokenFile);
  const impersonated = string(user.as);
  const provider = mapping(user["auth-provider"]);
  return {
    clientCertificate: material(user, "client-certificate", folder),
    clientKey: material(user, "client-key", folder),
    token: string(user.token),
    tokenFile: tokenFile === undefined ? undefined : resolve(folder, tokenFile),
    username: string(user.username),
    password: string(user.password),
    impersonate: impersonated === undefined ? undefined : {
      user: impersonated,
      uid: string(user["as-uid"]),
      groups: strings(user["as-groups"]),
      extra: Object.fromEntries(
        Object.entries(mapping(user["as-user-extra"]) ?? {}).map(([key, values]) => [key, strings(values)]),
      ),
    },
    exec: readExec(mapping(user.exec), folder),
    authProvider: provider === undefined ? undefined : {
      name: string(provider.name) ?? "",
      config: Object.fromEntries(
        Object.entries(mapping(provider.config) ?? {}).map(([key, value]) => [key, string(value) ?? ""]),
      ),
    },
  };
}

function readExec(exec: Mapping | undefined, folder: string): ExecPlugin | undefined {
  if (exec === undefined) return undefined;
  const command = string(exec.command) ?? "";
  const variables = list(exec.env).map(mapping).filter((entry) => entry !== undefined);
  return {
    // A bare name is looked for on the PATH; whatever holds a slash is relative to the kubeconfig.
    command: /[/\\]/.test(command) && !isAbsolute(command) ? resolve(folder, command) : command,
    args: strings(exec.args),
    env: Object.fromEntries(variables.map((entry) => [string(entry.name) ?? "", string(entry.value) ?? ""])),
    apiVersion: string(exec.apiVersion) ?? "",
    installHint: string(exec.installHint),
    provideClusterInfo: flag(exec.provideClusterInfo, "provideClusterInfo"),
    interactiveMode: string(exec.interactiveMode),
  };
}

/** `key-data`, in base64, wins over the file that `key` names. */
function material(entry: Mapping, key: string, folder: string): Material | undefined {
  const data = string(entry[`${key}-data`]);
  if (data !== undefined) return { inline: data };
  const path = string(entry[key]);
  return path === undefined ? undefined : { path: resolve(folder, path) };
}

function named<Value>(
  whole: Mapping,
  section: string,
  key: string,
  read: (entry: Mapping, name: string) => Value,
): ReadonlyMap<string, Value> {
  const result = new Map<string, Value>();
  for (const item of list(whole[section])) {
    const entry = mapping(item);
    const name = string(entry?.name);
    if (name === undefined) continue;
    if (result.has(name)) throw new KubeconfigProblem(`two of its ${section} have the same name`);
    result.set(name, read(mapping(entry?.[key]) ?? {}, name));
  }
  return result;
}

function execConfig(named: Mapping | undefined): unknown {
  const extensions = list(mapping(named?.cluster)?.extensions).map(mapping);
  return extensions.find((entry) => entry?.name === "client.authentication.k8s.io/exec")?.extension;
}
