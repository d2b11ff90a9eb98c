/** An object as people read it: YAML, its status first, small maps on one line, and without what only machines use. */
import { Document, isCollection, isScalar, visit } from "yaml";
import { CallError } from "../common/errors.ts";
import { cutText } from "../common/cell.ts";
import { isRecord } from "../common/record.ts";
import { field } from "./fields.ts";

/** Columns that a map or a list may take on one line. */
const lineWidth = 100;
/** Bytes of one string. */
const maxString = 4_000;
/** Items of one list, entries of one map. */
const maxItems = 500;

/** Metadata that says nothing to a person, or is said elsewhere. */
const unread: ReadonlySet<string> = new Set([
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "selfLink",
  "managedFields",
  "generateName",
]);

/** What the apiserver fills in when nobody has said anything. */
const defaults: Readonly<Record<string, string>> = {
  terminationMessagePath: '"/dev/termination-log"',
  terminationMessagePolicy: '"File"',
  dnsPolicy: '"ClusterFirst"',
  schedulerName: '"default-scheduler"',
  securityContext: "{}",
  resources: "{}",
  terminationGracePeriodSeconds: "30",
  progressDeadlineSeconds: "600",
  revisionHistoryLimit: "10",
  strategy: '{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}}',
  annotations: "{}",
  labels: "{}",
  terminatingReplicas: "0",
};

/** Counts of a Deployment's status. */
const replicaCounts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];

/**
 * The object without defaults, and without what is said elsewhere: its name, its conditions, and with `countsTold` how
 * many replicas it has, where all are as they should be.
 */
export function manifest(
  object: Readonly<Record<string, unknown>>,
  { countsTold = false }: { readonly countsTold?: boolean } = {},
): string {
  const { apiVersion: _, kind: __, metadata, status, ...rest } = keptFields(object, 0);
  const observed = field(status, "observedGeneration");
  // Equal, they say that the controller has seen the newest spec, as it has nearly always.
  const generations = observed !== undefined && observed === field(metadata, "generation");
  const counts = countsTold &&
    replicaCounts.every((count) => field(status, count) === field(object, "spec", "replicas"));
  const told = [
    "conditions",
    ...(generations ? ["observedGeneration"] : []),
    ...(counts ? replicaCounts : []),
  ];
  const ordered = {
    ...partOf("status", without(status, new Set(told))),
    ...partOf("metadata", without(metadata, generations ? new Set([...unread, "generation"]) : unread)),
    ...rest,
  };
  return yaml(ordered);
}

function withoutDefaults(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null || depth > 64) return value;
  if (Array.isArray(value)) return value.map((item) => withoutDefaults(item, depth + 1));
  return keptFields(value, depth);
}

function keptFields(object: object, depth: number): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(object)
      .filter(([name, one]) => !Object.hasOwn(defaults, name) || defaults[name] !== JSON.stringify(one))
      .map(([name, one]) => [name, withoutDefaults(one, depth + 1)]),
  );
}

/**
 * One part of an object, by a path such as `spec.template.spec.containers[0]` or `data["a.b"]`. Throws
 * {@linkcode CallError} naming the fields there are.
 */
export function manifestPart(object: Readonly<Record<string, unknown>>, path: string): string {
  const steps = parsePath(path);
  let at: unknown = object;
  for (const step of steps) {
    const next = field(at, step);
    if (next === undefined) {
      const known = isRecord(at) ? Object.keys(at) : [];
      throw new CallError(
        "not_found",
        `Cannot find ${JSON.stringify(String(step))} of ${path} in this object`,
        {
          hint: Array.isArray(at)
            ? `there is a list of ${at.length} there`
            : known.length === 0
            ? "there are no fields there"
            : `there are ${known.slice(0, 30).join(", ")}`,
        },
      );
    }
    at = next;
  }
  return yaml(at);
}

function parsePath(path: string): readonly (string | number)[] {
  const steps: (string | number)[] = [];
  const step = /\.?([^.[\]"]+)|\[(\d{1,6})\]|\["([^"]*)"\]/y;
  while (step.lastIndex < path.length) {
    const match = step.exec(path);
    if (match === null) {
      throw new CallError("invalid", `Cannot read ${JSON.stringify(path)} as a path`, {
        hint: 'write it as spec.containers[0].image or data["a.b"]',
      });
    }
    const [, name, index, quoted] = match;
    steps.push(index === undefined ? name ?? quoted ?? "" : Number(index));
  }
  return steps;
}

function without(value: unknown, names: ReadonlySet<string>): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.has(name)));
}

function partOf(name: string, value: unknown): Readonly<Record<string, unknown>> {
  const empty = value === undefined || value === null ||
    (typeof value === "object" && Object.keys(value).length === 0);
  return empty ? {} : { [name]: value };
}

function yaml(value: unknown): string {
  const document = new Document(readable(value, 0), { aliasDuplicateObjects: false });
  visit(document, {
    Collection(_, node) {
      if (!node.items.some((item) => isCollection(item) || multiline(item))) {
        node.flow = JSON.stringify(node.toJSON()).length <= lineWidth;
      }
    },
    Scalar(_, node) {
      if (typeof node.value === "string" && node.value.includes("\n")) node.type = "BLOCK_LITERAL";
    },
  });
  return document.toString({ lineWidth: 0, indentSeq: false, flowCollectionPadding: false }).trimEnd();
}

function multiline(item: unknown): boolean {
  return isScalar(item) && typeof item.value === "string" && item.value.includes("\n");
}

/** A copy that is safe to look at: hidden characters spelt out, long strings and lists cut. */
function readable(value: unknown, depth: number): unknown {
  if (typeof value === "string") {
    const { text, mark } = cutText(value, { limit: maxString, keepLines: true });
    return text + mark;
  }
  if (typeof value !== "object" || value === null) return value;
  if (depth > 64) return "…";
  if (Array.isArray(value)) {
    const items = value.slice(0, maxItems).map((item) => readable(item, depth + 1));
    return value.length > maxItems ? [...items, `… (${value.length} items)`] : items;
  }
  const entries = Object.entries(value);
  const shown = entries.slice(0, maxItems).map(([name, one]) =>
    [cutText(name, { limit: 400 }).text, readable(one, depth + 1)] as const
  );
  if (entries.length > maxItems) shown.push(["…", `${entries.length} entries`]);
  return Object.fromEntries(shown);
}
