/**
 * Secrets in free text (log lines, messages, shell commands), found by shape or by the name before them, and replaced by
 * `***`. What the common mask finds is found first; this adds what is at home in a cluster: flags, YAML, cookies,
 * password hashes, user information in web addresses, and all of these in base64.
 *
 * Time is linear in the length of the text. `redactText(redactText(x)) === redactText(x)`.
 */
import { maskSecrets } from "../common/secrets_mask.ts";
import { isCredentialName } from "./credential_name.ts";
import { isCredential } from "./credential_value.ts";
import { maskDumps } from "./redact_dumps.ts";
import { maskProse } from "./redact_prose.ts";

/** What stands in the place of a secret. */
export const MASK = "***";

/** Nothing that is masked lacks all of these; most texts of a cluster do, and cost one pass. */
const SUSPECT =
  /pass|pwd|secret|token|credential|api[ _.-]?key|access[ _.-]?key|[a-z][ _]?key|authorization|bearer|cookie|signature|[?&]sig=|masterauth|login|mysql|mariadb|mongo|redis|[_.-]pw|\bbasic\b|SAMLResponse|bindpw|rootpw|curl|wget|:\/\/|\/\/[\w.~%-]{1,128}:|@(?:tcp|unix)\(|-----BEGIN|-key|eyJ|AKIA|ASIA|AIza|\bgh[opusr]_|github_pat|glpat-|npm_|hv[sb]\.|sk-|_live_|xox|xapp-|dop_v1_|SG\.|ya29\.|dckr_pat_|whsec_|hooks\.slack|webhooks\/|shp[acps]|\$2[aby]\$|\$apr1\$|\$argon2|\$[56]\$|SCRAM-SHA|md5|"?auth"?[ \t]*[:=]|:(?:\d?\d43\d|25060|26257|\*):|[\w+/-]{20}/i;

/**
 * Colours, as loggers put them around names, links and other sequences of a terminal (ECMA-48), the same where a log in
 * JSON or syslog has spelt them out, and characters that take no room.
 */
export const UNSEEN =
  // deno-lint-ignore no-control-regex -- these are what is looked for
  /(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]|\x1b\][^\x07\x1b]{0,2048}(?:\x07|\x1b\\)|\x1b[ -/]{1,4}[0-~]|(?:\\{1,7}(?:u001b|x1b|033|e)|#033|\^\[|\u241b)\[[0-9;:]{0,64}[A-Za-z]|[\0\u00ad\u200b-\u200f\u2060-\u2064\ufeff]/gi;

/** A mask can bring out what another one is to find: masking goes on until nothing is found, or so many times. */
const mostPasses = 4;

/** `text` with its secrets masked; those that only show once colours are taken out of it, too. */
export function redactText(text: string): string {
  let masked = text;
  for (let pass = 0; pass < mostPasses; pass++) {
    const next = redactOnce(masked);
    if (next === masked) break;
    masked = next;
  }
  return masked;
}

function redactOnce(text: string): string {
  const redacted = redactVisible(text);
  const bare = redacted.replace(UNSEEN, "");
  if (bare.length === redacted.length) return redacted;
  const masked = redactVisible(bare);
  return masked === bare ? redacted : masked;
}

function redactVisible(text: string): string {
  if (text.length < 6) return text;
  return SUSPECT.test(text) ? redactWithoutBase64(maskBase64(text)) : maskDumps(text);
}

function redactWithoutBase64(text: string): string {
  let redacted = maskSecrets(maskDumps(text));
  for (const [pattern, left] of SHAPES) redacted = redacted.replace(pattern, left);
  redacted = maskNamed(redacted);
  redacted = maskAssigned(redacted);
  redacted = maskCookies(redacted);
  return maskProse(maskPrograms(redacted), isLogin);
}

/** Whether it is what `Basic` stands before: a user, a colon and a password. */
function isLogin(base64: string): boolean {
  return /^[^:\s]{1,256}:\S/.test(decodeBase64(base64) ?? "");
}

const SHAPES: readonly (readonly [pattern: RegExp, left: string])[] = [
  [
    /(?<![0-9A-Za-z])(SG\.|ya29\.|dckr_pat_|whsec_|xapp-|hvb\.|shp(?:at|ca|pa|ss)_|sk_test_|rk_test_|pypi-|ATATT3x)[\w.-]{16,65536}/g,
    `$1${MASK}`,
  ],
  [/AGE-SECRET-KEY-1[0-9A-Z]{20,100}/gi, MASK],
  [/\$(?:2[aby]|apr1|5|6|y|argon2(?:id|i|d))\$[\w./$=,+-]{20,512}/g, MASK],
  [/\{(?:S?SHA(?:256|512)?|SSHA)\}[\w+/=]{20,512}/g, MASK],
  // The user part of a web address is a token where no password follows.
  [/((?:https?|wss?):\/\/)(?!\*{3}@)[^\s\/?#@:"'<>]{1,4096}@/gi, `$1${MASK}@`],
  [
    /([?&](?:sig|signature|x-amz-signature|x-goog-signature|code|auth|key)=)[^\s&#"'<>]{8,65536}/gi,
    `$1${MASK}`,
  ],
  [
    /(<([\w.:-]{0,64}(?:passw(?:or)?d|passphrase|secret|token|apikey|api-key))>)[^<>*]{1,65536}(?=<\/)/gi,
    `$1${MASK}`,
  ],
  [/(\bhooks\.slack\.com\/(?:services|workflows|triggers)\/)[\w/-]{8,256}/gi, `$1${MASK}`],
  [/(\bdiscord(?:app)?\.com\/api\/webhooks\/)[\w/-]{8,256}/gi, `$1${MASK}`],
  [/(\boutlook\.office(?:365)?\.com\/webhook\/)[\w@/-]{8,512}/gi, `$1${MASK}`],
  [/(\bevents\.pagerduty\.com\/(?:integration|x-ere)\/)[\w/-]{8,256}/gi, `$1${MASK}`],
  // LDIF's base64.
  [/(passw(?:or)?d::[ \t]{0,4})[\w+/]{4,4096}={0,2}/gi, `$1${MASK}`],
  // The same without a scheme, and as Go's drivers write it: `user:password@tcp(host)/`.
  [/((?<!:)\/\/[\w.~%-]{1,128}:)(?!\*{3}@)[^\s\/?#@"'<>]{1,256}(?=@[\w[])/g, `$1${MASK}`],
  [/((?<![\w.~%-])[\w.~%-]{1,64}:)(?!\*{3}@)[^\s@"'()\/]{1,256}(?=@(?:tcp|unix)\()/g, `$1${MASK}`],
  // netrc, redis.conf, and an answer to a prompt.
  [/(\blogin[ \t]{1,8}\S{1,256}[ \t]{1,8}password[ \t]{1,8})\S{1,4096}/gi, `$1${MASK}`],
  [/(\b(?:requirepass|masterauth)[ \t]{1,8})(?!["']{2})\S{1,4096}/gi, `$1${MASK}`],
  [
    /((?:^|[\s{,"'_])auth\\?["']?[ \t]{0,8}[:=][ \t]{0,8}\\?["']?)(?=[A-Za-z+/]{0,512}[\d=])[A-Za-z0-9+/]{12,4096}={0,2}(?![\w+/=])/gi,
    `$1${MASK}`,
  ],
];

const STRONG =
  "passw(?:or)?d|passphrase|(?<!old)pwd|(?:db|user|login|admin|root|smtp|mail|ldap|ftp|redis|mongo)pass|psk|(?<=[_.-])pw|client[_-]?secret|(?:api|access)[ _-]?key|(?:secret|private|account|shared|auth|signing|encryption)[_-]?key|(?:auth|access|refresh|id|session|bearer|bot|api)[_-]?token|client-?key-?data|secret[_-]?id|(?:unseal|recovery|hmac|license)[ _-]?key(?:[ _-]?\\d{1,2})?";
const NAMED = new RegExp(
  `(?:(?<strong>${STRONG})|token|secret|credentials?|(?<![a-z])pass)(?:[_-]?\\d{1,3})?(?:\\\\{0,7}["'])?(?:(?<colon>[ \\t\\u00a0.]{0,64}[:\\uff1a][ \\t\\u00a0]{0,64})|(?<blank>[ \\t]{1,8}))(?![ \\t\\u00a0"'\\\\:=])`,
  "gi",
);
/** A comma ends a value where another name or nothing follows; a password may hold one. */
const VALUE_END = /[\s"'`{}[\]\\]|[,;](?=[\s"'`{}[\]\\]|$|[A-Za-z_][\w.-]{0,63}[:=])/g;
/** What follows "password:" in prose and configuration and is no password. */
const PROSE =
  /^(?:null|none|nil|true|false|yes|no|undefined|is|was|must|too|not|required|invalid|incorrect|missing|wrong|expired|empty|cannot|failed|error|unable|unauthorized|forbidden|denied|the|an?|please|should|unknown|authentication|and|or|for|in|\*{3,}.*|<.*|\||[>|][+-]?|\$.*|%[a-z]|~)[.,:;!)]*$/i;
/** A Secret named by its namespace. */
const REFERENCE = /^[a-z0-9][a-z0-9-]{0,62}\/[a-z0-9][a-z0-9.-]{0,252}[.,;:!)]*$/;
const WORD = /^[A-Za-z]{1,20}[.,;:!)]*$/;

/** `password: x`, `token:x` as YAML and people write it, and `--password x`. (`=` and quotes are the common mask's.) */
function maskNamed(text: string): string {
  let result = "";
  let copied = 0;
  NAMED.lastIndex = 0;
  for (let match = NAMED.exec(text); match !== null; match = NAMED.exec(text)) {
    const start = NAMED.lastIndex;
    VALUE_END.lastIndex = start;
    const end = VALUE_END.exec(text)?.index ?? text.length;
    if (end === start) continue;
    const isFlag = flagName(text, match.index);
    if (match.groups?.["blank"] !== undefined ? !isFlag || text[start] === "-" : false) continue;
    // A tag or an anchor of YAML stands before the value.
    const tag = /^[!&]/.test(text.slice(start, start + 1))
      ? /^[ \t]{1,8}(?![|>#])[^\s"'`{}[\]]{1,4096}/.exec(text.slice(end, end + 4_104))?.[0].length ?? 0
      : 0;
    const value = text.slice(start, Math.min(end, start + 64));
    if (PROSE.test(value) && end - start <= 64) continue;
    if (/^secret/i.test(match[0]) && !isFlag && REFERENCE.test(value)) continue;
    if (
      !isFlag && match.groups?.["strong"] === undefined && WORD.test(value) &&
      !isWholeLine(text, match.index, end)
    ) {
      continue;
    }
    result += text.slice(copied, start) + MASK;
    copied = NAMED.lastIndex = end + tag;
  }
  return result + text.slice(copied);
}

/** A whole name with what is assigned to it: `NAME=value`, `"name": "value"`. */
const ASSIGNED =
  /(?<![\w.-])([A-Za-z_][\w.-]{2,127})(?:\\?["'])?[ \t]{0,4}(?:=|:(?=[ \t]{0,4}\\?["']))[ \t]{0,4}(\\?["'])?/g;

/** A variable of the environment whose value decides: in small letters, many a key is no secret. */
const VARIABLE_KEY = /^[A-Z][A-Z0-9_]{0,63}_KEY$/;

/** Masks what is assigned to the name of a credential, by the rule for names that all kinds of objects share. */
function maskAssigned(text: string): string {
  let result = "";
  let copied = 0;
  const endOfBare = bareEnds(text);
  const masks = occurrences(text, MASK);
  ASSIGNED.lastIndex = 0;
  for (let match = ASSIGNED.exec(text); match !== null; match = ASSIGNED.exec(text)) {
    const [, name = "", quote] = match;
    if (!isCredentialName(name) && !VARIABLE_KEY.test(name)) continue;
    const start = ASSIGNED.lastIndex;
    const end = quote === undefined ? endOfBare(match.index, start) : text.indexOf(quote, start);
    const value = text.slice(start, end < 0 ? text.length : end);
    // Also in part, where a pattern before this one has masked the rest.
    const isMasked = masks(start) + MASK.length <= start + value.length;
    if (value === "" || isMasked || !isCredential(name, value)) continue;
    result += text.slice(copied, start) + MASK;
    copied = ASSIGNED.lastIndex = start + value.length;
  }
  return result + text.slice(copied);
}

/** Where a value without quotes ends; one in the query of a URL at the next parameter, too. Asked in the text's order. */
function bareEnds(text: string): (nameStart: number, start: number) => number {
  const parameters = occurrences(text, "&");
  let end = -1;
  return (nameStart, start) => {
    if (end < start) {
      VALUE_END.lastIndex = start;
      end = VALUE_END.exec(text)?.index ?? text.length;
    }
    return /[?&]/.test(text.charAt(nameStart - 1)) ? Math.min(end, parameters(start)) : end;
  };
}

/**
 * Where `wanted` comes next, or the text's end. Asked in the text's order: names within the value of another would have the
 * same rest searched again and again.
 */
function occurrences(text: string, wanted: string): (from: number) => number {
  let next = -1;
  return (from) => {
    if (next < from) next = text.indexOf(wanted, from);
    if (next < 0) next = text.length;
    return next;
  };
}

/** Whether the name that `index` is in starts with a dash. */
function flagName(text: string, index: number): boolean {
  let start = index;
  while (start > 0 && index - start < 64 && /[\w.-]/.test(text.charAt(start - 1))) start--;
  return text[start] === "-" && (start === 0 || /[\s"'=(]/.test(text.charAt(start - 1)));
}

/** Whether a line holds nothing but this name and this value, as in YAML. */
function isWholeLine(text: string, index: number, end: number): boolean {
  const next = text.charAt(end);
  if (next !== "" && next !== "\n" && next !== "\r") return false;
  let start = index;
  while (start > 0 && index - start < 128 && /[\w.\t "'-]/.test(text.charAt(start - 1))) start--;
  return (start === 0 || text[start - 1] === "\n") &&
    !/\S\s+\S/.test(text.slice(start, index).replace(/^\s*-\s+/, ""));
}

function maskCookies(text: string): string {
  return text.replace(
    /(\b(?:set-)?cookie\\?["']?[ \t]{0,8}[:=][ \t]{0,8}\\?["']?)(?=[\w.-]{1,128}=)[^\r\n"'\\]{1,8192}/gi,
    `$1${MASK}`,
  );
}

/** Programs whose short flags take a password. */
const LOGIN_PROGRAM =
  /\b(?:mysql\w{0,16}|mariadb[\w-]{0,16}|mongo\w{0,16}|sshpass|htpasswd|(?:docker|podman|helm|az|oc|skopeo)\b[^\n|;&]{0,64}?\blogin)\b/;

function maskPrograms(text: string): string {
  let redacted = text;
  if (LOGIN_PROGRAM.test(redacted)) {
    redacted = redacted.replace(/(\s-p[ \t]?["']?)(?!\*{3})[^\s"'-][^\s"']{0,4096}/g, `$1${MASK}`);
  }
  if (redacted.includes("redis-cli")) {
    redacted = redacted.replace(/(\s-a[ \t]{1,8}["']?)(?!\*{3})[^\s"'-][^\s"']{0,4096}/g, `$1${MASK}`);
  }
  if (redacted.includes("curl") || redacted.includes("wget")) {
    redacted = redacted.replace(
      /(\s(?:-u|--user|--proxy-user|-U)[ \t=]{0,8}["']?[^\s:"']{1,256}:)(?!\*{3})[^\s"']{1,4096}/g,
      `$1${MASK}`,
    );
  }
  return redacted;
}

// In pieces of a multiple of four characters, each of which decodes by itself: a loop without a bound can run out of stack.
const BASE64 = /[A-Za-z0-9+/_-]{16,65536}={0,2}/g;
const PRINTABLE = /^[\t\n\r\x20-\x7e\x80-\uffff]*$/;

/** Masks what holds a secret once it is decoded. */
function maskBase64(text: string): string {
  let maskedTo = -1;
  return text.replace(BASE64, (run: string, offset: number) => {
    const decoded = offset === maskedTo ? undefined : decodeBase64(run);
    if (offset !== maskedTo && (decoded === undefined || redactWithoutBase64(decoded) === decoded)) {
      return run;
    }
    maskedTo = offset + run.length;
    return MASK;
  });
}

/** Text in base64 or base64url, or undefined when it is not. */
function decodeBase64(run: string): string | undefined {
  const plain = run.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  if (plain.length % 4 === 1) return undefined;
  let decoded: string;
  try {
    decoded = atob(plain);
  } catch {
    return undefined;
  }
  return PRINTABLE.test(decoded.slice(0, 4096)) && /[\x20-\x7e]/.test(decoded) ? decoded : undefined;
}
