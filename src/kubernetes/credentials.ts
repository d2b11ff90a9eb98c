/**
 * What a kubeconfig's user presents to the apiserver: headers, and a client certificate. Read again as it rotates;
 * never written, and never part of a message.
 *
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/
 */
import { CallError } from "../common/errors.ts";
import { reasonOf } from "../common/file_problem.ts";
import type { PluginCredentials, PluginSource } from "./exec_plugin.ts";
import { certificateExpiry, certificateUser, instant, jwtExpiry, jwtSubject } from "./expiry.ts";
import type { KubeconfigUser, Material } from "./kubeconfig.ts";
import { kubeconfigRenewal, pluginRenewal } from "./renewal.ts";

/** What one request presents. */
export interface Credentials {
  /** A name may come several times: groups are one header each. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** PEM. */
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  /** Milliseconds since 1970 after which the apiserver will refuse them, where they say so. */
  readonly expiresAt: number | undefined;
  /** Whose they are, as far as they say so themselves: for a report, since only the apiserver knows. */
  readonly identity: string | undefined;
  /** What expires then, for a message. */
  readonly noun: "token" | "client certificate" | "credentials";
  /** What to do once they are refused, for a message. */
  readonly renewal: string;
}

/** Where credentials come from. */
export interface CredentialSource {
  /** `refused`: what the apiserver has just refused. Throws {@linkcode CallError}. */
  current(
    options: { readonly refused: Credentials | undefined; readonly signal: AbortSignal },
  ): Promise<Credentials>;
}

/** What a source needs of the world. */
export interface CredentialWorld {
  readonly readFile: (path: string) => string;
  /** Runs the user's plugin; undefined where it has none. */
  readonly plugin: PluginSource | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Milliseconds that a file's text is remembered: client-go reads token files again after as long. */
const rereadMs = 10_000;

/** The credentials of one user of the kubeconfig; `context` is for messages. */
export function credentialSource(
  context: string,
  user: KubeconfigUser,
  world: CredentialWorld,
): CredentialSource {
  let last: { readonly credentials: Credentials; readonly readAt: number } | undefined;
  let plugged: { readonly credentials: Credentials; readonly given: PluginCredentials } | undefined;
  return {
    async current({ refused, signal }) {
      if (user.exec !== undefined && !presentsItself(user)) {
        if (world.plugin === undefined) throw new Error("a user with a plugin has no way to run it");
        const bad = refused !== undefined && refused === plugged?.credentials ? plugged.given : undefined;
        const given = await world.plugin({ refused: bad, signal });
        if (plugged?.given !== given) {
          const renewal = pluginRenewal(user.exec, context);
          plugged = { given, credentials: { ...pluginCredentials(user, given), renewal } };
        }
        return plugged.credentials;
      }
      const now = world.now();
      if (last !== undefined && last.credentials !== refused && now - last.readAt < rereadMs) {
        return last.credentials;
      }
      last = { credentials: readCredentials(context, user, world), readAt: now };
      return last.credentials;
    },
  };
}

/** Whether the kubeconfig holds what client-go would present before it asks a plugin. */
function presentsItself(user: KubeconfigUser): boolean {
  return user.token !== undefined || user.tokenFile !== undefined || user.username !== undefined;
}

function readCredentials(context: string, user: KubeconfigUser, world: CredentialWorld): Credentials {
  const problem = (reason: string, hint: string) =>
    new CallError("unavailable", `Cannot log in to context ${JSON.stringify(context)} as ${reason}`, {
      hint,
    });
  const read = (material: Material, what: string): string => {
    try {
      return readMaterial(material, world.readFile);
    } catch (error) {
      throw problem(
        `the ${what} can't be used: ${reasonOf(error)}`,
        "an operator must correct the kubeconfig",
      );
    }
  };
  const headers = impersonationHeaders(user);
  if (headers.some(([, value]) => !/^[\t\x20-\x7e\x80-\xff]*$/.test(value))) {
    throw problem(
      "what it impersonates has characters that no header can hold",
      "an operator must correct the as… lines of the kubeconfig",
    );
  }
  const renewal = kubeconfigRenewal(user, context);
  let expiresAt: number | undefined;
  let identity = user.username;
  let noun: Credentials["noun"] = "credentials";
  const token = user.tokenFile === undefined
    ? user.token
    : read({ path: user.tokenFile }, "user's tokenFile").trim();
  if (token !== undefined) {
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw problem(
        "the token is empty or has characters that no token has",
        "an operator must correct the kubeconfig",
      );
    }
    headers.push(["authorization", `Bearer ${token}`]);
    expiresAt = jwtExpiry(token);
    identity = jwtSubject(token);
    noun = "token";
  } else if (user.username !== undefined) {
    headers.push(["authorization", `Basic ${base64(`${user.username}:${user.password ?? ""}`)}`]);
  } else if (user.authProvider !== undefined) {
    const { name, config } = user.authProvider;
    if (name !== "oidc") {
      throw problem(
        `its kubeconfig uses the auth-provider ${
          JSON.stringify(name.slice(0, 40))
        }, which kubectl gave up as well`,
        "an operator can write the kubeconfig anew with the cloud's own tool, which uses an exec plugin",
      );
    }
    const idToken = config["id-token"] ?? "";
    expiresAt = jwtExpiry(idToken);
    // To renew it here would use up the refresh token that the user's own kubectl has.
    if (idToken === "" || (expiresAt !== undefined && expiresAt <= world.now())) {
      throw problem(
        expiresAt === undefined
          ? "there is no id-token in it"
          : `its id-token expired at ${instant(expiresAt)}`,
        renewal,
      );
    }
    headers.push(["authorization", `Bearer ${idToken}`]);
    identity = jwtSubject(idToken);
    noun = "token";
  }
  if (user.clientCertificate === undefined || user.clientKey === undefined) {
    if (user.clientCertificate !== user.clientKey) {
      throw problem(
        "it has a client certificate or its key, and not both",
        "an operator must correct the kubeconfig",
      );
    }
    return {
      headers,
      certificate: undefined,
      expiresAt,
      identity: user.impersonate?.user ?? identity,
      noun,
      renewal,
    };
  }
  const cert = read(user.clientCertificate, "user's client-certificate");
  const key = read(user.clientKey, "user's client-key");
  return {
    headers,
    certificate: { cert, key },
    expiresAt: token === undefined ? certificateExpiry(cert) : expiresAt,
    identity: user.impersonate?.user ?? (token === undefined ? certificateUser(cert) : identity),
    noun: token === undefined ? "client certificate" : noun,
    renewal,
  };
}

function pluginCredentials(
  user: KubeconfigUser,
  given: PluginCredentials,
): Omit<Credentials, "renewal"> {
  return {
    headers: [
      ...impersonationHeaders(user),
      ...(given.token === undefined ? [] : [["authorization", `Bearer ${given.token}`] as const]),
    ],
    certificate: given.certificate,
    expiresAt: given.expiresAt,
    identity: user.impersonate?.user ?? jwtSubject(given.token ?? "") ??
      (given.certificate === undefined ? undefined : certificateUser(given.certificate.cert)),
    noun: "credentials",
  };
}

/** PEM text, from base64 in the kubeconfig or from a file. */
export function readMaterial(material: Material, readFile: (path: string) => string): string {
  if ("path" in material) return readFile(material.path);
  return new TextDecoder().decode(Uint8Array.fromBase64(material.inline.replace(/\s+/g, "")));
}

function impersonationHeaders({ impersonate }: KubeconfigUser): [name: string, value: string][] {
  if (impersonate === undefined) return [];
  return [
    ["impersonate-user", impersonate.user],
    ...(impersonate.uid === undefined ? [] : [["impersonate-uid", impersonate.uid] as [string, string]]),
    ...impersonate.groups.map((group): [string, string] => ["impersonate-group", group]),
    ...Object.entries(impersonate.extra).flatMap(([key, values]) =>
      values.map((value): [string, string] => [`impersonate-extra-${escapeKey(key)}`, value])
    ),
  ];
}

/** Percent-encodes what no header's name may hold, as client-go does (`example.com/key`). */
function escapeKey(key: string): string {
  return encodeURIComponent(key.toLowerCase()).replace(
    /[()@]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function base64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}
