/**
 * Secrets in configuration files and manifests that are kept as a text (ConfigMap values, scripts, annotations): YAML,
 * properties, `.env`, INI, JSON. A line whose name is a credential's loses its value, and a manifest of a Secret its data.
 * Time is linear in the length of the text.
 */
import { holdsIt, isCredentialName, isKeyName } from "./credential_name.ts";
import { isHarmlessValue, isRandomBelow, isReference, looksRandom } from "./credential_value.ts";
import { isObjectName } from "./object_name.ts";
import { MASK, redactText } from "./redact_text.ts";

const LINE =
  /^([ \t]*)((?:- +)*)(?:export +|set +|ENV +)?["']?([A-Za-z_$][\w.$/-]{0,127}(?:\[[\w.-]{0,64}\])?)["']?[ \t]*(=>|:=|[:=])(?=[ \t]|[^\s:/]|$)[ \t]*/;
/** A name and a value with nothing but blanks between them, as fluent-bit and others have it. */
const WORDS = /^([ \t]*)([A-Za-z][\w.-]{0,127})[ \t]+(?=\S*\d)(?=\S*[A-Za-z])[^\s=:]\S{5,4096}[ \t\r]*$/;
/** What stands in a flow of YAML: a name, or a value with the name before it. */
const FLOW =
  /(?:(["']?)([\w.$-]{1,128})\1[ \t]{0,8}:[ \t]{1,8})?("[^"]{0,4096}"|'[^']{0,4096}'|[^\s,{}[\]"':]{1,4096})/g;
/** A list may name the files that hold what its own name says. */
const FILE_NAME = /^[\w./-]{1,256}\.(?:crt|key|pem|json|ya?ml|txt|conf)$/;
const BLOCK = /^(?:\*{3}[ \t]+)?[|>][+-]?\d?[+-]?[ \t]*(?:#.*)?$/;
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
  // Lines below belong to a credential's name, and each of them decides.
  let owner: { readonly name: string; readonly indent: number } | undefined;
  let credentialPair = false;
  return lines.map((line) => {
    if (line.trim() === "") return line;
    const indent = indentOf(line);
    if (owner !== undefined) {
      const isItem = indent === owner.indent && /^[ \t]*- /.test(line);
      if (indent <= owner.indent && !isItem) owner = undefined;
    }
    if (within >= 0) {
      if (indent > within) return `${line.slice(0, indent)}${MASK}`;
      within = -1;
    }
    const match = line.length > LONGEST_LINE ? null : LINE.exec(line);
    if (match === null) {
      if (owner !== undefined) return maskItem(owner.name, line);
      const words = WORDS.exec(line.slice(0, LONGEST_LINE));
      return words === null || !isCredentialName(words[2] ?? "") || line.includes(MASK)
        ? line
        : `${words[1]}${words[2]} ${MASK}`;
    }
    const [head, , dashes = "", name = "", sign] = match;
    const value = line.slice(head.length).trimEnd();
    const bare = value.replace(/^(["'])(.*)\1,?$/, "$2").replace(/,$/, "");
    const isCredential = isCredentialName(name) || (credentialPair && /^value$/i.test(name)) ||
      (isKeyName(name) && looksRandom(bare)) ||
      (owner !== undefined && (isRandomBelow(name, bare) || holdsIt(name)));
    if (/^(?:name|key)$/i.test(name)) credentialPair = isCredentialName(bare);
    else if (dashes !== "") credentialPair = false;
    if (!isCredential) return line;
    if (sign === ":" && BLOCK.test(value)) {
      within = indent + dashes.length;
      return line;
    }
    if (value === "") {
      if (sign === ":" && owner === undefined && !isReference(name)) owner = { name, indent };
      return line;
    }
    if (/^[{[]/.test(value) && !value.startsWith("{{")) return head + maskFlow(name, value);
    if (isHarmlessValue(bare) || /^[&*!]/.test(value) || value.includes(MASK)) return line;
    return `${head}${MASK}`;
  });
}

/** A line below a credential's name that has no name of its own: an item of a list, or the value on a line of its own. */
function maskItem(name: string, line: string): string {
  const [, before = "", value = ""] = /^([ \t]{0,256}(?:- {1,8}){0,8})(.*?)[ \t\r]{0,8}$/.exec(
    line.slice(0, LONGEST_LINE),
  ) ?? [];
  const bare = value.replace(/^(["'])(.*)\1$/, "$2");
  if (value === "" || value.startsWith("#") || value.includes(MASK) || isHarmlessValue(bare)) return line;
  return isNameOfSecret(name, bare) || FILE_NAME.test(bare) ? line : before + MASK;
}

/** A list of Secrets holds their names. */
function isNameOfSecret(name: string, value: string): boolean {
  return /secrets$/i.test(name) && isObjectName(value) && !looksRandom(value);
}

/** `[a, b]` and `{value: x}` behind a credential's name. */
function maskFlow(name: string, flow: string): string {
  return flow.replace(
    FLOW,
    (whole, _quote: string | undefined, key: string | undefined, value: string) => {
      const bare = value.replace(/^(["'])(.*)\1$/, "$2");
      const isSecret = key === undefined
        ? flow.startsWith("[") && !isNameOfSecret(name, bare)
        : holdsIt(key) || isCredentialName(key) || isRandomBelow(key, bare);
      return !isSecret || isHarmlessValue(bare) ? whole : whole.slice(0, whole.length - value.length) + MASK;
    },
  );
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
