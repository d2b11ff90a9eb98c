/** Whether the structured form of an answer says what its text says: many clients give a model that form alone. */

/** Sentences that say what the structured form has in fields of its own. */
const inFields = /^(?:Costliest by itself|Nearest names): |^alerts: not known$/;

/**
 * What the text says and the structured form does not: that something was cut and what to do about it, notes, warnings
 * and other lines below the first that are sentences, what is not known, and every name with an underscore, as tools,
 * arguments, settings, metrics and columns have.
 */
export function unsaidIn(structured: unknown, text: string): readonly string[] {
  const json = JSON.stringify(structured);
  const strings = stringsOf(structured).join("\n");
  const isCut = /"cut":|"Cut: /.test(json);
  const notices = matches(text, /^\s*\[(Cut: .*)\]$/gm);
  const sentences = [
    // How much was cut of which form may differ; what to do is the same.
    ...notices.flatMap((notice) => notice.split(/(?<=\.) /).slice(1)).flatMap(queries),
    ...matches(text, /^(?:note|Note|Warning|Prometheus warns|Prometheus notes): (.*?)\.?$/gm),
    ...matches(text, /^[^\n]*UNKNOWN: (nothing bad[^\n;]*)/g),
    ...matches(text, /^([a-z]+: (?:not known|no alerting rule).*)$/gm),
    ...matches(text, /\n(?!Note: |Warning: |Prometheus )([A-Z][^|\n]*\.)(?=\n|$)/g),
  ].filter((sentence) => !inFields.test(sentence));
  const names = new Set(matches(text, /\b([A-Za-z]+(?:_[A-Za-z]+)+)\b/g));
  return [
    ...notices.filter(() => !isCut),
    ...sentences.filter((sentence) => !strings.includes(sentence)),
    ...[...names].filter((name) => !json.includes(name)),
  ];
}

/** The queries that a notice offers have a field of their own. */
function queries(advice: string): readonly string[] {
  const offer = "For a result that fits: ";
  return advice.startsWith(offer) ? advice.slice(offer.length).split(" or ") : [advice];
}

function stringsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (value === null || typeof value !== "object") return [];
  return Object.values(value).flatMap(stringsOf);
}

function matches(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map(([, found = ""]) => found);
}
