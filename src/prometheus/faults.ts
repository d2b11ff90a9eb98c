/** What went wrong between prometheus-mcp and Prometheus, each in a sentence of its own, and what to do about it. */
import { exhaustedHint, TransportFault } from "../common/bounded_fetch.ts";
import { CallError, type CallErrorKind } from "../common/errors.ts";
import { maskSecrets } from "../common/secrets_mask.ts";
import { shortened } from "../common/shortened.ts";
import type { Credentials } from "./credentials.ts";
import { withoutSecrets } from "./own_secrets.ts";
import { type ReadingName, readings } from "./reading_paths.ts";
import type { PrometheusSettings } from "./settings.ts";
import { isMistake, victoriaType, withoutQuery } from "./victoria_metrics.ts";

/** An answer's head, and what is needed to speak of it. */
export interface Answered {
  readonly reading: ReadingName;
  readonly host: string;
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | undefined;
  readonly credentials: Credentials;
}

/** Characters of another's text in a sentence of ours. */
const quotedLength = 300;
/** A parse error repeats the query, and points into it. */
const quotedErrorLength = 2_000;

/** Characters of it that are looked at. */
const longestQuotable = 65_536;

/** There was no whole answer. */
export function transportError(
  reading: ReadingName,
  { url, tls }: PrometheusSettings,
  fault: TransportFault,
): CallError {
  const at = `Prometheus at ${url.host}`;
  const what = readings[reading].purpose;
  const error = (kind: CallErrorKind, message: string, hint: string) =>
    new CallError(kind, message, { hint, cause: fault });
  switch (fault.kind) {
    case "timeout":
      return error(
        "unavailable",
        `Cannot ${what} as ${at} is too slow: ${fault.message}`,
        "ask for fewer series or a shorter time, or try again later",
      );
    case "too_large":
      return error(
        "refused",
        `Cannot ${what} as ${fault.message}`,
        "aggregate with sum by (…), topk(10, …) or a narrower selector, or ask for a shorter time",
      );
    case "tls":
      return error(
        "unavailable",
        `Cannot reach ${at} as ${fault.message}`,
        fault.message.includes("authority") && tls.authority() === undefined
          ? "an operator must name the certificate authority in PROMETHEUS_CA_FILE"
          : "an operator must check PROMETHEUS_URL, PROMETHEUS_CA_FILE, PROMETHEUS_CERT_FILE and the server's certificate",
      );
    case "redirect":
      return error(
        "unavailable",
        `Cannot ${what} as ${at} answers with a redirect, which is not followed`,
        "an operator must set PROMETHEUS_URL to where Prometheus itself is, its path prefix included; a login page answers so too",
      );
    case "permission":
      return error(
        "unavailable",
        `Cannot reach ${at} as ${fault.message}`,
        "an operator must check the host and port of PROMETHEUS_URL, and the net permission that prometheus-mcp was built or started with",
      );
    case "exhausted":
      return error("unavailable", `Cannot reach ${at} as ${fault.message}`, exhaustedHint);
    case "broken":
      return error(
        "unavailable",
        `Cannot ${what} as ${at} did not finish its answer: ${fault.message}`,
        url.protocol === "https:"
          // In TLS 1.3 a client certificate is refused after the handshake, and the reason may be lost with the connection.
          ? "try again; if this persists, an operator must look at Prometheus, at proxies in front of it, and at the client certificate if it wants one"
          : "try again; if this persists, an operator must look at Prometheus and at proxies in front of it",
      );
    default:
      return error(
        "unavailable",
        `Cannot reach ${at} as ${fault.message}`,
        "an operator must check PROMETHEUS_URL and that Prometheus runs; a port-forward may have ended",
      );
  }
}

/** The answer has another status than 200. `body` is its start. */
export function backendRefusal(answered: Answered, body: string): CallError {
  const { reading, host, status } = answered;
  const { purpose, path } = readings[reading];
  const told = tellError(answered, body);
  const said = told === undefined ? "" : `: ${wordsOf(told)}`;
  const error = (kind: CallErrorKind, message: string, hint?: string) =>
    new CallError(kind, message, { hint });

  if (status === 401 || status === 403 || status === 407) return unauthorized(answered, body);
  if (told?.type === "timeout" || told?.type === "canceled") {
    return error(
      "unavailable",
      `Cannot ${purpose} as Prometheus gave up${said}`,
      "ask for fewer series or a shorter time, or try again later",
    );
  }
  if (told !== undefined && told.type !== "unavailable" && status !== 404 && status < 500) {
    const invalid = told.type === "bad_data" || (told.type === victoriaType && isMistake(told.text));
    return error(
      invalid ? "invalid" : "failed",
      `Cannot ${purpose} as Prometheus refuses it${said}`,
      invalid ? undefined : "change the query: fewer series, a shorter time, or other matching",
    );
  }
  if (status === 429 || status === 502 || status === 503 || status === 504) {
    const reason = status === 429
      ? "is asked too often"
      : status === 503
      ? "is not available"
      : "cannot be reached by the proxy in front of it";
    return error(
      "unavailable",
      `Cannot ${purpose} as Prometheus at ${host} ${reason} (${status})${said}`,
      retry(answered),
    );
  }
  if (
    status === 404 || status === 405 || status === 501 ||
    /unsupported path|not (?:supported|implemented)/i.test(body)
  ) {
    const essential = reading === "query" || reading === "queryRange";
    return error(
      "unavailable",
      `Cannot ${purpose} as the backend at ${host} has no /${path} (${status})${said}`,
      essential
        ? "an operator must check PROMETHEUS_URL, its path prefix included: /prometheus for Mimir, /select/0/prometheus for a VictoriaMetrics cluster"
        : "not every Prometheus-compatible backend has this call; queries work without it",
    );
  }
  return error(
    "failed",
    `Cannot ${purpose} as Prometheus at ${host} answers with status ${status}${
      said || quoted(answered, body)
    }`,
    status >= 500 ? "try again; if this persists, an operator must read Prometheus's log" : undefined,
  );
}

function unauthorized(answered: Answered, body: string): CallError {
  const { host, status, credentials } = answered;
  const used = credentials.variables;
  const passwordless = used.includes("PROMETHEUS_USERNAME") && !used.includes("PROMETHEUS_PASSWORD");
  const tenantless = /org.?id|tenant/i.test(body) && !used.includes("PROMETHEUS_ORG_ID");
  const message = used.length === 0
    ? `Cannot ask Prometheus at ${host} as it requires credentials (${status})`
    : `Cannot ask Prometheus at ${host} as it refuses the credentials (${status})`;
  const hint = tenantless
    ? "an operator must name the tenant in PROMETHEUS_ORG_ID"
    : used.length === 0
    ? "an operator must set PROMETHEUS_TOKEN, or PROMETHEUS_USERNAME and PROMETHEUS_PASSWORD"
    : `an operator must check ${used.join(", ")}${passwordless ? "; PROMETHEUS_PASSWORD is not set" : ""}`;
  return new CallError("unavailable", message + quoted(answered, body), { hint });
}

/** The answer is 200 and no JSON of the API. */
export function unexpectedAnswer(answered: Answered, body: string): CallError {
  const { host, contentType } = answered;
  const title = /<title[^>]*>([^<]{1,200})/i.exec(body)?.[1]?.trim();
  const what = /html/i.test(contentType) || /^\s*</.test(body)
    ? `a web page${title === undefined ? "" : ` titled "${clean(answered, title, quotedLength)}"`}`
    : "something else";
  return new CallError(
    "unavailable",
    `Cannot ${
      readings[answered.reading].purpose
    } as ${host} answers with ${what} where Prometheus answers with JSON`,
    {
      hint: "an operator must check PROMETHEUS_URL: it may lead to a login page, a proxy or another program",
    },
  );
}

/** The answer is 200 and no whole JSON. */
export function brokenJson(answered: Answered, body: string, cause: unknown): CallError {
  if (!/^\s*[{[]/.test(body.slice(0, 100))) return unexpectedAnswer(answered, body.slice(0, 4096));
  // The parser's message quotes the answer: it is no cause to be logged.
  const kind = cause instanceof SyntaxError ? "cut short or damaged" : "not readable";
  return new CallError(
    "unavailable",
    `Cannot ${readings[answered.reading].purpose} as the JSON from ${answered.host} is ${kind}`,
    { hint: "try again; if this persists, an operator must look at proxies in front of Prometheus" },
  );
}

interface Told {
  readonly type: string;
  readonly text: string;
}

/** Prometheus's errorType and error of an answer, in its own words; undefined where there is none. */
function tellError(answered: Answered, body: string): Told | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const { errorType, error } = parsed as { errorType?: unknown; error?: unknown };
    if (typeof error !== "string") return undefined;
    const type = typeof errorType === "string" ? errorType : "error";
    const words = type === victoriaType ? withoutQuery(error) : error;
    return { type: clean(answered, type, 60), text: clean(answered, words, quotedErrorLength) };
  } catch {
    return undefined;
  }
}

function wordsOf({ type, text }: Told): string {
  return type === victoriaType ? text : `${type}: ${text}`;
}

/** The sentence for an answer of status 200 that says `"status":"error"`, which some proxies make. */
export function statedError(reading: ReadingName, type: string, text: string): CallError {
  return new CallError(
    type === "bad_data" ? "invalid" : "failed",
    `Cannot ${readings[reading].purpose} as Prometheus refuses it: ${quotable(type, 60)}: ${
      quotable(text, quotedErrorLength)
    }`,
  );
}

/** The JSON is whole, and not what the API promises. */
export function shapeError(reading: ReadingName, cause: Error): CallError {
  return new CallError(
    "unavailable",
    `Cannot ${
      readings[reading].purpose
    } as the backend answers differently from Prometheus: ${cause.message}`,
    { hint: "an operator must check that PROMETHEUS_URL leads to a Prometheus-compatible API", cause },
  );
}

function retry({ retryAfter }: Answered): string {
  if (retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter)) {
    return `try again after ${retryAfter} s, as it asks`;
  }
  return "try again later; if this persists, an operator must look at Prometheus";
}

/** A plain text of the server's, as `: text`; nothing for a page or an empty body. */
function quoted(answered: Answered, body: string): string {
  const told = tellError(answered, body);
  if (told !== undefined) return `: ${wordsOf(told)}`;
  const text = body.trim();
  if (text === "" || text.startsWith("<")) return "";
  return `: ${clean(answered, text.replace(/\s+/g, " "), quotedLength)}`;
}

/** Another's text: without the secrets that we sent, and no longer than is good. */
function clean({ credentials }: Answered, text: string, most: number): string {
  return quotable(withoutSecrets(text, credentials.secrets()), most);
}

/**
 * Another's text without what has the shape of a secret: a remote read that fails names the URL with its password. What
 * is shortened is masked before, or half of a secret would be none.
 */
function quotable(text: string, most: number): string {
  return shortened(maskSecrets(text.slice(0, longestQuotable)), most);
}
