/**
 * Secrets in sentences ("the password is hunter2") and in the shell's words. A sentence speaks of passwords far more often
 * than it tells one: what follows is masked where it has the look of one. Time is linear; every repetition is bounded.
 */
import { looksRandom } from "./credential_value.ts";

const MASK = "***";
const NOUN = "(?:passw(?:or)?d|passphrase|passcode)";
const KEY = `(?:(?:api|access|secret)[ _-]?key|(?:api|access|auth|bearer|bot)?[ _-]?token)`;
const TOLD =
  "(?:is now|is|was|are|set to|reset to|changed to|provided:?|supplied:?|generated:?|received:?|->|\\u2192)";
/** What a sentence says of a password and has a digit in it: how it is stored, how long it is, when it changed. */
const WORDS =
  "(?!\\*{3}|(?:sha|md|base|aes|utf|scram|pbkdf|argon|bcrypt|blake|rsa|des|v)[-_]?\\d|scram-|\\d+(?:\\.\\d+)?(?:[a-z]{1,2}|%)?(?![\\w-])|\\d{1,4}(?:-\\d+)?-[a-z]|\\d{4}-\\d\\d-\\d\\d)";
/** Six characters or more, a letter and a digit among them. */
const VALUE =
  `${WORDS}(?=[^\\s"'<>()]{0,256}\\d)(?=[^\\s"'<>()]{0,256}[A-Za-z])[^\\s"'<>()[\\]{}/|][^\\s"'<>(),;|]{5,256}`;

const SENTENCES: readonly RegExp[] = [
  new RegExp(`((?<!["'\\w])${NOUN}(?: (?:for|of) [^:="'\\r\\n]{1,60}?)? {0,2}${TOLD} {0,2})${VALUE}`, "gi"),
  new RegExp(`((?<!["'\\w])${NOUN} {0,2}${TOLD} {0,2}["'])(?!\\*{3})[^\\s"']{4,256}(?=["'])`, "gi"),
  new RegExp(`((?:\\b(?:with|using)(?: the| a)?|\\() ?${NOUN} )${VALUE}`, "gi"),
  new RegExp(
    `((?:\\bdefault|\\binvalid|\\bwrong|\\bwith|\\busing|\\btried) ${NOUN} ")(?!\\*{3})[^\\s"]{4,256}(?=")`,
    "gi",
  ),
];
const KEYS = new RegExp(`((?<!["'\\w])${KEY} {0,2}${TOLD} {0,2}["']?)([\\w.~+/=-]{16,4096})`, "gi");
const BASIC = /(\bbasic[ \t]{1,4})([A-Za-z0-9+/]{6,4096}={0,2})(?![\w+/=])/gi;
/** `('password', 'x')`; a tuple of names has no digit, capital or sign. */
const TUPLE =
  /(\(["'](?:[\w.-]{0,32}[_-])?(?:passw(?:or)?d|passphrase|secret|token|api_?key)["'], {0,4}[bu]?["'])(?!\*{3})(?![a-z_]{1,64}["'])[^"'\r\n]{4,4096}(?=["']\))/gi;

const PLAIN: readonly (readonly [pattern: RegExp, left: string])[] = [
  [TUPLE, `$1${MASK}`],
  [
    /(\becho (?:-n )?["']?(?:[\w.-]{1,64}:)?)(?![$`"'-]|[^\s"'|]{0,64}\*{3})[^\s"'|]{4,4096}(?=["']?[ \t]{0,8}\|[^|\r\n]{0,256}(?:--password-stdin|\bchpasswd\b))/g,
    `$1${MASK}`,
  ],
  [/(\b(?:bindpw|rootpw)[ \t]{1,8}["']?)(?!\*{3}|["'])[^\s"']{1,4096}/gi, `$1${MASK}`],
  [/(\bSAMLResponse["']?[=:][ \t]?["']?)(?!\*{3})[\w+/=%-]{16,65536}/g, `$1${MASK}`],
  [/(\brediss?:\/\/)(?!default@|\*{3}@)[^\s/?#@:"'<>,]{1,4096}(?=@)/gi, `$1${MASK}`],
];

const SUSPECT = /pass|token|key|basic|\bpw|pw[ \t]|secret|SAMLResponse|redis/i;

/** `text` with these masked; `isLogin` says whether a text in base64 is a user and a password. */
export function maskProse(text: string, isLogin: (base64: string) => boolean): string {
  if (!SUSPECT.test(text)) return text;
  let masked = text;
  for (const [pattern, left] of PLAIN) masked = masked.replace(pattern, left);
  for (const pattern of SENTENCES) masked = masked.replace(pattern, `$1${MASK}`);
  masked = masked.replace(
    KEYS,
    (whole, before: string, value: string) =>
      looksRandom(value) || /^[0-9a-f]{32,}$/i.test(value) ? before + MASK : whole,
  );
  return masked.replace(
    BASIC,
    (whole, before: string, value: string) => isLogin(value) ? before + MASK : whole,
  );
}
