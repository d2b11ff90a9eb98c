/** Who prometheus-mcp says it is: a bearer token or a name and password, extra headers, a tenant. */
import type { Environment } from "../common/env.ts";
import { CallError, StartError } from "../common/errors.ts";
import { isRecord } from "../common/record.ts";

/** What identifies this program to Prometheus. Secrets are read again for each request. */
export interface Credentials {
  /** Headers of a request. Throws {@linkcode CallError} when a file that was rotated holds no usable secret. */
  readonly headers: () => Headers;
  /** The secrets as they are now, for taking them out of what a server repeats. */
  readonly secrets: () => readonly string[];
  /** The variables that say who we are, for advice; empty for nobody. */
  readonly variables: readonly string[];
}

/** Headers that frame a request, name its host or turn it into another one: none of them is the user's to set. */
const OWN_HEADERS = new Set(
  ("host connection keep-alive transfer-encoding content-length content-type content-encoding te trailer upgrade " +
    "expect accept-encoding range via forwarded x-http-method x-http-method-override x-method-override " +
    "x-original-url x-rewrite-url x-forwarded-host x-forwarded-prefix").split(" "),
);
/** RFC 9110, section 5.6.2. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110, section 5.5, without what is only allowed for old times' sake. */
const HEADER_VALUE = /^[\x20-\x7e\t]*$/;
/** RFC 6750 is narrower; proxies with tokens of their own are not. */
const TOKEN = /^[\x21-\x7e]+$/;

/** Reads who we are. Throws {@linkcode StartError} for a variable that is set but wrong. */
export function readCredentials(environment: Environment): Credentials {
  const token = environment.secret("PROMETHEUS_TOKEN");
  const username = environment.text("PROMETHEUS_USERNAME");
  const password = environment.secret("PROMETHEUS_PASSWORD");
  const json = environment.secret("PROMETHEUS_HEADERS");
  const tenant = environment.text("PROMETHEUS_ORG_ID");
  if (token() !== undefined && (username !== undefined || password() !== undefined)) {
    const other = username === undefined ? "PROMETHEUS_PASSWORD" : "PROMETHEUS_USERNAME";
    throw new StartError(`PROMETHEUS_TOKEN and ${other} are both set: unset one of them`);
  }
  if (username === undefined && password() !== undefined) {
    throw new StartError("PROMETHEUS_PASSWORD is set without PROMETHEUS_USERNAME");
  }
  // RFC 7617, section 2: the first colon ends the name.
  // deno-lint-ignore no-control-regex
  if (username !== undefined && /[:\x00-\x1f\x7f]/.test(username)) {
    throw new StartError("PROMETHEUS_USERNAME must not contain a colon or a control character");
  }
  if (tenant !== undefined && (!HEADER_VALUE.test(tenant) || tenant !== tenant.trim())) {
    throw new StartError("PROMETHEUS_ORG_ID must be printable ASCII without blanks at its ends");
  }

  const build = (): Headers => {
    const headers = new Headers(parseHeaders(json()));
    const bearer = token();
    if (bearer !== undefined) {
      if (!TOKEN.test(bearer)) throw new Error("PROMETHEUS_TOKEN must be printable ASCII without blanks");
      setOnce(headers, "Authorization", `Bearer ${bearer}`, "PROMETHEUS_TOKEN");
    }
    if (username !== undefined) {
      const pair = basicPair(username, password());
      setOnce(headers, "Authorization", `Basic ${pair}`, "PROMETHEUS_USERNAME");
    }
    if (tenant !== undefined) setOnce(headers, "X-Scope-OrgID", tenant, "PROMETHEUS_ORG_ID");
    return headers;
  };
  try {
    build();
  } catch (error) {
    throw new StartError(error instanceof Error ? error.message : "PROMETHEUS_HEADERS is wrong");
  }
  return {
    headers() {
      try {
        return build();
      } catch (error) {
        throw new CallError(
          "unavailable",
          "Cannot ask Prometheus as the credentials can't be used any more",
          {
            hint: "an operator must check the files that hold them; the log says what is wrong",
            cause: error,
          },
        );
      }
    },
    secrets: () => knownSecrets(token(), username, password(), json()),
    variables: [
      ...(token() === undefined ? [] : ["PROMETHEUS_TOKEN"]),
      ...(username === undefined ? [] : ["PROMETHEUS_USERNAME"]),
      ...(password() === undefined ? [] : ["PROMETHEUS_PASSWORD"]),
      ...(json() === undefined ? [] : ["PROMETHEUS_HEADERS"]),
      ...(tenant === undefined ? [] : ["PROMETHEUS_ORG_ID"]),
    ],
  };
}

/** RFC 7617, in UTF-8. */
function basicPair(username: string, password = ""): string {
  return new TextEncoder().encode(`${username}:${password}`).toBase64();
}

function setOnce(headers: Headers, name: string, value: string, variable: string): void {
  if (headers.has(name)) {
    throw new Error(`PROMETHEUS_HEADERS sets ${name}, which ${variable} sets as well: unset one of them`);
  }
  headers.set(name, value);
}

/** A JSON object of strings. The errors name what is wrong, and never repeat a value. */
function parseHeaders(json: string | undefined): Record<string, string> {
  if (json === undefined) return {};
  const form = `PROMETHEUS_HEADERS must be a JSON object of strings, such as {"X-Name": "value"}`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw new Error(form);
  }
  if (!isRecord(parsed)) throw new Error(form);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (typeof value !== "string") throw new Error(form);
    // A name that is none might be a value in the wrong place: it is not repeated.
    if (!HEADER_NAME.test(name)) throw new Error("PROMETHEUS_HEADERS has a name that is not a header name");
    const lower = name.toLowerCase();
    if (OWN_HEADERS.has(lower) || lower.startsWith("proxy-")) {
      throw new Error(`PROMETHEUS_HEADERS must not set ${name}`);
    }
    if (!HEADER_VALUE.test(value)) {
      throw new Error(`PROMETHEUS_HEADERS must set ${name} to printable ASCII`);
    }
    if (headers[lower] !== undefined) throw new Error(`PROMETHEUS_HEADERS sets ${name} twice`);
    headers[lower] = value;
  }
  return headers;
}

/** Shorter ones would take common words with them. */
const shortestSecret = 6;

function knownSecrets(
  token: string | undefined,
  username: string | undefined,
  password: string | undefined,
  json: string | undefined,
): readonly string[] {
  const all = [token, password];
  if (username !== undefined) all.push(basicPair(username, password));
  try {
    for (const value of Object.values(parseHeaders(json))) {
      all.push(value, value.replace(/^\S+\s+/, ""));
    }
  } catch { /* a file that is being written */ }
  return all.filter((secret): secret is string => secret !== undefined && secret.length >= shortestSecret)
    .sort((a, b) => b.length - a.length);
}
