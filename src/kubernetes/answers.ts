/** What a cluster is asked, and what it answers. */
import type { AskOptions, KubeObject } from "./door.ts";

/** One page of a list, or several of them. */
export interface ListAnswer {
  readonly items: readonly KubeObject[];
  /** How many there are beyond these; the apiserver does not count them where a selector is given. */
  readonly more: number | "unknown";
  /** Asks for the next page; good for some minutes. */
  readonly continue?: string;
}

/** A list as the apiserver prints it, for kinds that this program knows nothing about. */
export interface TableAnswer {
  readonly columns: readonly {
    readonly name: string;
    /** 0: kubectl shows it without `-o wide`. */
    readonly priority: number;
  }[];
  readonly rows: readonly {
    readonly cells: readonly unknown[];
    readonly name: string;
    readonly namespace?: string;
  }[];
  readonly more: number | "unknown";
}

/** What a list is narrowed by. */
export interface ListOptions extends AskOptions {
  /** Items of a page; fewer come where they would be too large. 500 unless given. */
  readonly limit?: number | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly continue?: string | undefined;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod */
export interface LogOptions extends AskOptions {
  readonly container?: string | undefined;
  readonly tailLines?: number | undefined;
  readonly sinceSeconds?: number | undefined;
  /** RFC 3339. */
  readonly sinceTime?: string | undefined;
  readonly previous?: boolean | undefined;
  readonly timestamps?: boolean | undefined;
  readonly follow?: boolean | undefined;
  /** Bytes after which the apiserver ends the log, from its first line on. */
  readonly limitBytes?: number | undefined;
  /** Bytes after which reading ends with an error; 64 MB unless given. */
  readonly maxBytes?: number | undefined;
}

/** What {@linkcode Cluster.access} asks about. */
export interface AccessAttributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string | undefined;
  readonly namespace?: string | undefined;
}

/** What the identity may do in one namespace, and in the cluster: RBAC rules. */
export interface RulesAnswer {
  readonly rules: readonly {
    readonly verbs: readonly string[];
    readonly groups: readonly string[];
    readonly resources: readonly string[];
    /** Empty: all of them. */
    readonly names: readonly string[];
  }[];
  /** The authorizer can't list all that it would allow. */
  readonly incomplete: boolean;
}
