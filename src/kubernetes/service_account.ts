/**
 * The service account of the pod that this program runs in, as a kubeconfig of one context. The kubelet replaces the
 * token's file before the token expires.
 *
 * https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
 */
import { join } from "node:path";
import type { Environment } from "../common/env.ts";
import type { Kubeconfig, KubeconfigUser } from "./kubeconfig.ts";

/** Where the kubelet mounts it. */
export const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The name of its one context. */
const inClusterContext = "in-cluster";

/** A user entry without credentials. */
export const anonymousUser: KubeconfigUser = {
  clientCertificate: undefined,
  clientKey: undefined,
  token: undefined,
  tokenFile: undefined,
  username: undefined,
  password: undefined,
  impersonate: undefined,
  exec: undefined,
  authProvider: undefined,
};

/** Undefined where this process is in no pod, or the pod has no token. */
export function inClusterKubeconfig(environment: Environment, folder: string): Kubeconfig | undefined {
  const host = environment.text("KUBERNETES_SERVICE_HOST");
  const port = environment.text("KUBERNETES_SERVICE_PORT");
  if (host === undefined || port === undefined) return undefined;
  const tokenFile = join(folder, "token");
  if (optional(environment, tokenFile) === undefined) return undefined;
  const address = host.includes(":") ? `[${host}]` : host;
  return {
    currentContext: inClusterContext,
    contexts: new Map([[inClusterContext, {
      cluster: inClusterContext,
      user: inClusterContext,
      namespace: optional(environment, join(folder, "namespace"))?.trim(),
    }]]),
    clusters: new Map([[inClusterContext, {
      server: `https://${address}:${port}`,
      tlsServerName: undefined,
      insecureSkipTlsVerify: false,
      proxyUrl: undefined,
      certificateAuthority: { path: join(folder, "ca.crt") },
      execConfig: undefined,
    }]]),
    users: new Map([[inClusterContext, { ...anonymousUser, tokenFile }]]),
  };
}

function optional(environment: Environment, path: string): string | undefined {
  try {
    return environment.readFile(path);
  } catch {
    return undefined;
  }
}
