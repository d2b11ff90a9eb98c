/** A kubeconfig's YAML, read as kubectl reads it: with the words for yes and no of YAML 1.1, and the first of several documents. */
import { CORE_SCHEMA, FAILSAFE_SCHEMA, loadAll, Type, types } from "js-yaml";
import { isRecord } from "../common/record.ts";

/** A file that is no kubeconfig. `message` is a clause such as "it is not valid YAML"; no value, no path. */
export class KubeconfigProblem extends Error {
  override readonly name = "KubeconfigProblem";
}

const YES = /^(?:y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const NO = /^(?:n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/;

const bool = new Type("tag:yaml.org,2002:bool", {
  kind: "scalar",
  resolve: (text: string | null) => text !== null && (YES.test(text) || NO.test(text)),
  construct: (text: string) => YES.test(text),
});

/** A text, as for kubectl. */
const binary = new Type("tag:yaml.org,2002:binary", {
  kind: "scalar",
  resolve: (text: string | null) =>
    /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text ?? ""),
  construct: (text: string | null) => new TextDecoder().decode(Uint8Array.fromBase64(text ?? "")),
});

// `<<` merges, as it does for kubectl: what it brings may be an impersonation.
const more = { implicit: [types.merge, types.null, bool], explicit: [binary] };
const failsafeSchema = FAILSAFE_SCHEMA.extend(more);
const coreSchema = CORE_SCHEMA.extend(more);

/**
 * The first document of `text`. With `failsafe` a number is the text as it stands, so that a token of digits stays one.
 * Throws {@linkcode KubeconfigProblem}.
 */
export function parseYaml(text: string, schema: "failsafe" | "core"): unknown {
  try {
    // As for kubectl, the last of two equal keys counts.
    return loadAll(text, null, { schema: schema === "core" ? coreSchema : failsafeSchema, json: true })[0];
  } catch {
    // The parser's own message may quote the line, and with it a credential.
    throw new KubeconfigProblem("it is not valid YAML");
  }
}

/** Text that says something. */
export function string(value: unknown): string | undefined {
  if (typeof value === "boolean") {
    throw new KubeconfigProblem("a text in it is yes, no, on, off or the like, which needs quotes");
  }
  return typeof value !== "string" || value === "" ? undefined : value;
}

/** The texts of a list. */
export function strings(value: unknown): readonly string[] {
  return list(value).map((item) => string(item) ?? "");
}

/** A yes or no; nothing is a no. `name` is the setting's. */
export function flag(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  if (value === undefined || value === null) return false;
  throw new KubeconfigProblem(`its ${name} is neither true nor false`);
}

/** The items of a list; none where there is no list. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The settings of a mapping. */
export type Mapping = Readonly<Record<string, unknown>>;

/** A mapping; undefined where there is none. */
export function mapping(value: unknown): Mapping | undefined {
  // Whatever is an object and no array is a mapping here: YAML in these schemas knows no other.
  return isRecord(value) ? value : undefined;
}
