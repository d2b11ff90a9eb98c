/** Events, in both of their forms (core's `count`, events.k8s.io's `series`), folded as a person would tell them. */
import { field, numberField, textField, timeField } from "./fields.ts";

/** What happened to one object, however often. Times are milliseconds since 1970. */
export interface ClusterEvent {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  /** How often; 1 at least. */
  readonly count: number;
  readonly first: number | undefined;
  readonly last: number | undefined;
}

/** Events that say the same, of one object or of several; `name` is the object it was last seen on. */
export interface EventGroup extends ClusterEvent {
  /** How many objects it happened to. */
  readonly objects: number;
}

/** An event of core/v1. */
export function readEvent(object: unknown): ClusterEvent {
  const involved = field(object, "involvedObject");
  const started = timeField(object, "firstTimestamp") ?? timeField(object, "eventTime") ??
    timeField(object, "metadata", "creationTimestamp");
  return {
    type: textField(object, "type") ?? "Normal",
    reason: textField(object, "reason") ?? "",
    message: textField(object, "message")?.trim() ?? "",
    kind: textField(involved, "kind") ?? "",
    name: textField(involved, "name") ?? "",
    namespace: textField(involved, "namespace"),
    count: Math.max(1, numberField(object, "series", "count") ?? numberField(object, "count") ?? 1),
    first: started,
    last: timeField(object, "series", "lastObservedTime") ?? timeField(object, "lastTimestamp") ?? started,
  };
}

/** Folds what says the same; what is not Normal first, then what was seen last. */
export function foldEvents(events: Iterable<ClusterEvent>): readonly EventGroup[] {
  const groups = new Map<string, { group: EventGroup; names: Set<string> }>();
  for (const event of events) {
    const { type, reason, kind, namespace, name } = event;
    const key = JSON.stringify([type, reason, kind, namespace, name.replace(madeUp, ""), pattern(event)]);
    const object = `${event.namespace}/${event.name}`;
    const known = groups.get(key);
    if (known === undefined) {
      groups.set(key, { group: { ...event, objects: 1 }, names: new Set([object]) });
      continue;
    }
    known.names.add(object);
    const newer = (event.last ?? 0) > (known.group.last ?? 0) ? event : known.group;
    known.group = {
      ...newer,
      count: Math.min(Number.MAX_SAFE_INTEGER, known.group.count + event.count),
      first: least(known.group.first, event.first),
      objects: known.names.size,
    };
  }
  return [...groups.values()].map(({ group }) => group).sort((a, b) =>
    Number(a.type === "Normal") - Number(b.type === "Normal") || (b.last ?? 0) - (a.last ?? 0) ||
    (a.name < b.name ? -1 : 1)
  );
}

/** What controllers put behind a name: a replica set's hash, a pod's suffix, a stateful set's ordinal. */
const madeUp =
  /(?:-[bcdf-hj-np-tv-z2-9]{6,10})?-(?:[bcdf-hj-np-tv-z2-9]{5}|\d{1,4})$|-[bcdf-hj-np-tv-z2-9]{8,10}$/;

/** Names that a message holds differ from object to object, and so do UIDs; the rest is what happened. */
function pattern({ message, name }: ClusterEvent): string {
  const base = name.replace(madeUp, "");
  return (base === "" ? message : message.replaceAll(name, "*").replaceAll(base, "*"))
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "*")
    .replace(/\*(?:-[bcdf-hj-np-tv-z2-9]{6,10})?-[bcdf-hj-np-tv-z2-9]{5}\b/g, "*");
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
