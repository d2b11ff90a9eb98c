/** The runtime's client for one Prometheus, with the certificates as they stand in their files now. */
import { CallError, StartError } from "../common/errors.ts";
import { KeptHttpClient } from "../common/kept_http_client.ts";
import type { TlsFiles } from "./settings.ts";

/** Connections kept open for the next request. */
const idleConnections = 8;

/** Makes a new client when a file has changed. */
export class TlsClient {
  readonly #tls: TlsFiles;
  readonly #kept = new KeptHttpClient();

  /** Throws {@linkcode StartError} for files that no connection can be made with. */
  constructor(tls: TlsFiles) {
    this.#tls = tls;
    if (tls.authority() === undefined && tls.certificate() === undefined) return;
    try {
      this.current();
    } catch (error) {
      if (error instanceof CallError) throw new StartError(error.message, { cause: error.cause });
      throw error;
    }
  }

  /** Throws {@linkcode CallError} when a file was replaced by one that can't be used. */
  current(): Deno.HttpClient {
    const [authority, cert, key] = [this.#tls.authority(), this.#tls.certificate(), this.#tls.key()];
    const from = JSON.stringify([authority, cert, key]);
    return this.#kept.current(from, () => create(authority, cert, key));
  }

  /** A request over this client had no answer in time. */
  forsake(client: Deno.HttpClient): void {
    this.#kept.forsake(client);
  }

  close(): void {
    this.#kept.close();
  }
}

function create(
  authority: string | undefined,
  cert: string | undefined,
  key: string | undefined,
): Deno.HttpClient {
  try {
    return Deno.createHttpClient({
      poolMaxIdlePerHost: idleConnections,
      ...(authority === undefined ? {} : { caCerts: [authority] }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    });
  } catch (error) {
    throw new CallError("unavailable", `Cannot use ${wrongFile(authority)} as the PEM in it is damaged`, {
      hint: "an operator must replace the files by whole ones, the certificate by the key's own",
      cause: error,
    });
  }
}

/** The variables whose files are to blame: the authorities alone if they can't be read by themselves. */
function wrongFile(authority: string | undefined): string {
  const pair = "the pair of PROMETHEUS_CERT_FILE and PROMETHEUS_KEY_FILE";
  if (authority === undefined) return pair;
  try {
    Deno.createHttpClient({ caCerts: [authority] }).close();
    return pair;
  } catch {
    return "PROMETHEUS_CA_FILE";
  }
}
