/**
 * Names that credentials go by: of environment variables, flags, headers, annotations, keys of a ConfigMap, fields of
 * a custom resource.
 */

const WORD =
  /pass[_.-]?w(?:or)?d|pass[_.-]?phrase|passcode|pwd|(?:db|user|login|admin|root|smtp|mail|ldap|ftp|my|pg|sql|redis|mongo|proxy)pass(?![a-z])|authtok|secret|token(?!iz)|credential|api[_.-]?key|requirepass|masterauth|htpasswd|pgpass|netrc|dockercfg|dockerconfig|webhook[_.-]?url|authori[sz]ation|cookie|connection[_.-]?string|(?:access|private|secret|account|shared|auth|signing|encryption|crypt|master|license|fernet|deploy|client|ssh|hmac|jwt|storage|service|admin|root)[_.-]?key/i;
/** Short words, which count only when they stand alone: `DB_PASS`, `dbPass`, `BASIC_AUTH`, but not `compass`. */
const SHORT_WORD =
  /(?:^|[^A-Za-z]|[a-z](?=[PADC]))(?:pass|PASS|Pass|pw|PW|psk|PSK|Psk|creds|CREDS|Creds|auth|AUTH|Auth|dsn|DSN|Dsn)(?:$|[^A-Za-z]*$)/;
const KEY_FILE = /(?:^|[./_-])(?:id_(?:rsa|dsa|ecdsa|ed25519)|[\w.-]*\.(?:key|p12|pfx|jks|keytab))$/i;

/** The last word of a name that only speaks about a credential: its file, its lifetime, its name. */
const ABOUT =
  /^(?:file|files|path|dir|directory|folder|name|names|namespace|url|uri|host|port|endpoint|ttl|expiry|expires|expiration|expirationseconds|seconds|minutes|hours|days|length|size|count|limit|budget|enabled|enable|disabled|required|policy|type|kind|domain|samesite|secure|age|origin|header|headers|algorithm|alg|method|ref|reference|refs|issuer|audience|audiences|version|rotation|interval|timeout|period|provider|store|mode|format|max|min|usage|status|strategy|scope|scopes|class|template|prefix|suffix|selector|checksum|hash|renewal|threshold|cost|rounds|retries|reuse|label|annotation)s?$/i;
/** … except that what these name is the credential itself. */
const ABOUT_IT_IS = /(?:webhook[_.-]?url|passwordhash|password[_.-]hash|credentials?[_.-]?uri)$/i;

/** Whether what goes by this name is a credential. `DB_PASSWORD` and `x-api-key` are, `DB_PASSWORD_FILE` is not. */
export function isCredentialName(name: string): boolean {
  const end = name.slice(-128);
  if (ABOUT_IT_IS.test(end)) return true;
  if (KEY_FILE.test(end)) return true;
  if (!WORD.test(end) && !SHORT_WORD.test(end)) return false;
  const last = end.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).findLast((word) => word !== "") ?? "";
  return !ABOUT.test(last);
}

/** Fields of an object that hold what the object's own name says: `password: { value: x }`. */
const HOLDS_IT =
  /^(?:values?|plain_?(?:text)?|inline(?:_?(?:string|value))?|literal|content|raw|text|string(?:_?(?:value|data))?|data|default|example)$/i;

/** Whether an object's field of that name holds what the object is named after. */
export function holdsIt(name: string): boolean {
  return HOLDS_IT.test(name);
}

/** Whether a name says `key` and no more: `STRIPE_KEY`, but `partitionKey` too. What it names decides. */
export function isKeyName(name: string): boolean {
  return /(?:^|[_.-]|[a-z](?=K))key$/i.test(name.slice(-64));
}
