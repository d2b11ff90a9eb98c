/** The clusters of the kubeconfig: which of them tools may read, and the way to each. */
import { CallError } from "../common/errors.ts";
import { didYouMean, nearest } from "../common/nearest.ts";
import { Cluster } from "./cluster.ts";
import { Connection } from "./connection.ts";
import { credentialSource } from "./credentials.ts";
import { Door } from "./door.ts";
import { pluginFor, type PluginSource } from "./exec_plugin.ts";
import type { ExecPlugin, KubeconfigCluster, KubeconfigContext } from "./kubeconfig.ts";
import { anonymousUser } from "./service_account.ts";
import type { KubernetesSettings } from "./settings.ts";

export type { AccessAttributes, ListAnswer, LogOptions, RulesAnswer, TableAnswer } from "./answers.ts";
export type { AskOptions, KubeObject } from "./door.ts";
export type { Cluster } from "./cluster.ts";

/** The clusters of the kubeconfig, as far as they may be used. */
export class Clusters {
  readonly #settings: KubernetesSettings;
  readonly #clusters = new Map<string, Cluster>();
  readonly #plugins = new Map<string, PluginSource>();

  constructor(settings: KubernetesSettings) {
    this.#settings = settings;
  }

  /** The contexts by name: which of them may be used, and which is used unless a call says otherwise. */
  contexts(): readonly { readonly name: string; readonly allowed: boolean; readonly default: boolean }[] {
    const { kubeconfig, allowed } = this.#settings;
    const others = [...kubeconfig.contexts.keys()].filter((name) => !allowed.includes(name)).sort();
    return [...allowed, ...others].map((name, index) => ({
      name,
      allowed: index < allowed.length,
      default: index === 0 && allowed.length > 0,
    }));
  }

  /** The cluster of a context, the default one unless named. Throws {@linkcode CallError} for one that is not allowed. */
  cluster(context: string | undefined): Cluster {
    const { allowed, absent, kubeconfig } = this.#settings;
    const name = context ?? allowed[0];
    if (name === undefined || (absent !== undefined && allowed.length === 0)) {
      throw new CallError(
        "unavailable",
        `Cannot reach a cluster as ${absent?.reason ?? "none is configured"}`,
        {
          hint: absent?.hint,
        },
      );
    }
    if (!allowed.includes(name)) throw this.#notAllowed(name, kubeconfig.contexts.has(name));
    const known = this.#clusters.get(name);
    if (known !== undefined) return known;
    const cluster = this.#open(name);
    this.#clusters.set(name, cluster);
    return cluster;
  }

  /** What is under way to all apiservers together. */
  get load(): Cluster["load"] {
    const loads = [...this.#clusters.values()].map(({ load }) => load);
    const sum = (of: keyof Cluster["load"]) => loads.reduce((total, load) => total + load[of], 0);
    return { running: sum("running"), waiting: sum("waiting") };
  }

  /** Ends all connections. */
  close(): void {
    for (const cluster of this.#clusters.values()) cluster.close();
    this.#clusters.clear();
  }

  #open(name: string): Cluster {
    const { kubeconfig, readFile, timeoutMs, discoveryTtlSeconds } = this.#settings;
    const context = kubeconfig.contexts.get(name);
    const cluster = kubeconfig.clusters.get(context?.cluster ?? "");
    if (context === undefined || cluster === undefined) {
      throw new CallError(
        "unavailable",
        `Cannot use context ${JSON.stringify(name)} as its cluster is not in the kubeconfig`,
        {
          hint: "an operator must correct the kubeconfig",
        },
      );
    }
    const user = context.user === "" ? anonymousUser : kubeconfig.users.get(context.user);
    if (user === undefined) {
      throw new CallError(
        "unavailable",
        `Cannot use context ${JSON.stringify(name)} as its user is not in the kubeconfig`,
        {
          hint: "an operator must correct the kubeconfig",
        },
      );
    }
    const plugin = user.exec === undefined ? undefined : this.#plugin(user.exec, context, name, cluster);
    const source = credentialSource(name, user, { readFile, plugin, now: Date.now });
    const door = new Door(name, new Connection(name, cluster, source, readFile), timeoutMs);
    return new Cluster(name, context.namespace ?? "default", door, discoveryTtlSeconds);
  }

  /** One for each user, so that contexts that share it share the login; unless the plugin is told which cluster it is for. */
  #plugin(
    exec: ExecPlugin,
    context: KubeconfigContext,
    name: string,
    cluster: KubeconfigCluster,
  ): PluginSource {
    const { readFile, pluginEnvironment: environment } = this.#settings;
    const key = JSON.stringify([context.user, exec.provideClusterInfo ? context.cluster : ""]);
    const known = this.#plugins.get(key);
    if (known !== undefined) return known;
    const plugin = pluginFor(exec, { context: name, cluster, readFile, environment });
    this.#plugins.set(key, plugin);
    return plugin;
  }

  #notAllowed(name: string, exists: boolean): CallError {
    const { allowed, kubeconfig } = this.#settings;
    const shown = JSON.stringify(name.slice(0, 100));
    if (exists) {
      return new CallError("refused", `Cannot use context ${shown} as KUBE_CONTEXT does not allow it`, {
        hint: `allowed: ${allowed.join(", ")}; only an operator can change that, so tell the user`,
      });
    }
    const near = nearest(name, kubeconfig.contexts.keys(), 3);
    return new CallError("not_found", `Cannot use context ${shown} as the kubeconfig has no such context`, {
      hint: didYouMean(near) ?? "list_contexts shows their names",
    });
  }
}
