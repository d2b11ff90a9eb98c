/**
 * Which Host and which Origin a request may have, on every route: a page in somebody's browser must not reach this
 * server by a name of its own (DNS rebinding), https://modelcontextprotocol.io/specification (transports, security).
 */
import { StartError } from "../errors.ts";
import type { HttpRequest } from "./http_request.ts";

/** A name that a request may have, and the port if it must be a certain one. */
interface AllowedName {
  /** `https:` and so on, where only that will do. */
  readonly scheme: string | undefined;
  /** In lower case, an IPv6 address in brackets. */
  readonly hostname: string;
  readonly port: string | undefined;
}

/** The names that requests may have. */
export interface AllowedNames {
  readonly hosts: readonly AllowedName[];
  readonly origins: readonly AllowedName[];
}

/** Why a request is refused, and the status to refuse it with. */
export interface GuardRefusal {
  readonly status: 400 | 403;
  readonly reason: "host" | "origin";
  readonly message: string;
}

/** Names of this machine that no name server is asked about. */
const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];
const hostSyntax = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::(\d{1,5}))?$/;

/** Reads `MCP_ALLOWED_HOSTS`; none means the names of this machine. An IPv6 address may stand without brackets. */
export function parseAllowedHosts(items: readonly string[]): readonly AllowedName[] {
  const names = items.length === 0 ? loopbackNames : items;
  return names.map((item) => {
    const text = item.toLowerCase();
    const parts = hostSyntax.exec(/^[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*$/.test(text) ? `[${text}]` : text);
    const hostname = parts?.[1];
    if (hostname === undefined) {
      throw new StartError(
        "MCP_ALLOWED_HOSTS must be host names, with or without a port, separated by commas",
      );
    }
    return { scheme: undefined, hostname, port: parts?.[2] };
  });
}

/** Reads `MCP_ALLOWED_ORIGINS`: origins such as `https://app.example.com`, or host names alone. */
export function parseAllowedOrigins(items: readonly string[]): readonly AllowedName[] {
  if (items.length === 0) return parseAllowedHosts([]);
  return items.map((item) => {
    const [, scheme, name = ""] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)\/?$/i.exec(item) ?? [, undefined, item];
    const parts = hostSyntax.exec(name.toLowerCase());
    const hostname = parts?.[1];
    if (hostname === undefined) {
      throw new StartError(
        "MCP_ALLOWED_ORIGINS must be origins such as https://app.example.com, separated by commas",
      );
    }
    const protocol = scheme === undefined ? undefined : `${scheme.toLowerCase()}:`;
    // An origin without a port means its scheme's own; a name without a scheme means any.
    const port = parts?.[2] ?? (protocol === undefined ? undefined : usualPort(protocol));
    return { scheme: protocol, hostname, port };
  });
}

/** Checks one request's headers; undefined when it may go on. */
export function refuseByName(request: HttpRequest, allowed: AllowedNames): GuardRefusal | undefined {
  const host = request.headers.get("host");
  if (host === null) return { status: 400, reason: "host", message: "The Host header is missing" };
  const parts = hostSyntax.exec(host.toLowerCase());
  const hostname = parts?.[1];
  const asked = URL.parse(request.url)?.host;
  // A request line may name a host of its own, which then must not be another.
  if (hostname === undefined || asked === undefined || asked !== sameAs(host)) {
    return { status: 400, reason: "host", message: "The Host header is not a valid host" };
  }
  if (!isAllowed(allowed.hosts, "http:", hostname, parts?.[2])) {
    return {
      status: 403,
      reason: "host",
      message: `The Host ${hostname} is not allowed: an operator can name it in MCP_ALLOWED_HOSTS`,
    };
  }
  const origin = request.headers.get("origin");
  if (origin === null) return undefined;
  const [, scheme = "", name = ""] = /^([a-z][a-z0-9+.-]*:)\/\/(.*)$/.exec(origin.toLowerCase()) ?? [];
  const from = hostSyntax.exec(name);
  if (from?.[1] !== undefined && isAllowed(allowed.origins, scheme, from[1], from[2])) return undefined;
  return {
    status: 403,
    reason: "origin",
    message: "This Origin is not allowed: an operator can name it in MCP_ALLOWED_ORIGINS",
  };
}

/** A Host header as `URL.host` writes it. */
function sameAs(host: string): string | undefined {
  return URL.parse(`http://${host}`)?.host;
}

function isAllowed(
  names: readonly AllowedName[],
  scheme: string,
  hostname: string,
  port: string | undefined,
): boolean {
  const bare = (name: string) => name.replace(/\.$/, "");
  return names.some((name) =>
    bare(name.hostname) === bare(hostname) && (name.scheme === undefined || name.scheme === scheme) &&
    (name.port === undefined || name.port === (port ?? usualPort(scheme)))
  );
}

function usualPort(scheme: string): string | undefined {
  return scheme === "https:" ? "443" : scheme === "http:" ? "80" : undefined;
}
