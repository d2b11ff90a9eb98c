/** Takes the secrets that this program sends out of what a server answers, whatever the server does with them. */

/** Texts that people read: there every secret is masked, however short. */
const freeTexts = new Set(["error", "errorType", "warnings", "infos", "lastError"]);
/** Elsewhere a short one is too likely a name like any other: a password `prometheus` must not hide a job. */
const unmistakable = 16;
/** Arrays and objects in each other: no answer of the API has nearly so many. */
const deepest = 40;

/** The text without those secrets. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let masked = text;
  for (const secret of secrets) masked = masked.replaceAll(secret, "***");
  return masked;
}

/** `answer`, the value of the JSON `text`, without the secrets; what is nested without sense is left out. */
export function answerWithoutSecrets(answer: unknown, text: string, secrets: readonly string[]): unknown {
  if (secrets.length === 0) return answer;
  // A secret that JSON wrote with escapes is not seen in the text.
  if (!text.includes("\\") && !secrets.some((secret) => text.includes(secret))) return answer;
  const long = secrets.filter(({ length }) => length >= unmistakable);
  const mask = (value: unknown, inside: readonly string[], depth: number): unknown => {
    if (typeof value === "string") return withoutSecrets(value, inside);
    if (typeof value !== "object" || value === null) return value;
    if (depth === deepest) return null;
    if (Array.isArray(value)) return value.map((item) => mask(item, inside, depth + 1));
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        withoutSecrets(name, long),
        mask(item, freeTexts.has(name) ? secrets : inside, depth + 1),
      ]),
    );
  };
  return mask(answer, long, 0);
}
