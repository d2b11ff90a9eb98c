/** Asks for events. They come in the order of their names, so that all have to be read to find the latest. */
import type { Cluster } from "./api.ts";
import { type ClusterEvent, readEvent } from "./events.ts";
import { eventType } from "./well_known.ts";

/** Events read for one answer, of each of the two types. */
const maxEvents = 2_000;

/** Which events. */
export interface EventsWanted {
  readonly signal: AbortSignal;
  /** `Warning` takes in whatever is not `Normal`. */
  readonly type?: "Warning" | "Normal" | undefined;
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
  readonly uid?: string | undefined;
}

/** Events, and whether some were left unread. */
export interface EventsRead {
  readonly events: readonly ClusterEvent[];
  readonly more: number | "unknown";
}

/** Reads the events of a namespace, or of all; warnings first, so that a flood of the others does not hide them. */
export async function readEvents(
  cluster: Cluster,
  namespace: string | undefined,
  wanted: EventsWanted,
): Promise<EventsRead> {
  const of = (field: string, value: string | undefined) => value === undefined ? [] : [`${field}=${value}`];
  const about = [
    ...of("involvedObject.kind", wanted.kind),
    ...of("involvedObject.name", wanted.name),
    ...of("involvedObject.uid", wanted.uid),
  ];
  const ask = async (type: string) =>
    await cluster.listAll(eventType, namespace, {
      signal: wanted.signal,
      maxItems: maxEvents,
      fieldSelector: [...about, type].join(","),
    });
  const answers = await Promise.all([
    ...(wanted.type === "Normal" ? [] : [ask("type!=Normal")]),
    ...(wanted.type === "Warning" ? [] : [ask("type=Normal")]),
  ]);
  const more = answers.map((answer) => answer.more);
  return {
    events: answers.flatMap(({ items }) => items.map(readEvent)),
    more: more.some((one) => one === "unknown")
      ? "unknown"
      : more.reduce<number>((sum, one) => sum + Number(one), 0),
  };
}
