/**
 * Secrets in the ways in which programs print their own data: header maps, lists, quoted wrappers, pairs of name and
 * value, flags in lists of arguments, encoded queries. Time is linear in the length of the text; every repetition is
 * bounded.
 */
import { isCredentialName } from "./credential_name.ts";
import { isHarmlessValue } from "./credential_value.ts";

const MASK = "***";
const NAME = "[A-Za-z_][\\w.-]{1,127}";
const QUOTE = "\\\\{0,7}[\"'`]";
const GAP = "[ \\t\\u00a0]{0,64}";

/** `"password": ["x"]`, `Password:[x]`, `token: Some("x")`, `'password': b'x'`, `Password:(string)(len=1)"x"`. */
const WRAPPED = new RegExp(
  `(?<![\\w.-])(?<name>${NAME})(?:\\[\\])?(?:${QUOTE})?\\]?${GAP}(?:[:=]>?|:=)${GAP}` +
    `(?:(?<before>(?:&?[A-Za-z][\\w.:]{0,63}\\((?:\\w{1,32}=)?|[bBuUrRfF]|\\[\\]string\\{|\\(string\\) ?\\(len=\\d{1,9}\\) ?|\\[${GAP}|\\{\\\\{0,7}"value\\\\{0,7}":${GAP})(?<quote>${QUOTE}))(?<quoted>[^\\r\\n"'\`]{1,4096})` +
    `|(?<list>\\[{1,2})(?<listed>[^\\]\\[\\r\\n"'\`]{1,4096})(?=\\]))`,
  "g",
);

/** `{"name":"DB_PASSWORD","value":"x"}`, `{Name:DB_PASSWORD Value:x}`, `<property name="password">x</property>`. */
const PAIR = new RegExp(
  `(\\b(?:name|key|field|option|property)(?:${QUOTE})?${GAP}[:=]${GAP}(?:${QUOTE})?)(${NAME})((?:${QUOTE})?(?:[ \\t,;]{0,8}(?:${QUOTE})?\\bvalue(?:${QUOTE})?${GAP}[:=]${GAP}(?:${QUOTE})?|[ \\t]{0,8}>))((?<=["'\`])[^"'\`\\r\\n\\\\]{1,4096}|[^\\s"'\`<>}\\\\]{1,4096})`,
  "gi",
);

/** `--token "x"`, `["--password", "x"]`. */
const QUOTED_FLAG = new RegExp(
  `(?<![\\w.-])(--?[A-Za-z][\\w.-]{1,127})((?:${QUOTE})?(?:,${GAP}|[ \\t]{1,8})${QUOTE})(?!-)([^"'\`\\r\\n\\\\]{1,4096})`,
  "g",
);

const SHAPES: readonly (readonly [pattern: RegExp, left: string])[] = [
  // The whole list of a header: `Authorization:[Basic x]`, `"cookie": ["sid=x; Path=/"]`.
  [
    /(\b(?:(?:proxy-)?authorization|(?:set-)?cookie)\\{0,7}["']?[ \t]{0,8}[:=][ \t]{0,8}\[{1,2})(?!\*{3}\])[^\]\r\n]{1,8192}/gi,
    `$1${MASK}`,
  ],
  // Schemes with several parameters, of which one is the proof.
  [
    /(\bauthorization\\{0,7}["']?[ \t]{0,8}[:=][ \t]{0,8}\\{0,7}["']?)(?:digest|aws4-hmac-sha256|hawk|oauth|signature|sharedaccesssignature)[ \t]{1,8}(?:[\w-]{1,64}=(?:\\{0,7}"[^"\r\n]{0,4096}"|[^\s,"']{0,4096})[, \t&]{0,8}){1,32}/gi,
    `$1${MASK}`,
  ],
  [
    /(\b(?:JSESSIONID|PHPSESSID|ASP\.NET_SessionId|connect\.sid|laravel_session)=)[^\s;&"'<>?]{4,4096}/gi,
    `$1${MASK}`,
  ],
  // Clojure's and Elixir's maps, and a list of a name and its value.
  [
    /(:(?:[\w-]{0,32}[_-])?(?:passw(?:or)?d|passphrase|secret|token|api[_-]key)[ \t]{1,4}")(?!\*{3})[^"\r\n]{1,4096}(?=")/gi,
    `$1${MASK}`,
  ],
  [
    /(\[["'](?:[\w.-]{0,32}[_-])?(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key)["'], {0,4}["'])(?!\*{3})(?![a-z_]{1,64}["'])[^"'\r\n]{4,4096}(?=["']\])/gi,
    `$1${MASK}`,
  ],
  // In the query of an address that is itself a parameter, and in HTML.
  [
    /((?:passw(?:or)?d|secret|token|api_?key)(?:%22)?(?:%3D|%3A)(?:%20|%22){0,4})(?!\*{3})[^\s&"'<>%]{1,4096}(?:%(?!26|22)[^\s&"'<>%]{0,4096}){0,64}/gi,
    `$1${MASK}`,
  ],
  [/((?:%3A|:)(?:%2F){2}[\w.~-]{0,128}(?:%3A|:))(?!\*{3})[^\s&"'<>%]{1,4096}(?=%40|@)/gi, `$1${MASK}`],
  [
    /((?:passw(?:or)?d|secret|token|api_?key)(?:&quot;|&#3[49];)\s{0,8}[:=]\s{0,8}(?:&quot;|&#3[49];))(?!\*{3})[^\s&<>]{1,4096}/gi,
    `$1${MASK}`,
  ],
  [
    /(<[\w.:-]{0,64}password(?:[ \t][^<>\r\n]{0,512})?>(?:<!\[CDATA\[)?)[^<>*\]][^<>\]]{0,4096}/gi,
    `$1${MASK}`,
  ],
  [
    /(\bidentified[ \t]{1,8}(?:with[ \t]{1,8}\w{1,64}[ \t]{1,8})?(?:by|as)[ \t]{1,8}')[^'\r\n]{1,4096}/gi,
    `$1${MASK}`,
  ],
  [/(\bset[ \t]{1,8}password\b[^'\r\n]{0,128}=[ \t]{0,8}(?:password\()?')[^'\r\n]{1,4096}/gi, `$1${MASK}`],
  [/(["']auth["'][ \t]{1,8}(?:"[^"\r\n]{1,128}"[ \t]{1,8})?")[^"\r\n]{1,4096}(?="[ \t]*$)/gim, `$1${MASK}`],
  [/(\bAUTH (?:PLAIN|LOGIN|XOAUTH2|CRAM-MD5) )(?=[a-z+/-]{0,64}[A-Z\d=])[\w+/-]{4,4096}={0,2}/g, `$1${MASK}`],
  [/(\bapi\.telegram\.org\/(?:file\/)?bot\d{4,20}:)[\w-]{16,128}/gi, `$1${MASK}`],
  [/(\bwebhookb2\/)[\w@/-]{8,512}/gi, `$1${MASK}`],
  [/(\bAPP_KEY=["']?base64:)[\w+/]{8,256}={0,2}/g, `$1${MASK}`],
  [/(\bjdbc:oracle:\w{1,16}:[\w$#.-]{1,128}\/)[^\s@"']{1,256}(?=@)/gi, `$1${MASK}`],
  [/(\bnats:\/\/)(?!\*{3}@)[^\s\/?#@:"'<>,]{1,4096}(?=@)/gi, `$1${MASK}`],
  // An address without a scheme, told from an image and its digest by the port.
  [
    /((?<![\w.~%\/:@-])[\w.~%-]{1,64}:)(?!\*{3}@)[^\s@"'()\/:,;={}[\]]{1,256}(?=@[\w.-]{1,253}:\d{2,5}(?![\w.]))/g,
    `$1${MASK}`,
  ],
  // `A temporary password is generated for root@localhost: x`.
  [
    /(\b(?:password|passphrase) (?:is|was|has|for|of|to) [^:=\r\n]{0,80}: )(?!\*{3})(?=\S{0,64}\d)[^\s\/"'(<[]\S{5,256}(?=[ \t]*(?:\r?\n|$))/gi,
    `$1${MASK}`,
  ],
];

/** Programs, and the words of theirs before what is secret. */
const PROGRAMS: readonly (readonly [program: RegExp, secret: RegExp])[] = [
  [
    /\bldap(?:search|whoami|modify|add|delete|passwd)\b/,
    /([ \t]-w[ \t]{0,8}["']?)(?!\*{3})[^\s"'-][^\s"']{0,4096}/g,
  ],
  [
    /\b(?:keytool|jarsigner)\b/,
    /([ \t]-(?:store|key|srcstore|deststore)pass[ \t]{1,8}["']?)(?!\*{3})[^\s"'-][^\s"']{0,4096}/g,
  ],
  [/\brabbitmqctl\b/, /(\b(?:add_user|change_password)[ \t]{1,8}\S{1,256}[ \t]{1,8})(?!\*{3})\S{1,4096}/g],
  [/\bmosquitto_(?:pub|sub)\b/, /([ \t]-P[ \t]{0,8}["']?)(?!\*{3})[^\s"'-][^\s"']{0,4096}/g],
  [/\bcqlsh\b/, /([ \t]-p[ \t]{0,8}["']?)(?!\*{3})[^\s"'-][^\s"']{0,4096}/g],
  [/\bsqlcmd\b/, /([ \t]-P[ \t]{0,8}["']?)(?!\*{3})[^\s"'-][^\s"']{0,4096}/g],
  [/\b(?:sqlplus|sqlldr|expdp|impdp)\b/, /([ \t]["']?[\w$#]{1,128}\/)(?!\*{3})[^\s@"'/]{1,256}(?=@)/g],
  [
    /\bmc\b/,
    /(\bmc (?:alias set|config host add)(?:[ \t]{1,8}[^\s-]\S{0,512}){3}[ \t]{1,8})(?!\*{3})[^\s-]\S{0,512}/g,
  ],
  [/\bsmbclient\b/, /([ \t]-U[ \t]{0,8}["']?[^\s%"']{1,256}%)(?!\*{3})[^\s"']{1,4096}/g],
  [/\bkubectl\b|\boc\b/, /(--from-literal[= ]["']?[\w.-]{1,253}=)(?!\*{3})[^\s"']{1,4096}/g],
];

const SUSPECT =
  /pass|pwd|secret|token|credential|key|authorization|cookie|auth|sess(?:ion)?id|connect\.sid|laravel_session|telegram|webhookb2|jdbc:oracle|nats:\/\/|identified|%2f|@[\w.-]{1,253}:\d|-w[ \t]|rabbitmqctl|mosquitto|smbclient|from-literal|cqlsh|sqlcmd|sqlplus|sqlldr|expdp|impdp|\bmc (?:alias|config)/i;

/** An object of a Secret in JSON, also as a string in JSON, as clients log what they send and get. */
const SECRET_OBJECT = /\bkind\\{0,7}"[ \t]{0,8}:[ \t]{0,8}\\{0,7}"\w{0,64}Secret(?:List)?\\{0,7}"/;
const SECRET_DATA = /\\{0,7}"(?:data|stringData)\\{0,7}"[ \t]{0,8}:[ \t]{0,8}\{/g;
/** One after another of its entries. A value may hold braces and quotes: it ends at a quote that is escaped as its first is. */
const SECRET_ENTRY =
  /((?:[\s,]|\\{1,7}[nrt]){0,512}(\\{0,7})"[\w.-]{1,253}\2"[ \t]{0,8}:[ \t]{0,8})(?:null|(\2")[^]*?(?:(?<!\\)(?:\2\2\\\\)*(\2")|$))/y;

function maskSecretObjects(text: string): string {
  if (!SECRET_OBJECT.test(text)) return text;
  let result = "";
  let copied = 0;
  SECRET_DATA.lastIndex = 0;
  while (SECRET_DATA.exec(text) !== null) {
    SECRET_ENTRY.lastIndex = SECRET_DATA.lastIndex;
    for (let entry = SECRET_ENTRY.exec(text); entry !== null; entry = SECRET_ENTRY.exec(text)) {
      const [, before = "", , open, close = ""] = entry;
      SECRET_DATA.lastIndex = SECRET_ENTRY.lastIndex;
      if (open === undefined) continue;
      result += text.slice(copied, entry.index) + before + open + MASK + close;
      copied = SECRET_ENTRY.lastIndex;
    }
  }
  return result + text.slice(copied);
}

/** `text` with these masked. */
export function maskDumps(text: string): string {
  if (!SUSPECT.test(text)) return text;
  let masked = maskSecretObjects(text);
  for (const [pattern, left] of SHAPES) masked = masked.replace(pattern, left);
  masked = masked.replace(WRAPPED, (whole, ...rest) => {
    const groups: Readonly<Record<string, string | undefined>> = rest.at(-1);
    const value = groups["quoted"] ?? groups["listed"] ?? "";
    const bare = value.replace(/\\+$/, "");
    const name = groups["name"] ?? "";
    // A list of Secrets holds their names.
    if (!isCredentialName(name) || /secrets$/i.test(name) || isHarmlessValue(bare) || bare.includes(MASK)) {
      return whole;
    }
    return whole.slice(0, whole.length - value.length) + MASK + value.slice(bare.length);
  });
  masked = masked.replace(
    PAIR,
    (whole, before: string, name: string, between: string, value: string) =>
      isCredentialName(name) && !isHarmlessValue(value) && !value.includes(MASK)
        ? before + name + between + MASK
        : whole,
  );
  masked = masked.replace(
    QUOTED_FLAG,
    (whole, flag: string, between: string, value: string) =>
      isCredentialName(flag) && !isHarmlessValue(value) && !value.includes(MASK) &&
        !/^(?:\/[\w.-]+){2,}$/.test(value)
        ? flag + between + MASK
        : whole,
  );
  for (const [program, secret] of PROGRAMS) {
    if (program.test(masked)) masked = masked.replace(secret, `$1${MASK}`);
  }
  return masked;
}
