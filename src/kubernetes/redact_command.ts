/** Secrets in a container's command and arguments, where a flag may stand in one element and its value in the next. */
import { isCredentialName } from "./credential_name.ts";
import { isHarmlessValue } from "./credential_value.ts";
import { redactConfiguration } from "./redact_configuration.ts";
import { MASK, redactText } from "./redact_text.ts";

const FLAG = /^(--?[A-Za-z][\w.-]{0,127})(=?)/;
const ASSIGNMENT = /^([A-Za-z_][\w.-]{0,127})=/;
const ATTACHED = /(?:^|\/)(?:mysql\w*|mariadb[\w-]*|mongo\w*|sshpass)$/;
const NUMBER_OR_PATH = /^(?:\d+(?::\d+)*(?:\/\w+)?|[./].*)$/;
const PATH = /^(?:\/[\w.-]+){2,}$/;

/** `--password=x`, `--token x`, `-p x`, `PASSWORD=x` and `curl -u user:x` lose what is secret; a file's path stays. */
export function redactCommand(words: readonly string[]): readonly string[] {
  const attached = words.some((word) => ATTACHED.test(word.slice(0, 128)));
  const redis = words.some((word) => word.slice(0, 128).endsWith("redis-cli"));
  return words.map((word, index) => {
    const previous = words[index - 1] ?? "";
    if (word === "" || isHarmlessValue(word)) return word;
    if (takesSecret(previous, word, redis)) return MASK;
    if (attached && /^-p./.test(word)) return `-p${MASK}`;
    if (
      /^(?:-u|-U|--user|--proxy-user)$/.test(previous) && /^[^:\s]{1,256}:/.test(word) &&
      !/^\d+:\d+$/.test(word)
    ) {
      return `${word.slice(0, word.indexOf(":"))}:${MASK}`;
    }
    const assignment = (FLAG.exec(word) ?? ASSIGNMENT.exec(word))?.[0] ?? "";
    if (assignment.endsWith("=")) {
      const value = word.slice(assignment.length);
      if (isCredentialName(assignment.slice(0, -1))) {
        return isHarmlessValue(value) || keepsPath(assignment, value) ? word : assignment + MASK;
      }
    }
    return word.includes("\n") ? redactConfiguration(word) : redactText(word);
  });
}

function takesSecret(flag: string, value: string, redis: boolean): boolean {
  if (value.startsWith("-") && !/\d/.test(value)) return false;
  if (flag === "-p") return !NUMBER_OR_PATH.test(value);
  if (flag === "-a") return redis;
  const match = FLAG.exec(flag);
  if (match === null || match[0] !== flag || match[2] === "=" || !flag.startsWith("-")) return false;
  return isCredentialName(flag) && !keepsPath(flag, value);
}

/** `--tls-private-key /etc/tls/tls.key` names a file. */
function keepsPath(flag: string, value: string): boolean {
  return /(?:key|cert|token|credentials?|kubeconfig|keystore|truststore)=?$/i.test(flag) && PATH.test(value);
}
