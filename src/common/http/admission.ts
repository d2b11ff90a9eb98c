/** Who may call: the holder of a token, of an access token of the authorization server, or whoever is on this machine. */
import { plain } from "./answers.ts";
import type { HttpRequest } from "./http_request.ts";
import type { RefusalLog } from "./refusal_log.ts";
import type { TokenFile } from "./tokens.ts";

/** A caller that may go on. */
export interface Admitted {
  /** The name in the audit log and the rate limit. */
  readonly client: string;
  /** Aborts when the caller may no longer call. */
  readonly revoked: AbortSignal | undefined;
  /** Milliseconds since the epoch from which on the caller needs another token. */
  readonly expiresAt?: number;
}

/** Checks access tokens of an authorization server. */
export interface AccessTokenVerifier {
  /** Throws {@linkcode AccessTokenError}. */
  verify(token: string): Promise<Admitted>;
  /** The parameters of a challenge that lead a client to the authorization server. */
  readonly challenge: Readonly<Record<string, string>>;
}

/** An access token that is not accepted, or that nobody can check. */
export class AccessTokenError extends Error {
  override readonly name = "AccessTokenError";
  readonly code: "invalid_token" | "insufficient_scope" | "unavailable";

  constructor(code: AccessTokenError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What callers are checked against; with neither, everybody who reaches the server is on this machine. */
export interface AdmissionOptions {
  readonly tokens: TokenFile | undefined;
  readonly accessTokens: AccessTokenVerifier | undefined;
  readonly refusals: RefusalLog;
}

/** RFC 6750's `b64token`. */
const tokenSyntax = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;
const retrySeconds = 5;

/** Lets callers in, or answers them. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** The caller, or the answer that says what is missing. */
  async admit(request: HttpRequest): Promise<Admitted | Response> {
    const { tokens, accessTokens } = this.#options;
    if (tokens === undefined && accessTokens === undefined) return { client: "loopback", revoked: undefined };
    const header = request.headers.get("authorization");
    if (header === null) return this.#challenge(401, undefined, "A bearer token is required");
    const token = tokenSyntax.exec(header)?.[1];
    if (token === undefined) {
      return this.#challenge(401, "invalid_token", "The Authorization header must hold Bearer and one token");
    }
    const holder = tokens?.holder(token);
    if (holder !== undefined) return { client: holder.name, revoked: holder.revoked };
    if (accessTokens === undefined) {
      return this.#challenge(401, "invalid_token", "This token is not accepted");
    }
    try {
      return await accessTokens.verify(token);
    } catch (error) {
      if (!(error instanceof AccessTokenError)) throw error;
      if (error.code === "unavailable") {
        return plain(503, error.message, { "retry-after": String(retrySeconds) });
      }
      return this.#challenge(error.code === "insufficient_scope" ? 403 : 401, error.code, error.message);
    }
  }

  /** RFC 6750, section 3: what is missing, and no error where nothing was shown. */
  #challenge(status: 401 | 403, error: string | undefined, description: string): Response {
    // A client that shows nothing is one that asks how to begin.
    if (error !== undefined) this.#options.refusals.tell("unauthorized", description);
    const parameters = {
      realm: "mcp",
      ...(error === undefined ? {} : { error, error_description: description }),
      ...this.#options.accessTokens?.challenge,
    };
    const list = Object.entries(parameters).map(([name, value]) =>
      `${name}="${value.replace(/["\\]/g, "\\$&")}"`
    );
    return Response.json(
      { error: error ?? "invalid_request", error_description: description },
      { status, headers: { "www-authenticate": `Bearer ${list.join(", ")}`, "cache-control": "no-store" } },
    );
  }
}
