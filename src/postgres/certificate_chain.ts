/**
 * Checks a server's certificate against the given authorities and no others, as libpq does with sslrootcert: Deno
 * trusts its own authorities too, whatever `ca` says.
 */
import { Buffer } from "node:buffer";
import type { X509Certificate } from "node:crypto";
import process from "node:process";

/** A longer chain is nobody's. */
const maxLength = 10;

/**
 * The certificates of a text in PEM (RFC 7468), which may hold other things too; undefined where there is none, or
 * one that is broken.
 */
export function readCertificates(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*(?:-----END CERTIFICATE-----)?/g) ?? [];
  try {
    const { X509Certificate } = process.getBuiltinModule("node:crypto");
    const certificates = blocks.map((block) => {
      const [, base64] = block.match(/^-----BEGIN CERTIFICATE-----([\sA-Za-z0-9+/=]+)-----END/) ?? [];
      if (base64 === undefined) throw new Error("broken");
      return new X509Certificate(Buffer.from(base64, "base64"));
    });
    return certificates.length === 0 ? undefined : certificates;
  } catch {
    return undefined;
  }
}

/** What the server sent: its own certificate first, and the intermediates as far as the runtime tells them. */
export function sentChain(leaf: X509Certificate | undefined): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let next = leaf; next !== undefined && chain.length < maxLength; next = next.issuerCertificate) {
    if (chain.some((known) => sameCertificate(known, next))) break;
    chain.push(next);
  }
  return chain;
}

/**
 * Why `sent` does not lead to one of `roots`, as half a sentence; undefined when it does. `now` is a time stamp in
 * milliseconds. Certificates that were sent and are no link between the two have no say.
 */
export function findDistrust(
  sent: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  now: number = Date.now(),
): string | undefined {
  const [leaf, ...intermediates] = sent;
  if (leaf === undefined) return "its certificate can't be read";
  let reason = "its certificate is from an authority that is not trusted";
  const leads = (certificate: X509Certificate, length: number): boolean => {
    const outdated = outdatedReason(certificate, now);
    if (outdated !== undefined) {
      reason = outdated;
      return false;
    }
    // Naming a server's self-signed certificate itself is trust in it.
    if (roots.some((root) => sameCertificate(root, certificate)) && isIssuer(certificate, certificate)) {
      return true;
    }
    for (const root of roots) {
      if (!root.ca || !isIssuer(root, certificate)) continue;
      const late = outdatedReason(root, now);
      if (late === undefined) return true;
      reason = late;
    }
    return length < maxLength &&
      intermediates.some((next) =>
        next.ca && !sameCertificate(next, certificate) && isIssuer(next, certificate) &&
        leads(next, length + 1)
      );
  };
  return leads(leaf, 1) ? undefined : reason;
}

function sameCertificate(one: X509Certificate, other: X509Certificate): boolean {
  return one.raw.equals(other.raw);
}

function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // A key or a signature of a kind that the runtime does not know.
    return false;
  }
}

function outdatedReason({ validFrom, validTo }: X509Certificate, now: number): string | undefined {
  // A date that can't be read is NaN, which is neither before nor after.
  if (!(Date.parse(validTo) >= now)) return "a certificate of its chain has expired";
  if (!(Date.parse(validFrom) <= now)) return "a certificate of its chain is not valid yet";
  return undefined;
}
