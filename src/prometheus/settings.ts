/** Which Prometheus prometheus-mcp asks, as whom, and what one call may cost: the `PROMETHEUS_*` variables. */
import type { Environment, Secret } from "../common/env.ts";
import { StartError } from "../common/errors.ts";
import { type Credentials, readCredentials } from "./credentials.ts";

/** How to reach Prometheus. */
export interface PrometheusSettings {
  /** http or https, without user-info, query and fragment; its path is the prefix and ends with a slash. */
  readonly url: URL;
  readonly credentials: Credentials;
  /** PEM texts, read again when a connection is made after they changed. */
  readonly tls: TlsFiles;
  /** Milliseconds that one request may take. */
  readonly timeoutMs: number;
  /** Points per series of a range query. */
  readonly maxPoints: number;
  /** Seconds that metric names and their metadata may be remembered; 0 for never. */
  readonly cacheSeconds: number;
}

/** The files of a TLS connection; `certificate` and `key` are there together or not at all. */
export interface TlsFiles {
  /** Authorities to trust beside the runtime's own. */
  readonly authority: Secret;
  readonly certificate: Secret;
  readonly key: Secret;
}

/** Reads the settings. Throws {@linkcode StartError} for a variable that is set but wrong. */
export function readPrometheusSettings(environment: Environment): PrometheusSettings {
  const url = readUrl(environment.text("PROMETHEUS_URL") ?? "http://localhost:9090");
  return {
    url,
    credentials: readCredentials(environment),
    tls: readTlsFiles(environment),
    timeoutMs: environment.integer("PROMETHEUS_TIMEOUT_MS", { fallback: 30_000, min: 1, max: 3_600_000 }),
    maxPoints: environment.integer("MAX_POINTS", { fallback: 100, min: 2, max: 11_000 }),
    cacheSeconds: environment.integer("CACHE_TTL_SECONDS", { fallback: 60, min: 0, max: 86_400 }),
  };
}

function readUrl(text: string): URL {
  const name = "PROMETHEUS_URL";
  if (text !== text.trim()) throw new StartError(`${name} begins or ends with a blank`);
  // Wherever it stands: what is meant as user-info may have been parsed as a host, a port and a path.
  if (text.includes("@")) {
    throw new StartError(
      `${name} must not contain credentials: they go into PROMETHEUS_USERNAME and PROMETHEUS_PASSWORD, or into PROMETHEUS_TOKEN`,
    );
  }
  const url = URL.parse(text);
  if (url === null || !/^https?:\/\/[^/]/i.test(text)) {
    throw new StartError(`${name} must be a URL that begins with http:// or https://`);
  }
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(text)) {
    throw new StartError(`${name} must end with the path: without ? and #`);
  }
  if (/\/api\/v1(\/|$)/.test(url.pathname)) {
    throw new StartError(`${name} must be what stands before /api/v1, such as http://host:9090/prefix`);
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

function readTlsFiles(environment: Environment): TlsFiles {
  const pem = (name: string, what: string, label: RegExp): Secret => {
    if (!environment.isSet(`${name}_FILE`)) return () => undefined;
    const read = environment.secret(name, true);
    if (!label.test(read() ?? "")) {
      throw new StartError(`${name}_FILE names a file without ${what} in PEM form`);
    }
    return read;
  };
  const files = {
    authority: pem("PROMETHEUS_CA", "a certificate", /-----BEGIN CERTIFICATE-----/),
    certificate: pem("PROMETHEUS_CERT", "a certificate", /-----BEGIN CERTIFICATE-----/),
    key: pem("PROMETHEUS_KEY", "a private key", /-----BEGIN [A-Z ]*PRIVATE KEY-----/),
  };
  const [first, second] = ["PROMETHEUS_CERT_FILE", "PROMETHEUS_KEY_FILE"] as const;
  if (environment.isSet(first) !== environment.isSet(second)) {
    throw new StartError(`${first} and ${second} must be set together`);
  }
  return files;
}
