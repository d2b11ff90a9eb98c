/**
 * The one way to the apiserver: GETs of a {@linkcode ReadPath}, and the two reviews in which the apiserver says what
 * the caller itself may do. No redirect, no upgrade, bounded in time and in bytes. What comes in is redacted here, by
 * the kind that was asked for, before anybody sees it.
 */
import {
  boundedFetch,
  type BoundedResponse,
  exhaustedHint,
  TransportFault,
} from "../common/bounded_fetch.ts";
import { CallError } from "../common/errors.ts";
import { isRecord } from "../common/record.ts";
import type { Connection, Route } from "./connection.ts";
import { instant } from "./expiry.ts";
import { Intake } from "./intake.ts";
import { pause, type Query, queryText, requestHeaders, retryAfter } from "./request.ts";
import { SharedRequests } from "./shared_requests.ts";
import { describePurpose, describeStatus, readStatus } from "./status_error.ts";
import { ReadPath, type ReadPurpose } from "./paths.ts";
import { redactObject } from "./redact.ts";
import { createLogRedactor } from "./redact_log.ts";
import { isPrintedByPath, redactTable } from "./redact_table.ts";
import { logLines } from "./log_lines.ts";

/** A JSON object as the apiserver sent it, redacted. */
export type KubeObject = Readonly<Record<string, unknown>> & {
  readonly metadata?: Readonly<Record<string, unknown>>;
};

/** How long a request may take, and who may call it off. */
export interface AskOptions {
  readonly signal: AbortSignal;
  /** Milliseconds until the last byte; `KUBE_TIMEOUT_MS` unless given. */
  readonly timeoutMs?: number | undefined;
}

/** Bytes of one JSON answer. A page that is larger is asked for again with fewer items. */
const maxAnswerBytes = 16 * 1024 * 1024;

/** Items of one answer: that of an apiserver holds fewer in as many bytes. */
const mostItems = 50_000;

/** The reviews: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access */
const reviews = {
  access: { kind: "SelfSubjectAccessReview", path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" },
  rules: { kind: "SelfSubjectRulesReview", path: "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" },
} as const;

const json = "application/json";
const table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/** A second lock, should something that is no path of ours ever get here. */
const allowedPath = new RegExp(
  "^(/version|/api|/apis|(/api/v[a-z0-9]+|/apis/[a-z0-9.-]+/v[a-z0-9]+)" +
    "((/namespaces/[a-z0-9-]+)?/[a-z0-9-]+(/[^/?#]+)?)?|/api/v1/namespaces/[a-z0-9-]+/pods/[^/?#]+/log)$",
);

/** The answer is larger than we take in one piece. */
export class TooLargeError extends CallError {}

/** The door of one context. */
export class Door {
  readonly #context: string;
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #requests = new SharedRequests();
  readonly #intake = new Intake();

  constructor(context: string, connection: Connection, timeoutMs: number) {
    this.#context = context;
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  /** Requests for objects and lists that are under way, and answers among them that wait for others to be read. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#requests.running, waiting: this.#intake.waiting };
  }

  /** One object, or a list of them, with the bytes that its text had. */
  async object(
    path: ReadPath,
    query: Query,
    options: AskOptions,
  ): Promise<{ object: KubeObject; bytes: number }> {
    const { group, kind, verb } = path.what;
    return await this.#shared(path, query, json, options, ({ value, bytes }) => {
      this.#refuseOther(verb === "list" ? "items" : "metadata", value, path.what);
      this.#refuseMany(value.items, path.what);
      const object = redactObject({ group, kind: verb === "list" ? `${kind}List` : kind }, value);
      return { object, bytes };
    });
  }

  /** The apiserver's own table of a list or of one object. */
  async table(path: ReadPath, query: Query, options: AskOptions): Promise<KubeObject> {
    const asked = { ...query, includeObject: isPrintedByPath(path.what) ? "Object" : "Metadata" };
    return await this.#shared(path, asked, table, options, ({ value }) => {
      if (value.kind !== "Table") throw this.#notJson(path.what);
      this.#refuseOther("rows", value, path.what);
      this.#refuseMany(value.rows, path.what);
      // The shape of a Table's rows is checked where they are read.
      return redactTable(path.what, value as Parameters<typeof redactTable>[1]) as KubeObject;
    });
  }

  /** What the cluster offers: nothing in it is anybody's secret. */
  async discovery(path: ReadPath, accept: string, options: AskOptions): Promise<KubeObject> {
    return await this.#shared(path, {}, accept, options, ({ value }) => value);
  }

  /** The lines of a log as they come, without their line breaks. */
  async *log(
    path: ReadPath,
    query: Query,
    options: AskOptions & { maxBytes: number },
  ): AsyncGenerator<string> {
    const response = await this.#ask(path, query, "*/*", options);
    const redactor = createLogRedactor();
    try {
      for await (const line of logLines(response.chunks())) yield redactor.line(line);
    } catch (error) {
      throw this.#explain(error, path.what);
    }
  }

  /** What the identity may do. */
  async review(
    review: keyof typeof reviews,
    spec: Readonly<Record<string, unknown>>,
    options: AskOptions,
  ): Promise<KubeObject> {
    const { kind, path } = reviews[review];
    const body = JSON.stringify({ apiVersion: "authorization.k8s.io/v1", kind, spec });
    const what: ReadPurpose = { verb: "get", group: "", resource: "(discovery)", kind };
    const response = await this.#send("POST", path, what, {}, json, body, {
      ...options,
      maxBytes: maxAnswerBytes,
    });
    return (await this.#parse(response, what, options.signal)).value;
  }

  /** Whose credentials are presented, as far as they say; undefined for an opaque token. */
  async identity({ signal }: AskOptions): Promise<string | undefined> {
    return (await this.#connection.route({ refused: undefined, signal })).credentials.identity;
  }

  /** The namespace of the service account whose token is presented, as far as that says; impersonated is not presented. */
  async home({ signal }: AskOptions): Promise<string | undefined> {
    const { headers, certificate, identity } =
      (await this.#connection.route({ refused: undefined, signal })).credentials;
    const own = certificate === undefined && !headers.some(([name]) => name === "impersonate-user");
    return own ? /^system:serviceaccount:([^:]+):[^:]+$/.exec(identity ?? "")?.[1] : undefined;
  }

  /** Ends the connections. */
  close(): void {
    this.#connection.close();
  }

  /** One request for all who ask the same at the same time; `take` makes of the JSON what they share. */
  async #shared<Value>(
    path: ReadPath,
    query: Query,
    accept: string,
    options: AskOptions,
    take: (answer: { readonly value: KubeObject; readonly bytes: number }) => Value,
  ): Promise<Value> {
    const key = JSON.stringify([accept, path.text, queryText(query), options.timeoutMs]);
    return await this.#requests.ask(key, options.signal, async (signal, answered) => {
      const response = await this.#ask(path, query, accept, {
        ...options,
        signal,
        maxBytes: maxAnswerBytes,
      });
      answered();
      return take(await this.#parse(response, path.what, signal));
    });
  }

  async #parse(
    response: BoundedResponse,
    what: ReadPurpose,
    signal: AbortSignal,
  ): Promise<{ value: KubeObject; bytes: number }> {
    try {
      return await this.#intake.read(response, signal, (text) => {
        let value: unknown;
        try {
          value = JSON.parse(text);
        } catch {
          throw this.#notJson(what);
        }
        if (!isRecord(value)) throw this.#notJson(what);
        // An object's fields are read as unknown.
        return { value: value as KubeObject, bytes: text.length };
      });
    } catch (error) {
      throw this.#explain(error, what);
    }
  }

  #ask(
    path: ReadPath,
    query: Query,
    accept: string,
    options: AskOptions & { maxBytes: number },
  ) {
    if (!ReadPath.isGenuine(path) || !allowedPath.test(path.text)) {
      throw new CallError("refused", "Cannot read from a path that is none of the reading ones");
    }
    return this.#send("GET", path.text, path.what, query, accept, undefined, options);
  }

  /** Asks, again where that helps: with fresh credentials, on a new connection, or when the apiserver is busy. */
  async #send(
    method: "GET" | "POST",
    path: string,
    what: ReadPurpose,
    query: Query,
    accept: string,
    body: string | undefined,
    options: AskOptions & { readonly maxBytes: number },
  ): Promise<BoundedResponse> {
    const { signal } = options;
    let refused: Route | undefined;
    let broken = false;
    for (let busy = 0;;) {
      const route = await this.#connection.route({ refused: refused?.credentials, signal });
      let response: BoundedResponse;
      try {
        response = await boundedFetch(new URL(`${route.base}${path}${queryText(query)}`), {
          method,
          headers: requestHeaders(route.headers, accept, body),
          ...(body === undefined ? {} : { body }),
          client: route.client,
          onTimeout: () => this.#connection.forsake(route.client),
          signal,
          timeoutMs: options.timeoutMs ?? this.#timeoutMs,
          maxBytes: options.maxBytes,
        });
      } catch (error) {
        // A connection that was kept may have ended with the apiserver that it led to.
        if (!broken && error instanceof TransportFault && error.kind === "broken") {
          broken = true;
          continue;
        }
        throw this.#explain(error, what);
      }
      if (response.status < 400) return response;
      if (response.status === 401) {
        await response.discard();
        if (refused !== undefined) throw this.#unauthorized(route);
        refused = route;
        continue;
      }
      const status = readStatus(await response.text().catch(() => ""));
      const seconds = retryAfter(response.headers) ?? status.retryAfterSeconds;
      if (response.status === 429 && busy < maxBusy && (seconds ?? 1) <= maxBusySeconds) {
        busy++;
        await pause((seconds ?? 1) * 1000, signal);
        continue;
      }
      throw describeStatus(response.status, { ...status, retryAfterSeconds: seconds }, what, this.#context);
    }
  }

  #unauthorized(route: Route): CallError {
    const { expiresAt: at, noun } = route.credentials;
    const reason = at !== undefined && at <= Date.now()
      ? `its ${noun} expired at ${instant(at)}`
      : "the apiserver does not accept its credentials";
    return new CallError(
      "unavailable",
      `Cannot log in to context ${JSON.stringify(this.#context)} as ${reason}`,
      { hint: route.credentials.renewal },
    );
  }

  /** What happened on the way; {@linkcode CallError}s and the caller's own reason stay as they are. */
  #explain(error: unknown, what: ReadPurpose): unknown {
    if (!(error instanceof TransportFault)) return error;
    if (error.kind === "too_large") {
      return new TooLargeError("unavailable", `Cannot ${describePurpose(what)} as the answer is too large`, {
        hint: "ask for less: a lower limit, a selector, or one namespace",
        cause: error,
      });
    }
    const message = `Cannot reach the apiserver of context ${
      JSON.stringify(this.#context)
    } as ${error.message}`;
    return new CallError("unavailable", message, { hint: transportHints[error.kind], cause: error });
  }

  /** A proxy's own JSON, or a failure that it passes on as a success, must not be taken for an empty list. */
  #refuseOther(part: "items" | "metadata" | "rows", value: KubeObject, what: ReadPurpose): void {
    if (value[part] === undefined || value.kind === "Status") throw this.#notJson(what);
  }

  /** So many are no objects, and each takes time that nobody can call off. */
  #refuseMany(items: unknown, what: ReadPurpose): void {
    if (Array.isArray(items) && items.length > mostItems) throw this.#notJson(what);
  }

  #notJson(what: ReadPurpose): CallError {
    return new CallError("failed", `Cannot ${describePurpose(what)} as what answers is not an apiserver`, {
      hint:
        "an operator must check the server's address in the kubeconfig: a proxy or a login page may stand there",
    });
  }
}

const transportHints: Partial<Record<TransportFault["kind"], string>> = {
  refused:
    "the apiserver is down or restarting: ask again in a moment; an operator can check the server's address",
  unknown_host: "an operator must check the server's address in the kubeconfig, or the VPN",
  unreachable: "an operator must check the network, or the VPN",
  tls: "an operator must check certificate-authority-data and the server's address in the kubeconfig",
  timeout: "ask for less, or again in a moment; an operator can raise KUBE_TIMEOUT_MS",
  exhausted: exhaustedHint,
  broken: "the apiserver may be restarting: ask again in a moment",
};

/** Retries of a request that the apiserver puts off, and the longest wait before one. */
const maxBusy = 2;
const maxBusySeconds = 2;
