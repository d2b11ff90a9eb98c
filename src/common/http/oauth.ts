/**
 * The OAuth 2.1 resource server: checks access tokens that are JWTs (RFC 9068), and tells clients where to get one
 * (RFC 9728), as https://modelcontextprotocol.io/specification (authorization) asks.
 */
import type { CheckResult } from "../check_result.ts";
import { errors, type JWTPayload, jwtVerify } from "jose";
import type { Logger } from "../log.ts";
import { visible } from "../visible.ts";
import { AccessTokenError, type AccessTokenVerifier, type Admitted } from "./admission.ts";
import { Issuer, IssuerError } from "./issuer.ts";
import type { OAuthSettings } from "./settings.ts";

/** Asymmetric alone: with a shared secret whoever can check a token can make one. */
const algorithms = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];
/** What `typ` may be: an identity token of another kind says so there. */
const tokenTypes = ["jwt", "at+jwt", "application/at+jwt"];
/** Characters of a subject, https://openid.net/specs/openid-connect-core-1_0.html#IDToken. */
const maxSubject = 255;
/** Seconds that clocks may differ by. */
const clockTolerance = 5;
const metadataPath = "/.well-known/oauth-protected-resource";

/** Checks access tokens of one authorization server. */
export class OAuth implements AccessTokenVerifier {
  readonly challenge: Readonly<Record<string, string>>;
  /** The protected resource's metadata, by path. */
  readonly documents: ReadonlyMap<string, () => Response>;
  readonly #settings: OAuthSettings;
  readonly #issuer: Issuer;
  readonly #log: Logger;
  /** Why no token could be checked, since one could. */
  #complaint: string | undefined;

  constructor(settings: OAuthSettings, log: Logger) {
    const { resource, scopes, issuer } = settings;
    this.#settings = settings;
    this.#issuer = new Issuer(issuer);
    this.#log = log;
    // RFC 9728, section 3.1: the well-known path goes between the host and the resource's own path.
    const metadataUrl = new URL(`${metadataPath}${resource.pathname}`, resource);
    this.challenge = {
      ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
      resource_metadata: metadataUrl.href,
    };
    const document = () =>
      Response.json({
        resource: resource.href,
        authorization_servers: [issuer],
        bearer_methods_supported: ["header"],
        ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
      }, { headers: { "cache-control": "max-age=300" } });
    // A proxy may strip the resource's own path, or leave it.
    const paths = [metadataPath, `${metadataPath}/mcp`, metadataUrl.pathname];
    this.documents = new Map(paths.map((path) => [path, document]));
  }

  async verify(token: string): Promise<Admitted> {
    const { issuer, audiences, scopes } = this.#settings;
    if (token.split(".").length !== 3) {
      throw new AccessTokenError(
        "invalid_token",
        "This token is not accepted: it is neither a known one nor a JWT",
      );
    }
    let payload: JWTPayload;
    try {
      const verified = await jwtVerify(token, await this.#issuer.keys(), {
        issuer,
        audience: [...audiences],
        algorithms,
        clockTolerance,
        requiredClaims: ["exp"],
      });
      payload = verified.payload;
      this.#complaint = undefined;
      const type: unknown = verified.protectedHeader.typ;
      if (type !== undefined && !tokenTypes.includes(String(type).toLowerCase())) {
        throw new AccessTokenError("invalid_token", "This JWT is not an access token");
      }
    } catch (error) {
      throw this.#explain(error);
    }
    const granted = scopesOf(payload);
    const missing = scopes.filter((scope) => !granted.includes(scope));
    if (missing.length > 0) {
      throw new AccessTokenError("insufficient_scope", `The token lacks ${missing.join(", ")}`);
    }
    const subject = [payload.sub, payload.client_id, payload.azp].find((claim) =>
      typeof claim === "string" && claim !== ""
    );
    // One that is cut could be another's.
    if (typeof subject !== "string" || subject.length > maxSubject) {
      throw new AccessTokenError("invalid_token", "The token has no subject");
    }
    // No name in a token file has a colon: nobody can pass for somebody else.
    const client = `oauth:${visible(subject)}`;
    const expires = payload.exp === undefined ? {} : { expiresAt: (payload.exp + clockTolerance) * 1000 };
    return { client, revoked: undefined, ...expires };
  }

  /** Says whether the authorization server's keys can be had. */
  async check(say: (line: string) => void): Promise<CheckResult> {
    const { issuer, audiences } = this.#settings;
    try {
      await this.#issuer.keys();
      say(`Access tokens of ${issuer} are accepted that are for ${audiences.join(" or ")}.`);
      return "well";
    } catch (error) {
      if (!(error instanceof IssuerError)) throw error;
      say(
        `No access token can be checked: the authorization server ${issuer} can't be used, as ${error.message}.`,
      );
      return "down";
    }
  }

  /** What went wrong, in the terms of RFC 6750; where nobody can check a token, nobody is let in. */
  #explain(error: unknown): AccessTokenError {
    const invalid = (message: string) => new AccessTokenError("invalid_token", message, { cause: error });
    if (error instanceof AccessTokenError) return error;
    if (error instanceof errors.JWTExpired) return invalid("The token has expired");
    if (error instanceof errors.JWTClaimValidationFailed) {
      return invalid(claimProblems[error.claim] ?? "The token lacks a claim, or has a wrong one");
    }
    if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
      return invalid("The token is signed in a way that is not accepted");
    }
    const isTokens = error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWTInvalid ||
      error instanceof errors.JWSInvalid || error instanceof errors.JWSSignatureVerificationFailed ||
      error instanceof errors.JWKSMultipleMatchingKeys;
    if (isTokens) return invalid("The token is not signed by the authorization server");
    // Else a stranger's token that names such a key would look like an outage.
    if (!(error instanceof IssuerError)) return invalid("The token is signed with a key that can't be used");
    const reason = error.message;
    // Strangers must not fill the log.
    if (reason !== this.#complaint) {
      this.#log.warn("access tokens can't be checked", { issuer: this.#settings.issuer, reason });
    }
    this.#complaint = reason;
    return new AccessTokenError(
      "unavailable",
      "Access tokens can't be checked now, as the authorization server does not answer: try again in a moment",
      { cause: error },
    );
  }
}

const claimProblems: Readonly<Record<string, string>> = {
  aud: "The token is for another audience",
  iss: "The token is from another issuer",
  nbf: "The token is not valid yet",
  exp: "The token does not say when it expires",
};

/** `scope` as RFC 8693 has it, or `scp` as some authorization servers do. */
function scopesOf({ scope, scp }: JWTPayload): readonly string[] {
  return [scope, scp].flatMap((claim): unknown[] => Array.isArray(claim) ? claim : [claim])
    .flatMap((claim) => typeof claim === "string" ? claim.split(" ") : []);
}
