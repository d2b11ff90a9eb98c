/**
 * Callers' texts in PromQL: label values and names as literals, so that whatever was written stays a value.
 *
 * https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals; names beyond the classic characters are
 * quoted inside the braces, as Prometheus 3 reads them (https://prometheus.io/docs/guides/utf8/).
 */

/** One condition of a selector. */
export type Matcher = readonly [label: string, operator: "=" | "!=" | "=~" | "!~", value: string];

const CLASSIC_METRIC = /^[A-Za-z_:][A-Za-z0-9_:]*$/;
const CLASSIC_LABEL = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Words that the grammar takes for something else where a metric's name could stand. */
const reserved = new Set(
  ("and atan2 avg bool bottomk by count count_values end fill fill_left fill_right group group_left group_right " +
    "ignoring inf limit_ratio limitk max min nan offset on or quantile smoothed anchored start stddev stdvar step range " +
    "sum topk unless without infinity").split(" "),
);

/**
 * A label value as a PromQL string literal, quotes included: whatever the caller wrote, it stays a value. Lone
 * surrogates become U+FFFD, which is what would be sent for them.
 */
export function quoteLabelValue(value: string): string {
  // Prometheus's lexer takes a raw U+FFFD for invalid UTF-8, and a raw line break ends a literal.
  // deno-lint-ignore no-control-regex
  const escaped = value.toWellFormed().replace(/[\\"\x00-\x1f\x7f\ufffd]/g, (character) => {
    switch (character) {
      case "\\":
      case '"':
        return `\\${character}`;
      case "\n":
        return "\\n";
      case "\ufffd":
        return "\\ufffd";
      default:
        return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
    }
  });
  return `"${escaped}"`;
}

/** A label's name as it stands in a selector or after `by`: bare where it can be, else quoted. */
export function quoteLabelName(name: string): string {
  return CLASSIC_LABEL.test(name) ? name : quoteLabelValue(name);
}

/** `up{job="api"}`, or `{"metric.name","label name"="v"}` where a name needs Prometheus 3's quoting. */
export function selector(metric: string | undefined, matchers: readonly Matcher[]): string {
  const conditions = matchers.map(([label, operator, value]) =>
    `${quoteLabelName(label)}${operator}${quoteLabelValue(value)}`
  );
  if (metric === undefined) return `{${conditions.join(",")}}`;
  if (CLASSIC_METRIC.test(metric) && !reserved.has(metric.toLowerCase())) {
    return conditions.length === 0 ? metric : `${metric}{${conditions.join(",")}}`;
  }
  // A reserved word needs no new quoting: this form is as old as PromQL.
  const name = CLASSIC_METRIC.test(metric) ? `__name__=${quoteLabelValue(metric)}` : quoteLabelValue(metric);
  return `{${[name, ...conditions].join(",")}}`;
}

/** Escapes a caller's text for use inside `=~` (RE2's metacharacters). */
export function escapeRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}

/** The value of a string literal of PromQL, or undefined when it is none. */
export function unquote(literal: string): string | undefined {
  const quote = literal[0];
  if (literal.length < 2 || literal.at(-1) !== quote) return undefined;
  const inside = literal.slice(1, -1);
  if (quote === "`") return inside.includes("`") ? undefined : inside;
  if (quote !== '"' && quote !== "'") return undefined;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  const ESCAPE =
    /\\(?:([abfnrtv\\'"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([^\\\n]+)/gy;
  let end = 0;
  for (const match of inside.matchAll(ESCAPE)) {
    end = match.index + match[0].length;
    const [, letter, octal, hex, short, long, plain] = match;
    const code = short ?? long;
    // \x and octal escapes are bytes, and may spell a character only together.
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff);
    else if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (code !== undefined && Number.parseInt(code, 16) > 0x10ffff) return undefined;
    else if (code !== undefined) {
      bytes.push(...encoder.encode(String.fromCodePoint(Number.parseInt(code, 16))));
    } else {for (const byte of encoder.encode(letter === undefined ? plain : (letters[letter] ?? letter))) {
        bytes.push(byte);
      }}
  }
  return end === inside.length
    ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array(bytes))
    : undefined;
}

const letters: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
