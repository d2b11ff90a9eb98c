/** Values: which of them, under a credential's name, are none; and which are one without any name. */
import { isObjectName } from "./object_name.ts";
import { isCredentialName, isKeyName } from "./credential_name.ts";

const longestRandom = 4_096;
const RANDOM = /^[\w+/=.~-]{16,}$/;

/** Whether a text has the look of a random key: long, without blanks, digits among letters of which none is a word. */
export function looksRandom(text: string): boolean {
  if (text.length > longestRandom || !RANDOM.test(text)) return false;
  const digits = text.slice(0, 256).match(/\d/g)?.length ?? 0;
  const changes = text.slice(0, 256).match(/[a-z][A-Z0-9]|[A-Z0-9][a-z]/g)?.length ?? 0;
  return digits >= 3 && changes >= 4;
}

/** Whether a field somewhere below a credential's name holds a random key: no id, no path, no name of an object. */
export function isRandomBelow(name: string, value: string): boolean {
  return !/(?:ids?|refs?|names?|path|file|ur[li]|hash|digest|checksum)$/i.test(name) &&
    !value.startsWith("/") &&
    looksRandom(value);
}

const HARMLESS =
  /^(?:|true|false|yes|no|on|off|null|none|nil|enabled|disabled|optional|required|auto|~|\*{3,}.*|<[\w \t.,:-]{0,80}>|\[?redacted\]?|changeme-not-set|\{\{[^{}]{0,256}\}\})$/i;
/** A shell's variables are in capitals by custom: `$ecret` is none. */
const VARIABLE = /^\$(?:\([\w.-]{1,256}\)|\{[\w.:-]{1,256}\}|[A-Z_][A-Z0-9_]{0,255})$/;

/** Whether a value can't be a credential: empty, a yes or no, masked already, or a reference such as `$(DB_PASSWORD)`. */
export function isHarmlessValue(value: string): boolean {
  return value.length <= 300 && (HARMLESS.test(value.trim()) || VARIABLE.test(value.trim()));
}

/** A digest in hexadecimal, as `checksum/secret` annotations have: of use to see that something changed. */
function isDigest(value: string): boolean {
  return /^(?:sha\d{1,3}[:-])?(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{128})$/i.test(
    value,
  );
}

/** Whether `value`, under this name, is a credential. */
export function isCredential(name: string, value: string): boolean {
  if (isCredentialName(name)) {
    return !isHarmlessValue(value) && !isReferenceName(name, value) && !isPlain(name, value);
  }
  return isKeyName(name) && looksRandom(value);
}

/** Numbers under a name that counts (`max_tokens`), digests under one that says so. */
function isPlain(name: string, value: string): boolean {
  return (/tokens$/i.test(name) && /^[\d.,_kKmM]+$/.test(value)) ||
    isNamedDigest(name, value) ||
    // A path to where it is kept: names of keys and tokens are given to their files as well.
    (/(?:key|token|credentials?|cert|keystore|kubeconfig)$/i.test(name) &&
      /^(?:\/[\w.-]+){2,8}$/.test(value) && !looksRandom(value));
}

/** A digest under a name that says so: 32 hexadecimal digits under another may well be a key. */
export function isNamedDigest(name: string, value: string): boolean {
  return /checksum|hash|digest/i.test(name) && isDigest(value);
}

/** Whether a field names a Secret object: `existingSecret: db`, but not `clientSecret: …`. */
export function isReference(name: string): boolean {
  // A variable of the environment holds the secret itself; it is the API's fields that name one.
  if (/^[A-Z0-9_]+$/.test(name)) return false;
  return /(?:existing|tls|pull|cert|certificate|ca|bootstrap|credentials?|password|token|key|auth|admin|target|source|external)_?secrets?$|^(?:image_?)?pull_?secrets$/i
    .test(name);
}

/** Whether a field that names a Secret object holds a name indeed. */
export function isReferenceName(name: string, value: string): boolean {
  return isReference(name) && isObjectName(value) && !looksRandom(value);
}

/** Fields of the API that hold names, numbers or digests, which nobody keeps a secret in. */
const IDENTIFIERS = new Set([
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "generateName",
  "creationTimestamp",
  "deletionTimestamp",
  "kind",
  "apiVersion",
  "nodeName",
  "serviceAccountName",
  "serviceAccount",
  "secretName",
  "image",
  "imageID",
  "containerID",
  "phase",
  "type",
  "status",
  "startedAt",
  "finishedAt",
  "startTime",
  "lastTransitionTime",
  "lastProbeTime",
  "lastHeartbeatTime",
  "podIP",
  "hostIP",
  "ip",
  "mountPath",
  "protocol",
  "imagePullPolicy",
  "restartPolicy",
  "firstTimestamp",
  "lastTimestamp",
  "eventTime",
  "reason",
  "schedulerName",
  "dnsPolicy",
  "qosClass",
  "fieldPath",
  "pod-template-hash",
  "controller-revision-hash",
  "continue",
]);

/** Whether a field of the API holds a name, a number or a digest. */
export function isIdentifier(key: string): boolean {
  return IDENTIFIERS.has(key);
}
