/**
 * Secrets in configuration files and manifests that are kept as a text (ConfigMap values, scripts, annotations): YAML,
 * properties, `.env`, INI, JSON. A line whose name is a credential's loses its value, and a manifest of a Secret its data.
 * Time is linear in the length of the text.
 */
import { isCredentialName, isKeyName } from "./credential_name.ts";
import { isHarmlessValue, looksRandom } from "./credential_value.ts";
import { MASK, redactText } from "./redact_text.ts";

const LINE =
  /^([ \t]*)((?:- +)*)(?:export +|set +|ENV +)?["']?([A-Za-z_$][\w.$/-]{0,127}(?:\[[\w.-]{0,64}\])?)["']?[ \t]*(=>|:=|[:=])(?=[ \t]|[^\s:/]|$)[ \t]*/;
const BLOCK = /^[|>][+-]?\d?[+-]?[ \t]*(?:#.*)?$/;
const SECRET_MANIFEST =
  /(?:^|\n)[ \t-]{0,64}["']?kind["']?:[ \t]{0,8}["']?\w{0,64}Secret["']?[ \t]{0,64}(?:\r?\n|$)/;
const SECRET_KIND = /^[ \t-]{0,64}["']?kind["']?:[ \t]{0,8}["']?\w{0,64}Secret["']?[ \t\r]{0,64}$/;
const LONGEST_LINE = 65_536;

/** `text` with the values masked that stand behind a credential's name, and what {@linkcode redactText} finds. */
export function redactConfiguration(text: string): string {
  if (!text.includes("\n") && !LINE.test(text.slice(0, 256))) return redactText(text);
  const lines = maskLines(redactText(text).split("\n"));
  return (SECRET_MANIFEST.test(text) ? maskSecretManifests(lines) : lines).join("\n");
}

function maskLines(lines: readonly string[]): string[] {
  // Lines deeper than this belong to a value that is masked.
  let within = -1;
  let credentialPair = false;
  return lines.map((line) => {
    const indent = indentOf(line);
    if (within >= 0) {
      if (line.trim() === "") return line;
      if (indent > within) return `${line.slice(0, indent)}${MASK}`;
      within = -1;
    }
    const match = line.length > LONGEST_LINE ? null : LINE.exec(line);
    if (match === null) return line;
    const [head, , dashes = "", name = "", sign] = match;
    const value = line.slice(head.length).trimEnd();
    const bare = value.replace(/^(["'])(.*)\1,?$/, "$2").replace(/,$/, "");
    const isCredential = isCredentialName(name) || (credentialPair && /^value$/i.test(name)) ||
      (isKeyName(name) && looksRandom(bare));
    if (/^(?:name|key)$/i.test(name)) credentialPair = isCredentialName(bare);
    else if (dashes !== "") credentialPair = false;
    if (!isCredential) return line;
    if (sign === ":" && BLOCK.test(value)) {
      within = indent + dashes.length;
      return line;
    }
    if (value === "" || isHarmlessValue(bare) || /^[{[&*!]/.test(value) || value.includes(MASK)) return line;
    return `${head}${MASK}`;
  });
}

/** In a YAML document of a Secret, whatever stands below `data` and `stringData`. */
function maskSecretManifests(lines: readonly string[]): string[] {
  const masked: string[] = [];
  for (let start = 0; start < lines.length;) {
    let end = start + 1;
    while (end < lines.length && !lines[end]?.startsWith("---")) end++;
    const document = lines.slice(start, end);
    const isSecret = document.some((line) => SECRET_KIND.test(line.slice(0, 256)));
    for (const line of isSecret ? maskSecretManifest(document) : document) masked.push(line);
    start = end;
  }
  return masked;
}

function maskSecretManifest(lines: readonly string[]): string[] {
  let within = -1;
  return lines.map((line) => {
    if (line.trim() === "") return line;
    const indent = indentOf(line);
    if (within >= 0 && indent > within) {
      const name = /^[ \t]{0,256}["']?[\w.-]{1,253}["']?[ \t]{0,8}:/.exec(line.slice(0, 512))?.[0];
      return name === undefined ? `${line.slice(0, indent)}${MASK}` : `${name} ${MASK}`;
    }
    within = -1;
    const data = /^([ \t]{0,256}(?:- {1,8}){0,8})["']?(?:data|stringData)["']?:(.*)$/.exec(
      line.slice(0, 4096),
    );
    if (data === null) return line;
    if (data[2]?.trim() !== "") return `${line.slice(0, line.indexOf(":") + 1)} ${MASK}`;
    within = data[1]?.length ?? indent;
    return line;
  });
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
