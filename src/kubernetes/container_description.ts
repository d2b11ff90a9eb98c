/** The containers of a pod as `kubectl describe` prints them, and the messages that it leaves out. */
import { compare } from "../common/compare.ts";
import { field, isTrue, listField, numberField, textField, timeField } from "./fields.ts";
import { humanDuration } from "./kubernetes_age.ts";
import { type Nanos, parseQuantity } from "./quantity.ts";

/** A section of containers: its title, then each of them, two blanks deeper at every level. */
export function describeContainers(
  title: string,
  pod: unknown,
  containers: readonly unknown[],
  statuses: readonly unknown[],
  now: number,
): readonly string[] {
  return [
    `${title}:`,
    ...containers.flatMap((container) => {
      const name = textField(container, "name");
      const status = statuses.find((one) => textField(one, "name") === name);
      return describeContainer(pod, container, status, now);
    }),
  ];
}

function describeContainer(
  pod: unknown,
  container: unknown,
  status: unknown,
  now: number,
): readonly string[] {
  const known = status !== undefined;
  const profile = field(container, "securityContext", "seccompProfile");
  return [
    `  ${textField(container, "name") ?? ""}:`,
    ...(known ? [`    Container ID: ${textField(status, "containerID") ?? ""}`] : []),
    `    Image: ${textField(container, "image") ?? ""}`,
    ...(known ? [`    Image ID: ${textField(status, "imageID") ?? ""}`] : []),
    ...portLines(container),
    ...(profile === undefined ? [] : [`    SeccompProfile: ${textField(profile, "type") ?? ""}`]),
    ...(textField(profile, "localhostProfile") === undefined
      ? []
      : [`      LocalhostProfile: ${textField(profile, "localhostProfile")}`]),
    ...wordLines("Command", listField(container, "command")),
    ...wordLines("Args", listField(container, "args")),
    ...(known ? stateLines(status, now) : []),
    ...resourceLines(field(container, "resources"), "    "),
    ...["livenessProbe", "readinessProbe", "startupProbe"].flatMap((key) => {
      const probe = field(container, key);
      return probe === undefined ? [] : [`    ${probeTitles[key]}: ${probeText(probe)}`];
    }),
    ...environmentFromLines(container),
    ...environmentLines(pod, container),
    ...mountLines(container),
  ];
}

const probeTitles: Readonly<Record<string, string>> = {
  livenessProbe: "Liveness",
  readinessProbe: "Readiness",
  startupProbe: "Startup",
};

function portLines(container: unknown): readonly string[] {
  const ports = listField(container, "ports");
  const list = (key: string) =>
    ports.map((port) => {
      const name = textField(port, "name");
      return `${numberField(port, key) ?? 0}/${textField(port, "protocol") ?? ""}${
        name === undefined ? "" : ` (${name})`
      }`;
    }).join(", ");
  const many = ports.length > 1 ? "s" : "";
  return [
    `    Port${many}: ${list("containerPort") || "<none>"}`,
    `    Host Port${many}: ${list("hostPort") || "<none>"}`,
  ];
}

function wordLines(title: string, words: readonly unknown[]): readonly string[] {
  if (words.length === 0) return [];
  return [
    `    ${title}:`,
    ...words.flatMap((word) => String(word).split("\n").map((line) => `      ${line}`)),
  ];
}

function stateLines(status: unknown, now: number): readonly string[] {
  const last = field(status, "lastState");
  return [
    ...oneState("State", field(status, "state"), now),
    ...(field(last, "terminated") === undefined ? [] : oneState("Last State", last, now)),
    `    Ready: ${isTrue(status, "ready") ? "True" : "False"}`,
    `    Restart Count: ${numberField(status, "restartCount") ?? 0}`,
  ];
}

function oneState(title: string, state: unknown, now: number): readonly string[] {
  const { running, waiting, terminated } = {
    running: field(state, "running"),
    waiting: field(state, "waiting"),
    terminated: field(state, "terminated"),
  };
  const optional = (key: string, value: string | number | undefined) =>
    value === undefined || value === 0 ? [] : [`      ${key}: ${value}`];
  if (running !== undefined) {
    return [`    ${title}: Running`, `      Started: ${timeText(timeField(running, "startedAt"), now)}`];
  }
  if (terminated !== undefined) {
    return [
      `    ${title}: Terminated`,
      ...optional("Reason", textField(terminated, "reason")),
      ...optional("Message", textField(terminated, "message")),
      `      Exit Code: ${numberField(terminated, "exitCode") ?? 0}`,
      ...optional("Signal", numberField(terminated, "signal")),
      `      Started: ${timeText(timeField(terminated, "startedAt"), now)}`,
      `      Finished: ${timeText(timeField(terminated, "finishedAt"), now)}`,
    ];
  }
  return [
    `    ${title}: Waiting`,
    ...optional("Reason", textField(waiting, "reason")),
    // kubectl leaves this one out, and it says why.
    ...optional("Message", textField(waiting, "message")),
  ];
}

/** `Mon, 02 Jan 2006 15:04:05 +0000 (5m ago)`; `now` is undefined where the age says nothing. */
export function timeText(time: number | undefined, now: number | undefined): string {
  // Go's zero time, which kubectl prints for a time that is missing.
  if (time === undefined) return "Mon, 01 Jan 0001 00:00:00 +0000";
  const text = new Date(time).toUTCString().replace("GMT", "+0000");
  return now === undefined ? text : `${text} (${humanDuration(now - time)} ago)`;
}

/** `Limits` and `Requests`, where there are any. */
export function resourceLines(resources: unknown, indent: string): readonly string[] {
  return (["limits", "requests"] as const).flatMap((key) => {
    const amounts = field(resources, key);
    if (typeof amounts !== "object" || amounts === null || Object.keys(amounts).length === 0) return [];
    return [
      `${indent}${key === "limits" ? "Limits" : "Requests"}:`,
      ...Object.entries(amounts).sort(byKey).map(([name, amount]) => `${indent}  ${name}: ${amount}`),
    ];
  });
}

/** A probe on one line. */
export function probeText(probe: unknown): string {
  const number = (key: string) => numberField(probe, key) ?? 0;
  const attributes = `delay=${number("initialDelaySeconds")}s timeout=${number("timeoutSeconds")}s ` +
    `period=${number("periodSeconds")}s #success=${number("successThreshold")} #failure=${
      number("failureThreshold")
    }`;
  const get = field(probe, "httpGet");
  const socket = field(probe, "tcpSocket");
  if (field(probe, "exec") !== undefined) {
    return `exec [${listField(probe, "exec", "command").join(" ")}] ${attributes}`;
  }
  if (get !== undefined) {
    const host = textField(get, "host") ?? "";
    const scheme = (textField(get, "scheme") ?? "").toLowerCase();
    const path = escapePath(textField(get, "path") ?? "");
    return `http-get ${scheme}://${host.includes(":") ? `[${host}]` : host}:${
      portText(get)
    }${path} ${attributes}`;
  }
  if (socket !== undefined) {
    return `tcp-socket ${textField(socket, "host") ?? ""}:${portText(socket)} ${attributes}`;
  }
  const grpc = field(probe, "grpc");
  if (grpc !== undefined) {
    return `grpc <pod>:${portText(grpc)} ${textField(grpc, "service") ?? ""} ${attributes}`;
  }
  return `unknown ${attributes}`;
}

function portText(action: unknown): string {
  return String(field(action, "port") ?? "");
}

/** As Go's net/url writes a path. */
function escapePath(path: string): string {
  const escaped = encodeURI(path).replace(
    /[?#'()*!]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return escaped === "" || escaped.startsWith("/") ? escaped : `/${escaped}`;
}

function environmentFromLines(container: unknown): readonly string[] {
  const sources = listField(container, "envFrom");
  if (sources.length === 0) return [];
  return [
    "    Environment Variables from:",
    ...sources.map((source) => {
      const [kind, reference] = field(source, "configMapRef") !== undefined
        ? ["ConfigMap", field(source, "configMapRef")]
        : ["Secret", field(source, "secretRef")];
      const prefix = textField(source, "prefix");
      return `      ${textField(reference, "name") ?? ""} ${kind}${
        prefix === undefined ? "" : ` with prefix '${prefix}'`
      } ` +
        `Optional: ${isTrue(reference, "optional")}`;
    }),
  ];
}

function environmentLines(pod: unknown, container: unknown): readonly string[] {
  const variables = listField(container, "env");
  if (variables.length === 0) return ["    Environment: <none>"];
  return [
    "    Environment:",
    ...variables.flatMap((variable) => {
      const name = textField(variable, "name") ?? "";
      const from = field(variable, "valueFrom");
      if (from === undefined) {
        const [first = "", ...others] = (textField(variable, "value") ?? "").split("\n");
        return [`      ${name}: ${first}`, ...others.map((line) => `      ${line}`)];
      }
      return [`      ${name}: ${sourceText(pod, container, from)}`];
    }),
  ];
}

function sourceText(pod: unknown, container: unknown, from: unknown): string {
  const reference = field(from, "fieldRef");
  if (reference !== undefined) {
    const path = textField(reference, "fieldPath") ?? "";
    return `${metadataText(pod, path)} (${textField(reference, "apiVersion") ?? ""}:${path})`.trimStart();
  }
  const resource = field(from, "resourceFieldRef");
  if (resource !== undefined) {
    return `${resourceText(container, resource)} (${textField(resource, "resource") ?? ""})`;
  }
  const secret = field(from, "secretKeyRef");
  const key = secret ?? field(from, "configMapKeyRef");
  return `<set to the key '${textField(key, "key") ?? ""}' ${
    secret === undefined ? "of config map" : "in secret"
  } ` +
    `'${textField(key, "name") ?? ""}'> Optional: ${isTrue(key, "optional")}`;
}

/** What kubectl resolves of the downward API. */
function metadataText(pod: unknown, path: string): string {
  const plain = /^metadata\.(name|namespace|uid)$/.exec(path);
  return plain === null ? "" : textField(pod, "metadata", plain[1] ?? "") ?? "";
}

/** What the downward API makes of a limit or request: the amount by the divisor, rounded up. */
function resourceText(container: unknown, reference: unknown): string {
  const name = textField(reference, "resource") ?? "";
  const [part = "", ...rest] = name.split(".");
  const amount = parseQuantity(field(container, "resources", part, rest.join("."))) ?? 0n;
  const one: Nanos = 1_000_000_000n;
  const divisor = parseQuantity(field(reference, "divisor")) ?? 0n;
  const by = divisor === 0n ? one : divisor;
  const value = (amount + by - 1n) / by;
  return value === 0n && /^limits\.(?:cpu|memory)$/.test(name) ? "node allocatable" : String(value);
}

function mountLines(container: unknown): readonly string[] {
  const mounts = listField(container, "volumeMounts");
  const devices = listField(container, "volumeDevices");
  const by = (key: string) => (a: unknown, b: unknown) =>
    compare(textField(a, key) ?? "", textField(b, key) ?? "");
  return [
    `    Mounts:${mounts.length === 0 ? " <none>" : ""}`,
    ...mounts.toSorted(by("mountPath")).map((mount) => {
      const subPath = textField(mount, "subPath");
      const flags = [
        isTrue(mount, "readOnly") ? "ro" : "rw",
        ...(subPath === undefined ? [] : [`path=${JSON.stringify(subPath)}`]),
      ];
      return `      ${textField(mount, "mountPath") ?? ""} from ${textField(mount, "name") ?? ""} (${
        flags.join(",")
      })`;
    }),
    ...(devices.length === 0 ? [] : [`    Devices:${mounts.length === 0 ? " <none>" : ""}`]),
    ...devices.toSorted(by("devicePath")).map((device) =>
      `      ${textField(device, "devicePath") ?? ""} from ${textField(device, "name") ?? ""}`
    ),
  ];
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return compare(a[0], b[0]);
}
