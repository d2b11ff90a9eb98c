/** What the apiserver refuses or fails to do, in words the caller can act on. */
import { CallError, type CallErrorKind } from "../common/errors.ts";
import { fields } from "./fields.ts";
import type { ReadPurpose } from "./paths.ts";
import { redactText } from "./redact_text.ts";

/** The part of meta/v1 Status that is read: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ */
export interface Status {
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;
}

/** An answer of the apiserver that is none. */
export class StatusError extends CallError {
  /** HTTP status code. */
  readonly code: number;
  readonly status: Status;

  constructor(kind: CallErrorKind, message: string, hint: string | undefined, code: number, status: Status) {
    super(kind, message, { hint });
    this.code = code;
    this.status = status;
  }
}

/** Reads the body of an error; whatever it is. */
export function readStatus(body: string): Status {
  let value: Readonly<Record<string, unknown>> = {};
  try {
    value = fields(JSON.parse(body));
  } catch { /* a proxy's page, or plain text: nothing of it is shown */ }
  const retry = fields(value.details).retryAfterSeconds;
  return {
    message: typeof value.message === "string" ? redactText(value.message.slice(0, 1_000)) : "",
    retryAfterSeconds: typeof retry === "number" ? retry : undefined,
  };
}

/** The error for an answer with a status of 400 or more, 401 excepted; `context` names the cluster. */
export function describeStatus(
  code: number,
  status: Status,
  what: ReadPurpose,
  context: string,
): StatusError {
  const says = status.message.replace(/\.$/, "");
  const make = (kind: CallErrorKind, message: string, hint?: string) =>
    new StatusError(kind, message, hint, code, status);
  const doing = describePurpose(what);
  switch (code) {
    case 403:
      return make("refused", ...forbidden(says, what, context));
    case 404:
      if (what.name !== undefined && says.includes(`"${what.name}" not found`)) {
        return make("not_found", `Cannot ${doing} as there is no such object`, notFoundHint(what));
      }
      return what.resource === "(discovery)" ||
          !/could not find the requested resource|^$|page not found/.test(says)
        ? make("not_found", `Cannot ${doing} as the apiserver says: ${says || "not found"}`)
        : make(
          "not_found",
          `Cannot ${doing} as the cluster has no API for ${resourceName(what)}`,
          "list_resources shows which kinds it has",
        );
    case 410:
      return make(
        "invalid",
        `Cannot ${doing} from there on as the continue token has expired`,
        "start again without it: the list has changed meanwhile",
      );
    case 429:
      return make(
        "unavailable",
        `Cannot ${doing} as the apiserver has too much to do`,
        `ask again in ${status.retryAfterSeconds ?? 1} s`,
      );
    case 400:
    case 422:
      return make(
        "invalid",
        `Cannot ${doing} as the apiserver says: ${says || `status ${code}`}`,
        // What a server for TLS says to plain HTTP; an apiserver's own refusal has a message.
        what.resource === "(discovery)" && says === ""
          ? "an operator must write https:// in the kubeconfig, where the server wants TLS"
          : undefined,
      );
    default:
      return make(
        code >= 500 ? "unavailable" : "failed",
        `Cannot ${doing} as the apiserver answers with status ${code}${says === "" ? "" : `: ${says}`}`,
        code >= 500 ? "ask again in a moment" : undefined,
      );
  }
}

function notFoundHint(what: ReadPurpose): string {
  return what.namespace === undefined
    ? `list the ${what.resource} to see their names`
    : `list the ${what.resource} of namespace ${what.namespace} to see their names, or look in another namespace`;
}

/** The missing right, and the rule that grants it: https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
function forbidden(says: string, what: ReadPurpose, context: string): [message: string, hint: string] {
  const identity = says.match(/User "([^"]{1,253})" cannot/)?.[1];
  const who = identity === undefined ? "its identity" : JSON.stringify(identity);
  if (/cannot impersonate/.test(says)) {
    return [
      `Cannot read context ${
        JSON.stringify(context)
      } as ${who} may not impersonate whom the kubeconfig names`,
      "an operator can grant it the verb impersonate, or take the as… lines out of the kubeconfig",
    ];
  }
  if (identity === "system:anonymous") {
    return [
      `Cannot ${describePurpose(what)} as the user of context ${
        JSON.stringify(context)
      } has no credentials that count (${who})`,
      "an operator must give the kubeconfig's user a token, a client certificate or a credential plugin",
    ];
  }
  if (what.resource === "(discovery)") {
    return [
      `Cannot ${describePurpose(what)} as ${who} lacks the right to`,
      "an operator can bind it to the ClusterRoles system:discovery and system:basic-user, " +
      "as whoever has logged in usually is",
    ];
  }
  const resource = what.subresource === undefined ? what.resource : `${what.resource}/${what.subresource}`;
  const where = what.namespace === undefined ? "" : ` in namespace ${what.namespace}`;
  const role = what.namespace === undefined
    ? "ClusterRole"
    : `Role in namespace ${what.namespace} or a ClusterRole`;
  return [
    `Cannot ${describePurpose(what)} as ${who} lacks the right to ${what.verb} ${resource}${
      what.group === "" ? "" : ` in API group ${what.group}`
    }${where}`,
    `an operator can grant it with a rule in a ${role}: ` +
    `{apiGroups: [${JSON.stringify(what.group)}], resources: ["${resource}"], verbs: ["${what.verb}"]}`,
  ];
}

/** `list pods in namespace shop`, `read pod web-1 in namespace shop`, `read the logs of pod web-1 …`. */
export function describePurpose(what: ReadPurpose): string {
  if (what.resource === "(discovery)") return "read what the cluster offers";
  const where = what.namespace === undefined ? "" : ` in namespace ${what.namespace}`;
  if (what.subresource === "log") return `read the logs of pod ${what.name}${where}`;
  if (what.name !== undefined) return `read ${what.kind} ${what.name}${where}`;
  return `list ${resourceName(what)}${where === "" ? "" : where}`;
}

function resourceName(what: ReadPurpose): string {
  return what.group === "" ? what.resource : `${what.resource}.${what.group}`;
}
