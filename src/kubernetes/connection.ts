/**
 * How to reach one context's apiserver: its address, an HTTP client with the right certificates, which is kept while
 * they stay the same, and the headers that say who asks.
 */
import { reasonOf } from "../common/file_problem.ts";
import { CallError } from "../common/errors.ts";
import { KeptHttpClient } from "../common/kept_http_client.ts";
import { type Credentials, type CredentialSource, readMaterial } from "./credentials.ts";
import type { KubeconfigCluster } from "./kubeconfig.ts";

/** What a request needs. */
export interface Route {
  /** The apiserver's URL, which may have a path of its own; ends without a slash. */
  readonly base: string;
  readonly client: Deno.HttpClient;
  readonly headers: Credentials["headers"];
  /** What was presented, also where it is not sent. */
  readonly credentials: Credentials;
}

/** Milliseconds that the authority's file is remembered: it rotates too. */
const rereadMs = 60_000;

/** One apiserver, as a kubeconfig's cluster and user describe it. */
export class Connection {
  readonly #context: string;
  readonly #cluster: KubeconfigCluster;
  readonly #credentials: CredentialSource;
  readonly #readFile: (path: string) => string;
  #authorityRead: { readonly pem: string | undefined; readonly at: number } | undefined;
  readonly #client = new KeptHttpClient();

  constructor(
    context: string,
    cluster: KubeconfigCluster,
    credentials: CredentialSource,
    readFile: (path: string) => string,
  ) {
    this.#context = context;
    this.#cluster = cluster;
    this.#credentials = credentials;
    this.#readFile = readFile;
  }

  /** `refused`: what the apiserver has just refused. Throws {@linkcode CallError}. */
  async route(
    options: { readonly refused: Credentials | undefined; readonly signal: AbortSignal },
  ): Promise<Route> {
    const base = this.#base();
    const credentials = await this.#credentials.current(options);
    const secure = base.startsWith("https:");
    return {
      base,
      client: this.#clientFor(secure ? credentials.certificate : undefined),
      // As kubectl does: whoever is on the way could read them; an impersonation is none, and takes rights away.
      headers: secure
        ? credentials.headers
        : credentials.headers.filter(([name]) => name.startsWith("impersonate-")),
      credentials,
    };
  }

  /** A request over this client had no answer in time. */
  forsake(client: Deno.HttpClient): void {
    this.#client.forsake(client);
  }

  /** Ends the connections. */
  close(): void {
    this.#client.close();
  }

  #base(): string {
    const { server, insecureSkipTlsVerify, tlsServerName, certificateAuthority } = this.#cluster;
    if (server === undefined) {
      throw this.#problem("its cluster has no server", "an operator must correct the kubeconfig");
    }
    const text = /^[a-z]+:\/\//i.test(server)
      ? server
      : `${certificateAuthority === undefined ? "http" : "https"}://${server}`;
    const url = URL.parse(text);
    if (
      url === null || !["http:", "https:"].includes(url.protocol) || url.username !== "" ||
      url.password !== ""
    ) {
      throw this.#problem(
        "its cluster's server is not an https address",
        "an operator must correct the kubeconfig",
      );
    }
    if (url.protocol === "https:" && insecureSkipTlsVerify) {
      throw this.#problem(
        "its kubeconfig says insecure-skip-tls-verify, and this program checks every certificate",
        "an operator can put the cluster's CA into certificate-authority-data in its place",
      );
    }
    if (tlsServerName !== undefined && tlsServerName !== url.hostname) {
      throw this.#problem(
        "its kubeconfig has a tls-server-name that differs from the server's address, which this program can't check",
        "an operator can use an address that the certificate names, for example by the hosts file",
      );
    }
    return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  }

  #clientFor(certificate: { readonly cert: string; readonly key: string } | undefined): Deno.HttpClient {
    const now = performance.now();
    if (this.#authorityRead === undefined || now - this.#authorityRead.at > rereadMs) {
      this.#authorityRead = { pem: this.#authority(), at: now };
    }
    const authority = this.#authorityRead.pem;
    const proxy = this.#proxy();
    return this.#client.current(JSON.stringify([authority, certificate, proxy]), () => {
      try {
        return Deno.createHttpClient({
          ...(authority === undefined ? {} : { caCerts: [authority] }),
          ...(proxy === undefined ? {} : { proxy }),
          ...certificate,
        });
      } catch (error) {
        throw this.#problem(
          "its certificates can't be used: each must be PEM, and the key the certificate's own",
          "an operator must correct the kubeconfig",
          error,
        );
      }
    });
  }

  #authority(): string | undefined {
    const { certificateAuthority } = this.#cluster;
    if (certificateAuthority === undefined) return undefined;
    try {
      const pem = readMaterial(certificateAuthority, this.#readFile);
      if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
    } catch (error) {
      throw this.#problem(
        `its certificate-authority can't be read: ${reasonOf(error)}`,
        "an operator must correct the kubeconfig",
        error,
      );
    }
    throw this.#problem(
      "its certificate-authority is not a PEM certificate",
      "an operator must correct the kubeconfig",
    );
  }

  #proxy(): Deno.Proxy | undefined {
    const { proxyUrl } = this.#cluster;
    if (proxyUrl === undefined) return undefined;
    const url = URL.parse(proxyUrl);
    if (url === null || !["http:", "https:", "socks5:", "socks5h:"].includes(url.protocol)) {
      throw this.#problem(
        "its proxy-url is not an http, https or socks5 address",
        "an operator must correct the kubeconfig",
      );
    }
    const { username, password } = url;
    if (username === "") return { url: url.href };
    url.username = "";
    url.password = "";
    try {
      return {
        url: url.href,
        basicAuth: { username: decodeURIComponent(username), password: decodeURIComponent(password) },
      };
    } catch {
      throw this.#problem(
        "its proxy-url has a % in its user or password that is not written as %25",
        "an operator must correct the kubeconfig",
      );
    }
  }

  #problem(reason: string, hint: string, cause?: unknown): CallError {
    return new CallError("unavailable", `Cannot use context ${JSON.stringify(this.#context)} as ${reason}`, {
      hint,
      cause,
    });
  }
}
