/**
 * An authorization server as a resource server sees it: its metadata (RFC 8414, OpenID Connect Discovery) and its
 * signing keys, fetched when they are needed and again when a token names a key that is not known.
 */
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from "jose";
import { boundedFetch, TransportFault } from "../bounded_fetch.ts";
import { isLoopback } from "../listen_address.ts";
import { isRecord } from "../record.ts";

/** The authorization server can't be asked, or answers what nobody can use. The message is a clause that says why. */
export class IssuerError extends Error {
  override readonly name = "IssuerError";
}

const timeoutMs = 5_000;
const maxBytes = 1024 * 1024;
/** How long the metadata stay true, and for how long a failure is not tried again. */
const metadataMs = 60 * 60_000;
const failureMs = 2_000;
/** How long keys are kept, and how long after one fetch an unknown key leads to no other. */
const keysMs = 10 * 60_000;
const cooldownMs = 10_000;

/** One authorization server. */
export class Issuer {
  readonly #identifier: string;
  readonly #now: () => number;
  #keys: { readonly get: JWTVerifyGetKey; readonly at: number; latest: number } | undefined;
  #asking: Promise<JWTVerifyGetKey> | undefined;
  #failure: { readonly error: unknown; readonly at: number } | undefined;
  #keysFailure: { readonly error: unknown; readonly at: number } | undefined;

  /** `identifier` is the issuer's URL, character by character as its tokens have it; `now` is in milliseconds. */
  constructor(identifier: string, now: () => number = () => performance.now()) {
    this.#identifier = identifier;
    this.#now = now;
  }

  /** The keys that its tokens are signed with. Throws {@linkcode IssuerError}. */
  async keys(): Promise<JWTVerifyGetKey> {
    const kept = this.#keys;
    if (kept !== undefined && this.#now() - kept.at < metadataMs && !isSetBack(kept)) return kept.get;
    if (this.#failure !== undefined && this.#now() - this.#failure.at < failureMs) throw this.#failure.error;
    this.#asking ??= this.#discover().finally(() => this.#asking = undefined);
    return await this.#asking;
  }

  async #discover(): Promise<JWTVerifyGetKey> {
    try {
      const jwksUri = await this.#jwksUri();
      const get = createRemoteJWKSet(jwksUri, {
        timeoutDuration: timeoutMs,
        cooldownDuration: cooldownMs,
        cacheMaxAge: keysMs,
        [customFetch]: async (url) => new Response(await this.#keySet(new URL(url))),
      });
      this.#keys = { get, at: this.#now(), latest: Date.now() };
      this.#failure = undefined;
      return get;
    } catch (error) {
      this.#failure = { error, at: this.#now() };
      throw error;
    }
  }

  /** The keys as JSON; a failure is remembered, so that no stranger's token can have them fetched at will. */
  async #keySet(url: URL): Promise<string> {
    const failure = this.#keysFailure;
    if (failure !== undefined && this.#now() - failure.at < failureMs) throw failure.error;
    try {
      const text = await fetchText(url);
      if (!isKeySet(text)) throw new IssuerError("what it publishes is not a set of keys");
      this.#keysFailure = undefined;
      return text;
    } catch (error) {
      this.#keysFailure = { error, at: this.#now() };
      throw error;
    }
  }

  async #jwksUri(): Promise<URL> {
    let lastProblem: unknown = new IssuerError("it publishes no metadata");
    for (const url of metadataUrls(this.#identifier)) {
      let metadata: unknown;
      try {
        metadata = JSON.parse(await fetchText(url));
      } catch (error) {
        lastProblem = error instanceof SyntaxError ? new IssuerError("its metadata are not JSON") : error;
        continue;
      }
      const { issuer, jwks_uri } = (metadata ?? {}) as { issuer?: unknown; jwks_uri?: unknown };
      // RFC 8414, section 3.3: else another server could speak for it.
      if (issuer !== this.#identifier) throw new IssuerError("its metadata are those of another issuer");
      if (typeof jwks_uri !== "string" || !URL.canParse(jwks_uri)) {
        throw new IssuerError("its metadata name no keys");
      }
      const keys = new URL(jwks_uri);
      const isPlain = keys.protocol === "http:" && isLoopback(keys.hostname.replace(/^\[|\]$/g, ""));
      if (keys.protocol !== "https:" && !isPlain) {
        throw new IssuerError("its keys come over an unencrypted connection");
      }
      return keys;
    }
    throw lastProblem;
  }
}

/**
 * Whether the wall clock, by which jose ages keys, was set back since they were made: they would be kept, and no key be
 * asked for that a token names anew, for as long as it was set back.
 */
function isSetBack(kept: { latest: number }): boolean {
  const now = Date.now();
  kept.latest = Math.max(kept.latest, now);
  return kept.latest - now > cooldownMs;
}

/** Where the metadata may be: RFC 8414, section 3.1, and OpenID Connect Discovery, section 4. */
function metadataUrls(identifier: string): readonly URL[] {
  const { origin, pathname } = new URL(identifier);
  const path = pathname.replace(/\/$/, "");
  const urls = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
  return [...new Set(urls)].map((url) => new URL(url));
}

/** Whether it is a JWK Set, https://www.rfc-editor.org/rfc/rfc7517#section-5. */
function isKeySet(text: string): boolean {
  try {
    const set: unknown = JSON.parse(text);
    return isRecord(set) && Array.isArray(set.keys) && set.keys.every(isRecord);
  } catch {
    return false;
  }
}

async function fetchText(url: URL): Promise<string> {
  try {
    const response = await boundedFetch(url, {
      method: "GET",
      headers: new Headers({ accept: "application/json" }),
      client: undefined,
      signal: new AbortController().signal,
      timeoutMs,
      maxBytes,
    });
    if (response.status === 200) return await response.text();
    await response.discard();
    throw new IssuerError(`it answers with status ${response.status}`);
  } catch (error) {
    if (error instanceof TransportFault) throw new IssuerError(error.message, { cause: error });
    throw error;
  }
}
