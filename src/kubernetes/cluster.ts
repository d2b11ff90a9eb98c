/** One context's cluster: objects, lists, tables, logs and what the identity may do. Nothing here can write. */
import { Cache } from "../common/cache.ts";
import { CallError } from "../common/errors.ts";
import { didYouMean } from "../common/nearest.ts";
import { abortable } from "../common/waiting.ts";
import type {
  AccessAttributes,
  ListAnswer,
  ListOptions,
  LogOptions,
  RulesAnswer,
  TableAnswer,
} from "./answers.ts";
import { entries, fields, text, texts } from "./fields.ts";
import { type AskOptions, type Door, type KubeObject, TooLargeError } from "./door.ts";
import { discover, type Kinds, refuseSubresource } from "./kinds.ts";
import { collectionPath, discoveryPath, objectPath, podLogPath, type ResourceType } from "./paths.ts";
import type { Query } from "./request.ts";
import { StatusError } from "./status_error.ts";

const defaultPage = 500;
/** Bytes of JSON that {@linkcode Cluster.listAll} keeps at most. */
const maxListBytes = 48 * 1024 * 1024;
/** A kind that was not found may have been made since the last discovery, but not in every call again. */
const rediscoverAfterMs = 5_000;

/** One context's cluster. */
export class Cluster {
  readonly context: string;
  /** The context's own, else `default`. */
  readonly defaultNamespace: string;
  readonly #door: Door;
  readonly #kinds: Cache<Kinds>;
  #discovering: Promise<Kinds> | undefined;

  constructor(context: string, defaultNamespace: string, door: Door, discoveryTtlSeconds: number) {
    this.context = context;
    this.defaultNamespace = defaultNamespace;
    this.#door = door;
    this.#kinds = new Cache(discoveryTtlSeconds, { maxEntries: 1 });
  }

  /** What is under way to the apiserver. */
  get load(): Door["load"] {
    return this.#door.load;
  }

  /** The kind that a name means: `deploy`, `svc`, `cronjobs.batch`, `Pod`. Throws {@linkcode CallError} `not_found`. */
  async type(name: string, options: AskOptions): Promise<ResourceType> {
    refuseSubresource(name);
    const cached = this.#kinds.get("kinds");
    let kinds = cached?.value ?? await this.#discover(options);
    let found = kinds.find(name);
    if (found === undefined && cached !== undefined && cached.ageMs > rediscoverAfterMs) {
      kinds = await this.#discover(options);
      found = kinds.find(name);
    }
    if (found !== undefined) return found;
    throw new CallError(
      "not_found",
      `Cannot read ${JSON.stringify(name.slice(0, 60))} as the cluster has no kind of that name`,
      {
        hint: didYouMean(kinds.nearest(name)) ?? "kinds have names such as pods, deploy, cronjobs.batch",
      },
    );
  }

  /** One page; `namespace` undefined is all of them. */
  async list(type: ResourceType, namespace: string | undefined, options: ListOptions): Promise<ListAnswer> {
    return (await this.#page(type, namespace, options)).answer;
  }

  /** Pages until there are `maxItems`, or as many as can be held in memory; `more` says what is left out. */
  async listAll(
    type: ResourceType,
    namespace: string | undefined,
    options: ListOptions & { readonly maxItems: number },
  ): Promise<ListAnswer> {
    const items: KubeObject[] = [];
    let bytes = 0;
    let next = options.continue;
    let limit = Math.min(options.limit ?? defaultPage, options.maxItems);
    let restarted = false;
    for (;;) {
      let page: Page;
      try {
        page = await this.#page(type, namespace, {
          ...options,
          limit: Math.min(limit, options.maxItems - items.length),
          continue: next,
        });
      } catch (error) {
        if (!(error instanceof StatusError) || error.code !== 410 || restarted) throw error;
        // The list is older than the apiserver remembers: begin anew, once.
        restarted = true;
        items.length = 0;
        bytes = 0;
        next = undefined;
        continue;
      }
      for (const item of page.answer.items) items.push(item);
      bytes += page.bytes;
      limit = page.limit;
      next = page.answer.continue;
      // A page of nothing that leads on may do so without an end: then what was read is told as a part.
      const enough = items.length >= options.maxItems || bytes >= maxListBytes ||
        page.answer.items.length === 0;
      if (next === undefined || enough) return { ...page.answer, items };
    }
  }

  /** One object. Throws {@linkcode CallError} `not_found`. */
  async get(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    options: AskOptions,
  ): Promise<KubeObject> {
    return (await this.#door.object(objectPath(type, namespace, name), {}, options)).object;
  }

  /** A page of a list as the apiserver prints it. */
  async table(
    type: ResourceType,
    namespace: string | undefined,
    options: ListOptions,
  ): Promise<TableAnswer> {
    const path = collectionPath(type, namespace);
    const { value: answer } = await smallerPages(
      options,
      (limit) => this.#door.table(path, listQuery(options, limit), options),
    );
    return {
      columns: entries(answer.columnDefinitions).map((column) => ({
        name: text(column.name),
        priority: typeof column.priority === "number" ? column.priority : 0,
      })),
      rows: entries(answer.rows).map((row) => {
        const metadata = fields(fields(row.object).metadata);
        const within = text(metadata.namespace);
        return {
          cells: Array.isArray(row.cells) ? row.cells : [],
          name: text(metadata.name),
          ...(within === "" ? {} : { namespace: within }),
        };
      }),
      more: extent(answer).more,
    };
  }

  /** The lines of a pod's log, redacted, as they come. */
  logs(namespace: string, pod: string, options: LogOptions): AsyncGenerator<string> {
    const { signal: _signal, timeoutMs: _timeoutMs, maxBytes = 64 * 1024 * 1024, ...query } = options;
    return this.#door.log(podLogPath(namespace, pod), query, { ...options, maxBytes });
  }

  /** Whether the identity may do that. */
  async access(attributes: AccessAttributes, options: AskOptions): Promise<boolean> {
    const review = await this.#door.review("access", { resourceAttributes: attributes }, options);
    return fields(review.status).allowed === true;
  }

  /** All that the identity may do in one namespace, and in the cluster. */
  async rules(namespace: string, options: AskOptions): Promise<RulesAnswer> {
    const status = fields((await this.#door.review("rules", { namespace }, options)).status);
    return {
      rules: entries(status.resourceRules).map((rule) => ({
        verbs: texts(rule.verbs),
        groups: texts(rule.apiGroups),
        resources: texts(rule.resources),
        names: texts(rule.resourceNames),
      })),
      incomplete: status.incomplete === true,
    };
  }

  /** Whose credentials are presented, as far as they say; undefined for an opaque token. */
  identity(options: AskOptions): Promise<string | undefined> {
    return this.#door.identity(options);
  }

  /** The namespace of the service account whose token is presented; undefined for any other identity. */
  home(options: AskOptions): Promise<string | undefined> {
    return this.#door.home(options);
  }

  /** The apiserver's version, such as `v1.36.3`. */
  async version(options: AskOptions): Promise<string> {
    return text(
      (await this.#door.discovery(discoveryPath("version"), "application/json", options)).gitVersion,
    );
  }

  /** Ends the connections. */
  close(): void {
    this.#door.close();
  }

  async #page(type: ResourceType, namespace: string | undefined, options: ListOptions): Promise<Page> {
    const path = collectionPath(type, namespace);
    const { value, limit } = await smallerPages(
      options,
      (limit) => this.#door.object(path, listQuery(options, limit), options),
    );
    const { object, bytes } = value;
    const reached = extent(object);
    if (reached.continue !== undefined && reached.continue === options.continue) {
      throw new CallError(
        "failed",
        `Cannot list ${type.plural} of context ${this.context} as the apiserver answers with the same page again`,
        {
          hint:
            "an operator should look at what stands before the apiserver, or at the API service that serves them",
        },
      );
    }
    return {
      // The door has redacted each of them.
      answer: {
        items: entries(object.items) as readonly KubeObject[],
        ...reached,
      },
      bytes,
      limit,
    };
  }

  /** Calls that need it at the same time share one discovery, which outlives the first of them. */
  #discover(options: AskOptions): Promise<Kinds> {
    this.#discovering ??= discover(this.#door, { ...options, signal: AbortSignal.timeout(60_000) })
      .then((kinds) => {
        this.#kinds.set("kinds", kinds);
        return kinds;
      })
      .finally(() => {
        this.#discovering = undefined;
      });
    return abortable(this.#discovering, options.signal);
  }
}

interface Page {
  readonly answer: ListAnswer;
  readonly bytes: number;
  /** Items of a page that were not too many. */
  readonly limit: number;
}

/** Asks with fewer items as long as a page is too large to take in. */
async function smallerPages<Value>(
  options: ListOptions,
  ask: (limit: number) => Promise<Value>,
): Promise<{ readonly value: Value; readonly limit: number }> {
  for (let limit = options.limit ?? defaultPage;; limit = Math.max(1, Math.floor(limit / 10))) {
    try {
      return { value: await ask(limit), limit };
    } catch (error) {
      if (!(error instanceof TooLargeError) || limit <= 1) throw error;
    }
  }
}

function listQuery(options: ListOptions, limit: number): Query {
  return {
    limit,
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    continue: options.continue,
  };
}

/** What there is beyond a page. */
function extent(list: KubeObject): { readonly more: number | "unknown"; readonly continue?: string } {
  const metadata = fields(list.metadata);
  const token = text(metadata.continue);
  if (token === "") return { more: 0 };
  const remaining = metadata.remainingItemCount;
  return { more: typeof remaining === "number" && remaining >= 0 ? remaining : "unknown", continue: token };
}
