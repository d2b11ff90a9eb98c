/** What a diagnosis rests on: messages of events, objects that they miss, limits. */
import type { ClusterEvent } from "./events.ts";
import { field, listField, numberField, textField } from "./fields.ts";

/** Objects that a message of the kubelet misses: `configmap "a" not found`. */
export function missingObjects(message: string): readonly string[] {
  const kinds: Readonly<Record<string, string>> = {
    configmap: "ConfigMap",
    secret: "Secret",
    persistentvolumeclaim: "PersistentVolumeClaim",
    persistentvolume: "PersistentVolume",
    serviceaccount: "ServiceAccount",
  };
  const found = message.matchAll(
    /\b(configmap|secret|persistentvolumeclaim|persistentvolume|serviceaccount)s? "([^"]{1,253})" (?:not found|does not exist)/gi,
  );
  const keys = message.matchAll(/couldn't find key (\S{1,253}) in (ConfigMap|Secret) (\S{1,300})/g);
  return [
    ...[...found].map(([, kind = "", name]) => `${kinds[kind.toLowerCase()]} ${name}`),
    ...[...keys].map(([, key, kind, name]) => `key ${key} in ${kind} ${name}`),
  ];
}

/** Reasons of events: a volume can't be mounted, and for that or another reason no container can be made. */
export const volumeFailure = /^Failed(?:Mount|AttachVolume|MapVolume)$/;
export const sandboxFailure = /^FailedCreatePodSandBox$/;

/** Whether for such a reason a pod's first container can't be made. */
export function preventsStart(reason: string): boolean {
  return volumeFailure.test(reason) || sandboxFailure.test(reason);
}

/** Milliseconds before the latest warning in which another still holds: the kubelet warns again within minutes. */
const currentMs = 10 * 60_000;

/** The events that still hold as the latest of them does: what was mended before is not warned of any more. */
export function currentEvents(events: readonly ClusterEvent[]): readonly ClusterEvent[] {
  const latest = Math.max(...events.map(({ last }) => last ?? 0));
  return events.filter(({ last }) => (last ?? 0) >= latest - currentMs);
}

/** `ConfigMap a and Secret b do not exist`. */
export function missingText(missing: readonly string[]): string {
  const [last = "", ...others] = missing.toReversed();
  if (others.length === 0) return `${last} does not exist`;
  return `${others.toReversed().join(", ")} and ${last} do not exist`;
}

/** Messages of events with such a reason, the latest last, each once, with counts. */
export function messagesOf(events: readonly ClusterEvent[], reason: RegExp): readonly string[] {
  const folded = new Map<string, ClusterEvent>();
  for (const event of events) {
    if (!reason.test(event.reason)) continue;
    const message = foldedMessage(event.message);
    const key = messagePattern(message);
    const count = event.count + (folded.get(key)?.count ?? 0);
    // Deleted first, so that the latest stands last.
    folded.delete(key);
    folded.set(key, { ...event, message, count });
  }
  return [...folded.values()].map(eventText).slice(-3);
}

/** A message without what makes the same one another each time: the ids of sandboxes and containers are shortened. */
export function foldedMessage(message: string): string {
  return message.replace(/^\(combined from similar events\): /, "")
    .replace(/\b([0-9a-f]{8})[0-9a-f]{24,}\b/g, "$1…");
}

/** What is the same in the same message, however often it came. */
export function messagePattern(message: string): string {
  return foldedMessage(message).replace(/[0-9a-f]{8}…/g, "*");
}

/** An event's message with its count. */
export function eventText({ message, count }: ClusterEvent): string {
  return count > 1 ? `${message} (x${count})` : message;
}

/** The limit of memory of a container. */
export function memoryLimit(pod: unknown, container: string): string | undefined {
  const all = [...listField(pod, "spec", "initContainers"), ...listField(pod, "spec", "containers")];
  const found = all.find((one) => textField(one, "name") === container);
  const limit = field(found, "resources", "limits", "memory");
  return typeof limit === "number"
    ? String(numberField(found, "resources", "limits", "memory"))
    : textField(found, "resources", "limits", "memory");
}
