/** Serves a program over HTTP, from the first connection to the last call after SIGTERM. */
import type { McpServer, Server } from "@modelcontextprotocol/server";
import { type CheckResult, worst } from "../check_result.ts";
import { StartError } from "../errors.ts";
import { authority, isLoopback, type ListenAddress } from "../listen_address.ts";
import { type Logger, writeStderr } from "../log.ts";
import type { CallObserver, Pipeline } from "../pipeline.ts";
import type { Backend } from "../program.ts";
import { ended, sentence } from "../sentence.ts";
import { plural } from "../units.ts";
import { Admission } from "./admission.ts";
import { Exchanges } from "./exchanges.ts";
import { HttpServer, type ServerLimits, tryListening } from "./http_server.ts";
import { McpEndpoint } from "./mcp_endpoint.ts";
import { HttpMetrics } from "./metrics.ts";
import { OAuth } from "./oauth.ts";
import { Readiness } from "./readiness.ts";
import { RefusalLog } from "./refusal_log.ts";
import { routes } from "./routes.ts";
import type { HttpSettings } from "./settings.ts";
import { TokenFile } from "./tokens.ts";
import { settledWithin } from "../waiting.ts";

/** What is served, where, and under which settings. */
export interface HttpOptions {
  /** The program's name, for the line that says where it listens. */
  readonly program: string;
  readonly address: ListenAddress;
  readonly settings: HttpSettings;
  readonly backend: Backend;
  readonly log: Logger;
  /** Nothing is to be logged, the address included. */
  readonly isSilent?: boolean;
  readonly limits?: HttpLimits;
}

/** Times in milliseconds and counts, where tests want others than the usual ones. */
export interface HttpLimits extends Partial<ServerLimits> {
  /** For the body of a request. */
  readonly bodyMs?: number;
  /** Between two comments on a stream on which nothing happens. */
  readonly keepAliveMs?: number;
  /** For calls in flight after SIGTERM. */
  readonly drainMs?: number;
  /** Of that, for calls that come after SIGTERM. */
  readonly newcomersMs?: number;
  /** For proxies and clients to notice after SIGTERM that they should call elsewhere. */
  readonly noticeMs?: number;
}

/** How calls are answered. */
export interface HttpServing {
  /** A server object for one request, for a client of that name; `heard` is called when its pipeline gets it. */
  readonly makeServer: (client: string, heard?: () => void) => McpServer | Server;
  readonly pipeline: Pipeline;
  readonly stopSignals: readonly Deno.Signal[];
}

/** Calls under way at once, half of them one client's at most. */
const maxExchanges = 128;
/** Bytes of their messages beyond 64 KB each, likewise: a message takes about four times its bytes of memory. */
const maxMessageBytes = 24 * 1024 * 1024;
/** Milliseconds that calls in flight get after SIGTERM, and for how long of that new ones are still taken. */
const usualDrainMs = 30_000;
const usualNewcomersMs = 10_000;
/**
 * Milliseconds after SIGTERM in which everybody is served as before, but for the word that this connection is at its end:
 * closed between two calls, it would meet a call on its way. A person's Ctrl+C does not wait for it.
 */
const usualNoticeMs = 500;
/** Milliseconds after a call's own deadline in which its client may still fetch the answer. */
const fetchMs = 30_000;
/** Milliseconds for the last bytes of answers to leave. */
const shutdownMs = 1_000;

/** A program that is going to be served over HTTP. */
export class HttpFront {
  readonly #options: HttpOptions;
  readonly #tokens: TokenFile | undefined;
  readonly #oauth: OAuth | undefined;
  readonly #exchanges = new Exchanges(maxExchanges, maxMessageBytes);
  readonly #metrics: HttpMetrics;
  #server: HttpServer | undefined;

  private constructor(options: HttpOptions, tokens: TokenFile | undefined) {
    const { settings, log, backend, program } = options;
    this.#options = options;
    this.#tokens = tokens;
    this.#oauth = settings.oauth === undefined ? undefined : new OAuth(settings.oauth, log);
    this.#metrics = new HttpMetrics({
      program,
      tools: backend.tools.map((tool) => tool.name),
      exchanges: () => this.#exchanges.size,
      connections: () => this.#server?.connections ?? 0,
      gauges: () => backend.gauges?.() ?? [],
    });
  }

  /** Opens the token file. Throws {@linkcode StartError} where strangers would be let in, or nobody could be. */
  static async open(options: HttpOptions): Promise<HttpFront> {
    const { address, settings, log } = options;
    requireCallersChecked(address, settings);
    const { tokensFile } = settings;
    return new HttpFront(
      options,
      tokensFile === undefined ? undefined : await TokenFile.open(tokensFile, log),
    );
  }

  /** Whether files are read again while it serves. */
  get usesFiles(): boolean {
    return this.#tokens !== undefined;
  }

  /** Counts the pipeline's calls. */
  get observer(): CallObserver {
    return this.#metrics;
  }

  /** Says where it would serve, and who may call. */
  async check(say: (line: string) => void): Promise<CheckResult> {
    const { address, settings } = this.#options;
    const results: CheckResult[] = [];
    try {
      tryListening(address);
      const names = settings.names.hosts.map(({ hostname, port }) =>
        port === undefined ? hostname : `${hostname}:${port}`
      );
      say(`--http would serve MCP at http://${authority(address)}/mcp, under the names ${names.join(", ")}.`);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      say(ended(error.message));
      results.push("down");
    }
    if (isDeaf(address, settings)) {
      say(ended(sentence(deafness)));
      results.push("wanting");
    }
    if (this.#tokens !== undefined) say(`The token file accepts ${plural(this.#tokens.size, "token")}.`);
    this.#tokens?.close();
    if (this.#oauth !== undefined) results.push(await this.#oauth.check(say));
    if (this.#tokens === undefined && this.#oauth === undefined) {
      say("Anybody on this machine may call: neither MCP_TOKENS_FILE nor MCP_OAUTH_ISSUER is set.");
    }
    return worst(results);
  }

  /**
   * Serves until a signal says stop and the calls in flight have ended, or have had their time; false when it had to
   * end by itself, as nobody could connect any more.
   */
  async serve(serving: HttpServing): Promise<boolean> {
    const { address, settings, backend, log, program, isSilent, limits = {} } = this.#options;
    const { drainMs = usualDrainMs, newcomersMs = usualNewcomersMs, noticeMs = usualNoticeMs } = limits;
    const { keepAliveMs, bodyMs } = limits;
    const exchanges = this.#exchanges;
    const drain = { isDraining: false, refusesCalls: false };
    const longestMs = backend.deadlineMs + fetchMs;
    const endpoint = new McpEndpoint({
      ...serving,
      exchanges,
      log,
      longestMs,
      ...(bodyMs === undefined ? {} : { bodyTimeoutMs: bodyMs }),
      ...(keepAliveMs === undefined ? {} : { keepAliveMs }),
    });
    const refusals = new RefusalLog(log);
    const handler = routes({
      names: settings.names,
      admission: new Admission({ tokens: this.#tokens, accessTokens: this.#oauth, refusals }),
      endpoint,
      readiness: new Readiness({ ask: (signal) => askBackend(backend, signal), log }),
      metrics: this.#metrics,
      log,
      refusals,
      isLoopback: isLoopback(address.hostname),
      drain,
      documents: this.#oauth?.documents ?? new Map(),
    });
    const stopped = Promise.withResolvers<void>();
    const hurried = Promise.withResolvers<void>();
    const noticed = Promise.withResolvers<void>();
    const stop = (noticeMs: number) => {
      if (drain.isDraining) return hurried.resolve();
      drain.isDraining = true;
      setTimeout(noticed.resolve, noticeMs);
      stopped.resolve();
    };
    for (const signal of serving.stopSignals) {
      Deno.addSignalListener(signal, () => stop(signal === "SIGTERM" ? noticeMs : 0));
    }
    const server = new HttpServer({
      address,
      handler,
      log,
      limits,
      turnedAway: () => this.#metrics.refused("connections"),
    });
    this.#server = server;
    let isLost = false;
    server.lost.then(() => {
      isLost = true;
      stop(0);
    });
    if (isSilent !== true) announce(program, authority({ ...address, port: server.port }));
    if (isDeaf(address, settings)) log.warn(deafness);

    await stopped.promise;
    log.info("stopping", { in_flight: exchanges.size });
    endpoint.endSubscriptions();
    const newcomers = setTimeout(() => drain.refusesCalls = true, newcomersMs);
    const late = setTimeout(hurried.resolve, drainMs);
    await Promise.race([Promise.all([noticed.promise, exchanges.idle()]), hurried.promise]);
    // A call that comes over an open connection just now is still answered: no new connection is taken any more.
    const closed = server.shutdown();
    await settledWithin(closed, shutdownMs);
    await Promise.race([exchanges.idle(), hurried.promise]);
    clearTimeout(newcomers);
    clearTimeout(late);
    drain.refusesCalls = true;
    if (exchanges.size > 0) log.warn("calls are cut off as the program stops", { in_flight: exchanges.size });
    exchanges.abort();
    this.#tokens?.close();
    await settledWithin(closed, shutdownMs);
    server.close();
    return !isLost;
  }
}

/** Refuses what would let strangers in, with what to set. */
function requireCallersChecked(address: ListenAddress, settings: HttpSettings): void {
  if (isLoopback(address.hostname) || settings.tokensFile !== undefined || settings.oauth !== undefined) {
    return;
  }
  throw new StartError(
    "--http on an address that others can reach needs to know who may call: " +
      "set MCP_TOKENS_FILE (--new-token makes a token), or MCP_OAUTH_ISSUER and MCP_PUBLIC_URL",
  );
}

/** Others can reach the address, but by none of the names that are answered. */
function isDeaf(address: ListenAddress, settings: HttpSettings): boolean {
  return !isLoopback(address.hostname) && !settings.namesAreGiven;
}

const deafness =
  "only requests to loopback names are answered: set MCP_ALLOWED_HOSTS to the names that clients use";

async function askBackend(backend: Backend, signal: AbortSignal): Promise<void> {
  if (backend.ready !== undefined) return await backend.ready(signal);
  if (await backend.check(() => {}) === "down") throw new Error("the check found it wanting");
}

/** Said at every level but off, and in JSON where no person reads it: with port 0 it is the only place that names the port. */
function announce(program: string, at: string): void {
  const url = `http://${at}/mcp`;
  writeStderr(
    Deno.stderr.isTerminal() ? `${program} serves MCP at ${url}; Ctrl+C ends it.` : JSON.stringify({
      type: "log",
      time: new Date().toISOString(),
      level: "info",
      message: "serving MCP",
      url,
    }),
  );
}
