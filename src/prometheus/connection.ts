/**
 * Asks Prometheus over HTTP: the one place that sends anything there. It can only make the calls of reading_paths.ts,
 * at the one address of the settings.
 */
import { boundedFetch, type BoundedResponse, TransportFault } from "../common/bounded_fetch.ts";
import { type Answered, backendRefusal, brokenJson, transportError, unexpectedAnswer } from "./faults.ts";
import { answerWithoutSecrets } from "./own_secrets.ts";
import { type ReadingName, readings, readingUrl } from "./reading_paths.ts";
import type { PrometheusSettings } from "./settings.ts";
import { TlsClient } from "./tls_client.ts";
import { Turnstile } from "../common/turnstile.ts";

/** How a call is bounded. */
export interface AskOptions {
  /** Aborts when nobody wants the answer any more. */
  readonly signal: AbortSignal;
  /** Milliseconds; `PROMETHEUS_TIMEOUT_MS` unless less is given. */
  readonly timeoutMs?: number;
  /** Series, names or values at most; passed on, and kept to here where the backend ignores it. */
  readonly limit?: number;
}

/** What fills in a call. */
export interface Question {
  readonly form?: URLSearchParams;
  /** A label's name, for `labelValues`. */
  readonly label?: string;
}

/** Bytes of one answer, decompressed. */
const maxAnswerBytes = 32 * 1024 * 1024;
/** Objects and arrays of one answer: a small text can be many of them, and each takes a hundred bytes or two. */
const maxContainers = 600_000;
/** Above this an answer is read and parsed alone, so that several at once don't add up. */
const largeAnswerBytes = 2 * 1024 * 1024;
/** Bytes of an answer that is no success: only its sentence is of interest. */
const maxErrorBytes = 64 * 1024;
/** Requests under way at once: more would only wait at Prometheus, whose own limit is 20 for all its clients. */
const maxRequests = 9;
/** Of these, for a client that has none under way: one whose requests hang does not hold up another. */
const reserved = 1;

/** The connections to one Prometheus. */
export class Connection {
  readonly #settings: PrometheusSettings;
  readonly #requests = new Turnstile(maxRequests, reserved);
  readonly #large = new Turnstile(1);
  readonly #client: TlsClient;

  /** Throws `StartError` for certificates that can't be used. */
  constructor(settings: PrometheusSettings) {
    this.#settings = settings;
    this.#client = new TlsClient(settings.tls);
  }

  /** Requests under way, and those that wait for a place among them. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#requests.taken, waiting: this.#requests.waiting };
  }

  /** The answer's JSON, whatever it holds but our own secrets. Throws `CallError`, or the signal's reason. */
  ask(name: ReadingName, question: Question, options: AskOptions): Promise<unknown> {
    return this.#requests.pass(options.signal, async () => {
      const response = await this.#send(name, question, options);
      const answered: Answered = {
        reading: name,
        host: this.#settings.url.host,
        status: response.status,
        contentType: response.headers.get("content-type") ?? "",
        retryAfter: response.headers.get("retry-after") ?? undefined,
        credentials: this.#settings.credentials,
      };
      try {
        if (response.status !== 200) {
          throw backendRefusal(answered, await readStart(response, maxErrorBytes));
        }
        if (/html/i.test(answered.contentType)) {
          throw unexpectedAnswer(answered, await readStart(response, maxErrorBytes));
        }
        return await this.#parse(answered, response, options.signal);
      } catch (error) {
        if (error instanceof TransportFault) throw this.#fault(name, error);
        throw error;
      }
    });
  }

  async #send(name: ReadingName, { form, label }: Question, options: AskOptions): Promise<BoundedResponse> {
    const { url: base, credentials, timeoutMs } = this.#settings;
    const { method } = readings[name];
    const url = readingUrl(base, name, label);
    const headers = credentials.headers();
    headers.set("Accept", "application/json");
    const body = form?.toString() ?? "";
    if (method === "POST") headers.set("Content-Type", "application/x-www-form-urlencoded");
    else url.search = body;
    const client = this.#client.current();
    const request = {
      method,
      headers,
      ...(method === "POST" ? { body } : {}),
      signal: options.signal,
      timeoutMs: Math.min(options.timeoutMs ?? timeoutMs, timeoutMs),
      maxBytes: maxAnswerBytes,
      client,
      onTimeout: () => this.#client.forsake(client),
    };
    try {
      // The runtime asks again where a kept connection turns out to be closed; nothing else is ever asked twice.
      return await boundedFetch(url, request);
    } catch (error) {
      if (error instanceof TransportFault) throw this.#fault(name, error);
      throw error;
    }
  }

  #fault(name: ReadingName, fault: TransportFault): Error {
    return transportError(name, this.#settings, fault);
  }

  async #parse(answered: Answered, response: BoundedResponse, signal: AbortSignal): Promise<unknown> {
    const decoder = new TextDecoder();
    const chunks = response.chunks();
    let text = "";
    let bytes = 0;
    let containers = 0;
    const readOn = async (most: number): Promise<boolean> => {
      while (bytes < most) {
        const { value, done } = await chunks.next();
        if (done === true) return true;
        bytes += value.length;
        containers += countContainers(value);
        if (containers > maxContainers) {
          throw new TransportFault("too_large", `the answer holds more than ${maxContainers} values`);
        }
        text += decoder.decode(value, { stream: true });
      }
      return false;
    };
    const parse = (): unknown => {
      try {
        text += decoder.decode();
        return answerWithoutSecrets(JSON.parse(text), text, answered.credentials.secrets());
      } catch (error) {
        throw brokenJson(answered, text, error);
      }
    };
    try {
      if (await readOn(largeAnswerBytes)) return parse();
      return await this.#large.pass(signal, async () => {
        await readOn(Infinity);
        return parse();
      });
    } finally {
      await chunks.return();
    }
  }

  /** Closes the connections; calls under way end. */
  close(): void {
    this.#client.close();
  }
}

/** Braces and brackets that open, those in texts included: there are few. */
function countContainers(chunk: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < chunk.length; at++) {
    if (chunk[at] === 0x7b || chunk[at] === 0x5b) count++;
  }
  return count;
}

/** The first bytes of a body, as text. */
async function readStart(response: BoundedResponse, most: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.chunks()) {
    text += decoder.decode(chunk.subarray(0, most - bytes), { stream: true });
    bytes += chunk.length;
    if (bytes >= most) break;
  }
  return text;
}
