/** When credentials end, as they say themselves. Nothing is verified here: the apiserver does that. */
import type { X509Certificate } from "node:crypto";
import process from "node:process";

/** Milliseconds since 1970 at which a JSON Web Token expires; undefined where it is none, or does not say (RFC 7519). */
export function jwtExpiry(token: string): number | undefined {
  const expiry = jwtClaims(token)?.exp;
  return typeof expiry === "number" ? expiry * 1000 : undefined;
}

/** Whom a JSON Web Token is about. */
export function jwtSubject(token: string): string | undefined {
  const subject = jwtClaims(token)?.sub;
  return typeof subject === "string" ? subject : undefined;
}

function jwtClaims(token: string): Readonly<Record<string, unknown>> | undefined {
  const [, payload, signature] = token.split(".");
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const bytes = Uint8Array.fromBase64(payload, { alphabet: "base64url" });
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    // An object's fields are read as unknown.
    return typeof claims === "object" && claims !== null ? claims as Record<string, unknown> : undefined;
  } catch {
    return undefined;
  }
}

/** Milliseconds since 1970 at which the first certificate of a PEM text expires; undefined where there is none. */
export function certificateExpiry(pem: string): number | undefined {
  const validTo = certificate(pem)?.validTo;
  const time = validTo === undefined ? NaN : Date.parse(validTo);
  return Number.isNaN(time) ? undefined : time;
}

/** Kubernetes' user of a client certificate: its common name. */
export function certificateUser(pem: string): string | undefined {
  return certificate(pem)?.subject.match(/^CN=(.+)$/m)?.[1];
}

function certificate(pem: string): X509Certificate | undefined {
  try {
    const { X509Certificate } = process.getBuiltinModule("node:crypto");
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** `2026-11-23 00:10:00 UTC` */
export function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}
