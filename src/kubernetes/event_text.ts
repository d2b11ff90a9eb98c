/** Events in an answer: their shape and their lines. */
import * as z from "zod";
import { shortened } from "../common/shortened.ts";
import { count } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { EventGroup } from "./events.ts";
import { kubernetesAge } from "./kubernetes_age.ts";

/** Characters of one message. */
const maxMessage = 600;

/** The shape in structured content. */
export const eventShape = z.object({
  type: z.string(),
  reason: z.string(),
  kind: z.string(),
  name: z.string(),
  namespace: z.string().nullable(),
  objects: z.number().describe("Objects it happened to; name is the last one"),
  count: z.number(),
  last_seen: z.string().describe("Age"),
  message: z.string(),
});

/** An event as {@linkcode eventShape}. */
export function eventAnswer(event: EventGroup, now: number): z.output<typeof eventShape> {
  return {
    type: event.type,
    reason: event.reason,
    kind: event.kind,
    name: event.name,
    namespace: event.namespace ?? null,
    objects: event.objects,
    count: event.count,
    last_seen: kubernetesAge(event.last, now),
    message: shortened(event.message, maxMessage),
  };
}

/** `2m Warning BackOff Pod/web-1 and 3 more (x12 in 1h): message`; of a single object its name may be left out. */
export function eventLine(
  event: EventGroup,
  now: number,
  options: { object: boolean; namespace: boolean },
): string {
  const others = event.objects > 1 ? ` and ${count(event.objects - 1)} more` : "";
  const namespace = options.namespace && event.namespace !== undefined ? `${event.namespace}/` : "";
  const object = options.object ? ` ${namespace}${event.kind}/${event.name}${others}` : "";
  const span = event.first === undefined || event.last === undefined || event.last - event.first < 1000
    ? ""
    : ` over ${kubernetesAge(event.first, event.last)}`;
  const times = event.count > 1 ? ` (x${count(event.count)}${span})` : "";
  return visible(
    `${kubernetesAge(event.last, now)} ${event.type} ${event.reason}${object}${times}: ${
      shortened(event.message, maxMessage)
    }`,
  );
}
