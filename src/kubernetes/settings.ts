/** Which clusters kubernetes-mcp may read: `KUBECONFIG`, `KUBE_CONTEXT`, `KUBE_TIMEOUT_MS`, or a pod's service account. */
import { join, resolve } from "node:path";
import type { Environment } from "../common/env.ts";
import { StartError } from "../common/errors.ts";
import { reasonOf } from "../common/file_problem.ts";
import { emptyKubeconfig, type Kubeconfig, mergeKubeconfigs, parseKubeconfig } from "./kubeconfig.ts";
import { KubeconfigProblem } from "./kubeconfig_yaml.ts";
import { inClusterKubeconfig, serviceAccountFolder } from "./service_account.ts";

/** How to reach the clusters. */
export interface KubernetesSettings {
  readonly kubeconfig: Kubeconfig;
  /** The contexts that may be used, the default one first; empty where there is no cluster to talk to. */
  readonly allowed: readonly string[];
  /** Why there is none, as a clause, and what to do. */
  readonly absent: { readonly reason: string; readonly hint: string } | undefined;
  readonly timeoutMs: number;
  /** How long discovery is remembered. */
  readonly discoveryTtlSeconds: number;
  /** An allowed context logs in by a credential plugin. */
  readonly usesPlugins: boolean;
  /** Variables that a credential plugin may see, by name. */
  readonly pluginEnvironment: Readonly<Record<string, string>>;
  /** Reads a token or a certificate that a kubeconfig names. */
  readonly readFile: (path: string) => string;
}

/** What a credential plugin gets of our environment: what clouds' own tools read, and none of our secrets. */
export const pluginVariables: readonly string[] = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "USERPROFILE",
  "APPDATA",
  "LOCALAPPDATA",
  "SYSTEMROOT",
  "TMPDIR",
  "TEMP",
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
  "LANG",
  "LC_ALL",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "KUBECONFIG",
  "AWS_PROFILE",
  "AWS_DEFAULT_PROFILE",
  "AWS_REGION",
  "AWS_DEFAULT_REGION",
  "AWS_CONFIG_FILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_ROLE_ARN",
  "AWS_ROLE_SESSION_NAME",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "AWS_STS_REGIONAL_ENDPOINTS",
  "AWS_CA_BUNDLE",
  "CLOUDSDK_CONFIG",
  "CLOUDSDK_ACTIVE_CONFIG_NAME",
  "CLOUDSDK_CORE_PROJECT",
  "CLOUDSDK_CORE_ACCOUNT",
  "CLOUDSDK_PYTHON",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "AZURE_CONFIG_DIR",
  "AZURE_CLIENT_ID",
  "AZURE_CLIENT_SECRET",
  "AZURE_CLIENT_CERTIFICATE_PATH",
  "AZURE_TENANT_ID",
  "AZURE_FEDERATED_TOKEN_FILE",
  "AZURE_AUTHORITY_HOST",
  "AAD_LOGIN_METHOD",
  "DIGITALOCEAN_ACCESS_TOKEN",
  "TELEPORT_HOME",
  "OCI_CLI_PROFILE",
  "OCI_CLI_CONFIG_FILE",
  "OCI_CLI_AUTH",
];

/** Reads the settings, and files. Throws {@linkcode StartError} for a variable that is set but wrong. */
export function readKubernetesSettings(environment: Environment): KubernetesSettings {
  const timeoutMs = environment.integer("KUBE_TIMEOUT_MS", { fallback: 30_000, min: 1, max: 3_600_000 });
  const wanted = environment.list("KUBE_CONTEXT");
  const found = findKubeconfig(environment);
  const { kubeconfig } = found;
  const unknown = wanted.findIndex((name) => !kubeconfig.contexts.has(name));
  if (unknown !== -1 && found.absent === undefined) {
    throw new StartError(
      `KUBE_CONTEXT must name contexts of the kubeconfig, which number ${unknown + 1} of its names is not: ` +
        "kubectl config get-contexts -o name lists them",
    );
  }
  const current = kubeconfig.currentContext;
  const allowed = found.absent !== undefined
    ? []
    : wanted.length > 0
    ? [...new Set(wanted)]
    : current !== undefined && kubeconfig.contexts.has(current)
    ? [current]
    : [];
  if (needsFiles(kubeconfig, allowed)) environment.keepFiles();
  return {
    kubeconfig,
    allowed,
    absent: found.absent ?? (allowed.length > 0 ? undefined : {
      reason: current === undefined
        ? "the kubeconfig has no current context"
        : "the kubeconfig's current context is none of its contexts",
      hint: "an operator can name the contexts that may be used in KUBE_CONTEXT",
    }),
    timeoutMs,
    discoveryTtlSeconds: environment.integer("CACHE_TTL_SECONDS", { fallback: 60, min: 0, max: 86_400 }),
    usesPlugins: allowed.some((name) =>
      kubeconfig.users.get(kubeconfig.contexts.get(name)?.user ?? "")?.exec !== undefined
    ),
    pluginEnvironment: Object.fromEntries(
      pluginVariables.flatMap((name) => {
        const value = environment.plain(name);
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    readFile: (path) => environment.readFile(path),
  };
}

interface Found {
  readonly kubeconfig: Kubeconfig;
  readonly absent?: KubernetesSettings["absent"];
}

/** kubectl's order: the files of KUBECONFIG, else `~/.kube/config`, else the service account of the pod we run in. */
function findKubeconfig(environment: Environment): Found {
  const listed = environment.text("KUBECONFIG");
  const home = environment.text(Deno.build.os === "windows" ? "USERPROFILE" : "HOME");
  const paths = listed !== undefined
    ? [...new Set(listed.split(Deno.build.os === "windows" ? ";" : ":").filter((path) => path !== ""))]
    : home === undefined
    ? []
    : [join(home, ".kube", "config")];
  const files: Kubeconfig[] = [];
  let missing: unknown;
  for (const path of paths) {
    try {
      const absolute = resolve(path);
      files.push(parseKubeconfig(environment.readFile(absolute), absolute));
    } catch (error) {
      // As kubectl does: one of several files may be missing.
      if (error instanceof Deno.errors.NotFound) {
        missing = error;
        continue;
      }
      if (listed !== undefined && !(error instanceof KubeconfigProblem)) {
        throw environment.unreadable("KUBECONFIG", path, error);
      }
      const reason = error instanceof KubeconfigProblem ? error.message : reasonOf(error);
      if (listed !== undefined) {
        throw new StartError(`KUBECONFIG names a file that is not a kubeconfig: ${reason}`, { cause: error });
      }
      return {
        kubeconfig: emptyKubeconfig,
        absent: {
          reason: `the kubeconfig in the home folder can't be used: ${reason}`,
          hint: "an operator must correct it, or name another in KUBECONFIG",
        },
      };
    }
  }
  if (listed !== undefined && files.length === 0) {
    if (paths.length < 2 || /:\/\/|\n/.test(listed)) {
      throw environment.unreadable("KUBECONFIG", listed, missing);
    }
    throw new StartError("KUBECONFIG names no file that exists; create one or correct KUBECONFIG");
  }
  const kubeconfig = mergeKubeconfigs(files);
  if (kubeconfig.contexts.size > 0) return { kubeconfig };
  const inCluster = inClusterKubeconfig(environment, serviceAccountFolder);
  if (inCluster !== undefined) return { kubeconfig: inCluster };
  return {
    kubeconfig,
    absent: files.length > 0
      ? {
        reason: "the kubeconfig has no contexts",
        hint: "an operator must add one, or name another file in KUBECONFIG",
      }
      : {
        reason: "there is no kubeconfig",
        hint:
          "an operator must name a kubeconfig in KUBECONFIG, or run this program in a pod with a service account",
      },
  };
}

/** Whether an allowed context reads files when it connects: tokens and certificates that rotate. */
function needsFiles(kubeconfig: Kubeconfig, allowed: readonly string[]): boolean {
  return allowed.some((name) => {
    const context = kubeconfig.contexts.get(name);
    const cluster = kubeconfig.clusters.get(context?.cluster ?? "");
    const user = kubeconfig.users.get(context?.user ?? "");
    return user?.tokenFile !== undefined ||
      [cluster?.certificateAuthority, user?.clientCertificate, user?.clientKey].some((material) =>
        material !== undefined && "path" in material
      );
  });
}
