/**
 * Credential plugins: the program that a kubeconfig's user names, if this program may start it. It gets no input, 30 s,
 * and an environment of its own; its errors are never shown, since they may hold anything.
 *
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
import { abortable } from "../common/waiting.ts";
import { basename } from "node:path";
import { CallError } from "../common/errors.ts";
import { shortened } from "../common/shortened.ts";
import { visible } from "../common/visible.ts";
import { readMaterial } from "./credentials.ts";
import type { ExecPlugin, KubeconfigCluster } from "./kubeconfig.ts";
import { redactText } from "./redact_text.ts";
import { pluginRenewal } from "./renewal.ts";
import { type PluginOutput, PluginRunError, runPlugin } from "./plugin_process.ts";

/** What a plugin gave. */
export interface PluginCredentials {
  readonly token: string | undefined;
  /** PEM. */
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number | undefined;
}

/** What the run needs beside the plugin's entry. */
export interface PluginWorld {
  /** The context, for messages. */
  readonly context: string;
  readonly cluster: KubeconfigCluster;
  readonly readFile: (path: string) => string;
  /** What the plugin may see of our environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Milliseconds since 1970; the clock unless given. */
  readonly now?: () => number;
}

/** Asks for credentials; `refused`: the ones that the apiserver has just refused. */
export type PluginSource = (
  options: { readonly refused: PluginCredentials | undefined; readonly signal: AbortSignal },
) => Promise<PluginCredentials>;

/** Credentials are renewed so long before they expire. */
const earlyMs = 10_000;

/** The credentials of one plugin: run once for all that ask at the same time, and again when they expire. */
export function pluginFor(plugin: ExecPlugin, world: PluginWorld): PluginSource {
  const { now = Date.now } = world;
  let last: PluginCredentials | undefined;
  let running: Promise<PluginCredentials> | undefined;
  return async ({ refused, signal }) => {
    signal.throwIfAborted();
    // Of many calls that were refused together, the first has others made for all of them.
    if (last !== undefined && last !== refused && now() < (last.expiresAt ?? Infinity) - earlyMs) return last;
    running ??= obtain(plugin, world)
      .then((credentials) => {
        last = credentials;
        return credentials;
      })
      .finally(() => {
        running = undefined;
      });
    // Who gives up waiting does not take the run from the others.
    return await abortable(running, signal);
  };
}

async function obtain(plugin: ExecPlugin, world: PluginWorld): Promise<PluginCredentials> {
  const name = JSON.stringify(basename(plugin.command).slice(0, 60));
  const problem = (kind: "unavailable" | "refused", reason: string, hint: string, cause?: unknown) =>
    new CallError(kind, `Cannot log in to context ${JSON.stringify(world.context)} as ${reason}`, {
      hint,
      cause,
    });
  const { apiVersion } = plugin;
  if (plugin.command === "") {
    throw problem(
      "unavailable",
      "its credential plugin has no command",
      "an operator must correct the kubeconfig",
    );
  }
  if (!["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"].includes(apiVersion)) {
    throw problem(
      "unavailable",
      `its credential plugin ${name} speaks neither client.authentication.k8s.io/v1 nor v1beta1`,
      "an operator can write the kubeconfig anew with the cloud's own tool",
    );
  }
  if (plugin.interactiveMode === "Always") {
    throw problem(
      "refused",
      `its credential plugin ${name} wants to ask on a terminal, and there is none`,
      "an operator can set its interactiveMode to IfAvailable and log in beforehand",
    );
  }
  const { state } = await Deno.permissions.query({ name: "run", command: plugin.command });
  if (state !== "granted") throw problem("refused", notAllowed(name), notAllowedHint(plugin));
  let output: PluginOutput;
  try {
    output = await runPlugin(plugin.command, plugin.args, {
      ...world.environment,
      ...plugin.env,
      KUBERNETES_EXEC_INFO: JSON.stringify(execInfo(plugin, world)),
    });
  } catch (error) {
    if (!(error instanceof PluginRunError)) throw error;
    switch (error.reason) {
      case "not_permitted":
        throw problem("refused", notAllowed(name), notAllowedHint(plugin), error);
      case "not_found":
        throw problem(
          "unavailable",
          `its credential plugin ${name} is not installed, or not on the PATH of this program`,
          `an operator must install it${
            installText(plugin)
          }, or start this program with a PATH that leads to it`,
          error,
        );
      case "timeout":
        throw problem(
          "unavailable",
          `its credential plugin ${name} gave no answer within 30 s`,
          pluginRenewal(plugin, world.context),
          error,
        );
      default:
        throw problem(
          "unavailable",
          `its credential plugin ${name} wrote too much`,
          pluginRenewal(plugin, world.context),
          error,
        );
    }
  }
  if (output.code !== 0) {
    throw problem(
      "unavailable",
      `its credential plugin ${name} failed with exit code ${output.code}`,
      pluginRenewal(plugin, world.context),
    );
  }
  const credentials = readExecCredential(output.stdout, apiVersion);
  if (credentials === undefined) {
    throw problem(
      "unavailable",
      `its credential plugin ${name} gave no credentials`,
      pluginRenewal(plugin, world.context),
    );
  }
  return credentials;
}

/** A program that is named by the run permission and missing on the PATH can't be told from one that is not named. */
function notAllowed(name: string): string {
  return `its credential plugin ${name} is not on the PATH, or not among the programs that this one may start`;
}
function notAllowedHint(plugin: ExecPlugin): string {
  return `an operator must install it${
    installText(plugin)
  }, start this program with a PATH that leads to it, or run ` +
    "a build whose run permission names it; a token or a client certificate needs none";
}

/** What the kubeconfig says about it, in brackets: one line, and none of it a credential. */
function installText({ installHint }: ExecPlugin): string {
  if (installHint === undefined) return "";
  const text = visible(redactText(installHint.slice(0, 1_000)).trim().replace(/\s+/g, " "));
  return ` (${shortened(text, 300)})`;
}

/** The ExecCredential that a plugin is given: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/ */
function execInfo(plugin: ExecPlugin, { cluster, readFile }: PluginWorld): Readonly<Record<string, unknown>> {
  return {
    kind: "ExecCredential",
    apiVersion: plugin.apiVersion,
    spec: {
      ...(plugin.provideClusterInfo ? { cluster: clusterInfo(cluster, readFile) } : {}),
      interactive: false,
    },
  };
}

function clusterInfo(cluster: KubeconfigCluster, readFile: (path: string) => string) {
  const { certificateAuthority, tlsServerName, proxyUrl, execConfig } = cluster;
  return {
    server: cluster.server ?? "",
    ...(tlsServerName === undefined ? {} : { "tls-server-name": tlsServerName }),
    ...(cluster.insecureSkipTlsVerify ? { "insecure-skip-tls-verify": true } : {}),
    ...(certificateAuthority === undefined ? {} : {
      "certificate-authority-data": new TextEncoder().encode(readMaterial(certificateAuthority, readFile))
        .toBase64(),
    }),
    ...(proxyUrl === undefined ? {} : { "proxy-url": proxyUrl }),
    ...(execConfig === undefined ? {} : { config: execConfig }),
  };
}

/** Undefined for what is no ExecCredential with a token or a certificate. */
export function readExecCredential(stdout: string, apiVersion: string): PluginCredentials | undefined {
  let value: { kind?: unknown; apiVersion?: unknown; status?: unknown };
  try {
    value = JSON.parse(stdout);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (value.kind !== "ExecCredential" || value.apiVersion !== apiVersion) return undefined;
  if (typeof value.status !== "object" || value.status === null) return undefined;
  // An object's fields are read as unknown.
  const status = value.status as Record<string, unknown>;
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status;
  const certificate = typeof cert === "string" && cert !== "" && typeof key === "string" && key !== ""
    ? { cert, key }
    : undefined;
  const usable = typeof token === "string" && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
  if (usable === undefined && certificate === undefined) return undefined;
  const expiresAt = typeof expirationTimestamp === "string" ? Date.parse(expirationTimestamp) : NaN;
  return { token: usable, certificate, expiresAt: Number.isNaN(expiresAt) ? undefined : expiresAt };
}
