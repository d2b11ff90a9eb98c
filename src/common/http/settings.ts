/** The variables of serving over HTTP: who may call, under which names, and the URL that clients see. */
import type { Environment } from "../env.ts";
import { StartError } from "../errors.ts";
import { authority, isLoopback, type ListenAddress } from "../listen_address.ts";
import type { Variable } from "../program.ts";
import { type AllowedNames, parseAllowedHosts, parseAllowedOrigins } from "./guard.ts";

/** An authorization server that callers may have their access tokens from. */
export interface OAuthSettings {
  /** The issuer identifier, character by character as its tokens have it. */
  readonly issuer: string;
  /** A token must be for one of these. */
  readonly audiences: readonly string[];
  /** A token must have all of these. */
  readonly scopes: readonly string[];
  /** The URL of `/mcp` that clients see: the protected resource, RFC 9728. */
  readonly resource: URL;
}

/** What the variables say. */
export interface HttpSettings {
  /** The file with the accepted tokens. */
  readonly tokensFile: string | undefined;
  readonly oauth: OAuthSettings | undefined;
  readonly names: AllowedNames;
  /** Whether somebody has said under which names this server is reached. */
  readonly namesAreGiven: boolean;
}

/** The variables, for `--help`. */
export const httpVariables: readonly Variable[] = [
  {
    name: "MCP_TOKENS_FILE",
    default: "",
    purpose: "a file with the accepted bearer tokens, one name:sha256hex per line; see --new-token",
    path: true,
  },
  { name: "MCP_OAUTH_ISSUER", default: "", purpose: "the authorization server whose tokens are accepted" },
  {
    name: "MCP_OAUTH_AUDIENCE",
    default: "MCP_PUBLIC_URL",
    purpose: "audiences, of which a token must name one, separated by commas",
  },
  {
    name: "MCP_OAUTH_SCOPES",
    default: "",
    purpose: "scopes a token must have, separated by spaces or commas",
  },
  { name: "MCP_PUBLIC_URL", default: "", purpose: "the URL of /mcp as clients see it" },
  {
    name: "MCP_ALLOWED_HOSTS",
    default: "loopback names",
    purpose: "host names by which clients reach this server, with or without a port, separated by commas",
  },
  {
    name: "MCP_ALLOWED_ORIGINS",
    default: "loopback names",
    purpose: "origins whose pages may call, separated by commas",
  },
];

/** Reads the variables. Throws {@linkcode StartError} for one that is wrong. */
export function readHttpSettings(environment: Environment, address: ListenAddress | undefined): HttpSettings {
  const publicUrl = readPublicUrl(environment);
  const hosts = environment.list("MCP_ALLOWED_HOSTS");
  const hostNames = parseAllowedHosts(hosts);
  return {
    tokensFile: environment.text("MCP_TOKENS_FILE"),
    oauth: readOAuth(environment, publicUrl, address),
    names: {
      hosts: publicUrl === undefined ? hostNames : [...hostNames, ...parseAllowedHosts([publicUrl.host])],
      origins: parseAllowedOrigins(environment.list("MCP_ALLOWED_ORIGINS")),
    },
    namesAreGiven: hosts.length > 0 || publicUrl !== undefined,
  };
}

function readOAuth(
  environment: Environment,
  publicUrl: URL | undefined,
  address: ListenAddress | undefined,
): OAuthSettings | undefined {
  const issuer = environment.text("MCP_OAUTH_ISSUER");
  const audiences = environment.list("MCP_OAUTH_AUDIENCE");
  const scopes = (environment.text("MCP_OAUTH_SCOPES") ?? "").split(/[\s,]+/).filter((scope) => scope !== "");
  if (issuer === undefined) {
    const lonely = ["MCP_OAUTH_AUDIENCE", "MCP_OAUTH_SCOPES"].find((name) => environment.isSet(name));
    if (lonely !== undefined) throw new StartError(`${lonely} needs MCP_OAUTH_ISSUER, which is not set`);
    return undefined;
  }
  const url = secureUrl("MCP_OAUTH_ISSUER", issuer);
  if (url.search !== "" || url.hash !== "") {
    throw new StartError("MCP_OAUTH_ISSUER must have neither a query nor a fragment");
  }
  if (scopes.some((scope) => !/^[\x21\x23-\x5B\x5D-\x7E]+$/.test(scope))) {
    throw new StartError("MCP_OAUTH_SCOPES holds a character that no scope may have");
  }
  const resource = publicUrl ?? loopbackResource(address);
  if (resource === undefined) {
    throw new StartError("MCP_OAUTH_ISSUER needs MCP_PUBLIC_URL: the URL of /mcp as clients see it");
  }
  return { issuer, audiences: audiences.length > 0 ? audiences : [resource.href], scopes, resource };
}

/** The URL of `/mcp` where nobody but this machine can see it. */
function loopbackResource(address: ListenAddress | undefined): URL | undefined {
  if (address === undefined) return new URL("http://127.0.0.1/mcp");
  return isLoopback(address.hostname) ? new URL(`http://${authority(address)}/mcp`) : undefined;
}

function readPublicUrl(environment: Environment): URL | undefined {
  const text = environment.text("MCP_PUBLIC_URL");
  if (text === undefined) return undefined;
  const url = secureUrl("MCP_PUBLIC_URL", text, false);
  if (url.search !== "" || url.hash !== "") {
    throw new StartError("MCP_PUBLIC_URL must have neither a query nor a fragment");
  }
  if (url.pathname === "/") url.pathname = "/mcp";
  return url;
}

/** A URL without credentials; what tokens are checked against must not come over a plain connection. */
function secureUrl(name: string, text: string, mustBeSecure = true): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new StartError(`${name} must be a URL that begins with https://`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new StartError(`${name} must hold neither a user name nor a password`);
  }
  if (mustBeSecure && url.protocol === "http:" && !isLoopback(url.hostname.replace(/^\[|\]$/g, ""))) {
    throw new StartError(`${name} must begin with https://: http is for loopback alone`);
  }
  return url;
}
