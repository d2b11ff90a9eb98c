/**
 * Takes the secrets out of Kubernetes objects, for good and with no switch: what passes here can be shown to anybody.
 *
 * Called on every object at the door, before a tool sees it. The kind that was asked for decides, since items of a list
 * carry none. Values of Secrets become their sizes; `last-applied-configuration` and managedFields are dropped;
 * credentials by name or by shape are replaced by `***` wherever they stand, in custom resources too. Names, uids,
 * digests, versions and references to Secrets stay.
 *
 * What needs no change is returned as it is, not copied. Time is linear in the size of the object.
 */
import { isRecord } from "../common/record.ts";
import { holdsIt, isCredentialName as judgeName } from "./credential_name.ts";
import {
  isCredential,
  isHarmlessValue,
  isIdentifier,
  isNamedDigest,
  isRandomBelow,
  isReference,
} from "./credential_value.ts";
import { mask, sizeOf } from "./masked_value.ts";
import { redactCommand } from "./redact_command.ts";
import { redactConfiguration } from "./redact_configuration.ts";
import { createLogRedactor } from "./redact_log.ts";
import { MASK, redactText } from "./redact_text.ts";

/** Which kind was asked for; the core group is the empty string. */
export interface RedactedKind {
  readonly group: string;
  readonly kind: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** The apiserver itself allows more, but nothing that people write is nested this deeply. */
const DEEPEST = 64;

/** A copy of `object` without secrets; a list's items are taken for the kind that was asked for. */
export function redactObject<Redacted extends Fields>(type: RedactedKind, object: Redacted): Redacted {
  // The walk replaces strings by strings and drops what is optional, so the shape stays what it was.
  try {
    return redactKind(type.kind, object, 0) as Redacted;
  } finally {
    // Nothing of it stays in memory.
    known = new Map();
    knownStrings = 0;
    knownNames = new Map();
  }
}

function redactKind(kind: string, object: Fields, depth: number): Fields {
  const items = object["items"];
  if (Array.isArray(items) && (kind.endsWith("List") || String(object["kind"] ?? "").endsWith("List"))) {
    const itemKind = kind.endsWith("List") ? kind.slice(0, -"List".length) : kind;
    const redacted = items.map((item) => {
      if (!isRecord(item)) return item;
      // The items of a v1 List are of any kind, and do carry it.
      return redactKind(itemKind === "" ? String(item["kind"] ?? "") : itemKind, item, depth + 1);
    });
    return walkFields({ ...object, items: [] }, depth, { items: redacted });
  }
  if (kind.endsWith("Secret")) return redactSecret(object, depth);
  if (kind === "ConfigMap") return redactConfigMap(object, depth);
  return walkFields(object, depth);
}

/** Keys and sizes stay. */
function redactSecret(object: Fields, depth: number): Fields {
  const replaced: Record<string, unknown> = {};
  for (const part of ["data", "stringData", "encryptedData"]) {
    const values = object[part];
    if (values === undefined || values === null) continue;
    replaced[part] = isRecord(values)
      ? mapFields(
        values,
        (_, value) =>
          // A template's reference; no base64 begins so.
          typeof value === "string" && /^\{\{[^{}]{1,256}\}\}$/.test(value)
            ? value
            : sizeOf(value, part !== "stringData"),
      )
      : MASK;
  }
  // What is to become a Secret: of a SealedSecret, of an ExternalSecret.
  const spec = object["spec"];
  if (isRecord(spec)) {
    const target = spec["target"];
    replaced["spec"] = walkFields(spec, depth + 1, {
      ...template(spec, depth + 1),
      ...(isRecord(target) ? { target: walkFields(target, depth + 2, template(target, depth + 2)) } : {}),
    });
  }
  return walkFields(object, depth, replaced);
}

function template(owner: Fields, depth: number): Fields {
  const template = owner["template"];
  return isRecord(template) && depth < DEEPEST ? { template: redactSecret(template, depth + 1) } : {};
}

function redactConfigMap(object: Fields, depth: number): Fields {
  const { data, binaryData } = object;
  const replaced: Record<string, unknown> = {};
  if (isRecord(data)) {
    replaced["data"] = mapFields(data, (key, value) => {
      if (typeof value !== "string") return value;
      return isCredentialName(key) && !isHarmlessValue(value) && !isNamedDigest(key, value)
        ? mask(value)
        : redactValue(key, value, depth);
    });
  }
  if (isRecord(binaryData)) replaced["binaryData"] = mapFields(binaryData, (_, value) => sizeOf(value, true));
  return walkFields(object, depth, replaced);
}

/** The credential's name that an object is found under. */
interface Owner {
  readonly name: string;
  /** The object itself is named so, or one of a list; not something below it. */
  readonly direct: boolean;
}

/** `replaced` holds fields that are ready. */
function walkFields(fields: Fields, depth: number, replaced: Fields = {}, owner?: Owner): Fields {
  let copy: Record<string, unknown> | undefined;
  const pairName = typeof fields["name"] === "string" ? fields["name"] : fields["key"];
  const isPair = typeof pairName === "string" && "value" in fields;
  for (const key of Object.keys(fields)) {
    const value = fields[key];
    const redacted = Object.hasOwn(replaced, key)
      ? replaced[key]
      : walkField(key, isPair && key === "value" ? pairName : undefined, value, depth, owner);
    if (redacted === value) continue;
    copy ??= { ...fields };
    if (redacted === undefined) delete copy[key];
    else setOwn(copy, key, redacted);
  }
  return copy ?? fields;
}

/** One field; `pair` is what it is the value of, where its object is a pair of a name and a value. */
function walkField(
  key: string,
  pair: string | undefined,
  value: unknown,
  depth: number,
  owner?: Owner,
): unknown {
  if (owner !== undefined && typeof value === "string" && !isIdentifier(key) && isRandomBelow(key, value)) {
    return MASK;
  }
  const name = pair !== undefined && (owner === undefined || isCredentialName(pair))
    ? pair
    : owner?.direct === true && holdsIt(key)
    ? owner.name
    : key;
  return redactField(key, name, value, depth, owner);
}

function redactField(key: string, name: string, value: unknown, depth: number, owner?: Owner): unknown {
  if (depth > DEEPEST) {
    return typeof value === "object" && value !== null ? "(nested too deeply to be shown)" : MASK;
  }
  if (typeof value === "string") {
    // An image may be pulled with a password in its name, by mistake; the rest of these have a format of their own.
    if (name === key && isIdentifier(key)) {
      return value.includes("@") && value.includes(":") ? redactText(value) : value;
    }
    return redactNamed(name, value, depth);
  }
  if (typeof value === "number") {
    return isCredentialName(name) && !/tokens$/i.test(name) ? MASK : value;
  }
  if (value === null || typeof value !== "object") return value;
  if (key === "managedFields") return undefined;
  const below = isCredentialName(name) && !isReference(name)
    ? { name, direct: true }
    : owner === undefined
    ? undefined
    : { ...owner, direct: false };
  if (Array.isArray(value)) return redactArray(name, value, depth, below);
  // Whatever JSON.parse gave is an object with string keys.
  const fields = value as Fields;
  if (key === "annotations") return redactAnnotations(fields, depth);
  const kind = fields["kind"];
  if (
    typeof kind === "string" && (kind.endsWith("Secret") || kind === "ConfigMap" || kind.endsWith("List"))
  ) {
    return redactKind(kind, fields, depth + 1);
  }
  return walkFields(fields, depth + 1, {}, key === "" ? owner : below);
}

/** Strings of one object that were looked at: a list says the same a thousand times. */
let known = new Map<string, Map<string, string>>();
let knownStrings = 0;
const longestKnown = 256;
const mostKnown = 20_000;

function redactNamed(name: string, value: string, depth: number): string {
  const before = value.length > longestKnown ? undefined : known.get(name);
  const result = before?.get(value);
  if (result !== undefined) return result;
  const redacted = isCredential(name, value) ? mask(value) : redactValue(name, value, depth);
  if (value.length <= longestKnown && knownStrings < mostKnown) {
    knownStrings++;
    if (before === undefined) known.set(name, new Map([[value, redacted]]));
    else before.set(value, redacted);
  }
  return redacted;
}

/** Names that were judged, likewise. */
let knownNames = new Map<string, boolean>();

function isCredentialName(name: string): boolean {
  const before = knownNames.get(name);
  if (before !== undefined) return before;
  const judged = judgeName(name);
  if (name.length <= longestKnown && knownNames.size < mostKnown) knownNames.set(name, judged);
  return judged;
}

function redactArray(name: string, values: readonly unknown[], depth: number, owner?: Owner): unknown {
  if (isWords(values)) {
    const credentials = isCredentialName(name) && !isReference(name);
    const redacted = credentials
      ? values.map((value) => isCredential(name, value) ? mask(value) : value)
      : redactCommand(values);
    return changed(values, redacted);
  }
  const isHeaders = /headers$/i.test(name);
  return changed(
    values,
    values.map((value) => {
      if (isHeaders && isRecord(value) && typeof value["value"] === "string") return redactHeader(value);
      return redactField("", isRecord(value) ? "" : name, value, depth + 1, owner);
    }),
  );
}

function redactHeader(header: Fields): Fields {
  const { name, value } = header;
  if (typeof value !== "string" || isHarmlessValue(value)) return header;
  const secret = /auth|cookie|token|key|secret|session|signature|csrf|passw/i.test(String(name));
  const redacted = secret ? mask(value) : redactText(value);
  return redacted === value ? header : { ...header, value: redacted };
}

function redactAnnotations(annotations: Fields, depth: number): Fields {
  const kept: Record<string, unknown> = {};
  let same = true;
  for (const [key, value] of Object.entries(annotations)) {
    // Copies of whole objects, as they were applied, secrets included.
    if (/last-?(?:applied|handled)|\/(?:applied|original|original-configuration)$/i.test(key)) {
      same = false;
      continue;
    }
    const redacted = typeof value === "string" ? redactAnnotation(key, value, depth) : value;
    if (redacted !== value) same = false;
    setOwn(kept, key, redacted);
  }
  return same ? annotations : kept;
}

/** Annotations of well-known controllers whose names speak of secrets and whose values name or digest them. */
const ABOUT_SECRETS =
  /^(?:checksum|vault\.hashicorp\.com|(?:[\w.-]+\.)?reloader\.stakater\.com|nginx\.ingress\.kubernetes\.io\/(?:auth-(?!snippet)|.*-secret$)|cert-manager\.io|kubernetes\.io|[\w.-]+\.kubernetes\.io\/service-account|(?:eks|iam)\.amazonaws\.com|traefik\.ingress)/i;

function redactAnnotation(key: string, value: string, depth: number): string {
  const name = key.slice(key.lastIndexOf("/") + 1);
  if (
    isCredentialName(name) && !isHarmlessValue(value) && !isNamedDigest(key, value) &&
    !ABOUT_SECRETS.test(key)
  ) {
    return mask(value);
  }
  return redactValue(name, value, depth);
}

/** A string that may be a document of its own. */
function redactValue(name: string, value: string, depth: number): string {
  if (value.length < 6) return value;
  // Sentences of the kubelet and the scheduler: "secret: …" in them is prose.
  if (name === "message" || name === "note") return redactMessage(value);
  const start = /^\s{0,64}[{[]/.test(value.slice(0, 65));
  if (start && depth < DEEPEST) {
    const redacted = redactJson(name, value, depth);
    if (redacted !== undefined) return redacted;
  }
  return value.includes("\n") || /[:=]/.test(value.slice(0, 256))
    ? redactConfiguration(value)
    : redactText(value);
}

/** What a container left behind may be the end of its log. */
function redactMessage(value: string): string {
  if (!value.includes("\n")) return redactText(value);
  const redactor = createLogRedactor();
  return redactText(value).split("\n").map((line) => redactor.line(line)).join("\n");
}

/** JSON in a string is walked as an object is; undefined when it is no JSON. */
function redactJson(name: string, value: string, depth: number): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return undefined;
  }
  if (parsed === null || typeof parsed !== "object") return undefined;
  // Documents inside documents cost depth, so that a nest of them ends.
  const redacted = redactField("", name, parsed, depth + 8);
  if (redacted === parsed) return redactText(value);
  return redactText(JSON.stringify(redacted, undefined, value.includes("\n") ? 2 : undefined));
}

function isWords(values: readonly unknown[]): values is readonly string[] {
  return values.every((value) => typeof value === "string");
}

function changed(before: readonly unknown[], after: readonly unknown[]): readonly unknown[] {
  return after.some((value, index) => value !== before[index]) ? after : before;
}

/** Not by assignment: a key named __proto__ must stay a key. */
function setOwn(fields: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(fields, key, { value, enumerable: true, configurable: true, writable: true });
}

function mapFields(fields: Fields, map: (key: string, value: unknown) => unknown): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, map(key, value)]));
}
