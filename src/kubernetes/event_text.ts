/** Events in an answer: their shape and their lines. */
import * as z from "zod";
import { shortened } from "../common/shortened.ts";
import { filled } from "../common/structured.ts";
import { count } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { ClusterEvent, EventGroup } from "./events.ts";
import { kubernetesAge } from "./kubernetes_age.ts";

/** Characters of one message. */
const maxMessage = 600;

/** The shape in structured content. */
export const eventShape = z.object({
  type: z.string().optional().describe("Normal unless given"),
  reason: z.string(),
  namespace: z.string().optional().describe("Where the answer is of several"),
  kind: z.string().optional().describe("Where the answer is of several objects"),
  name: z.string().optional(),
  objects: z.number().optional().describe("Objects it happened to, if several; name is the last one"),
  count: z.number().optional().describe("How often, if several times"),
  over: z.string().optional().describe("From the first time to the last"),
  last_seen: z.string().describe("Age"),
  message: z.string(),
});

/** An event as {@linkcode eventShape}; with its object, and its namespace, where the answer is of several. */
export function eventAnswer(
  event: EventGroup,
  now: number,
  options: { readonly object: boolean; readonly namespace: boolean },
): z.output<typeof eventShape> {
  return {
    ...(event.type === "Normal" ? {} : { type: event.type }),
    reason: event.reason,
    ...(options.namespace ? filled({ namespace: event.namespace }) : {}),
    ...(options.object ? { kind: event.kind, name: event.name } : {}),
    ...(event.objects > 1 ? { objects: event.objects } : {}),
    ...(event.count > 1 ? filled({ count: event.count, over: spanText(event) }) : {}),
    last_seen: kubernetesAge(event.last, now),
    message: shortened(event.message, maxMessage),
  };
}

/** From the first time to the last; undefined for less than a second. */
function spanText({ first, last }: ClusterEvent): string | undefined {
  return first === undefined || last === undefined || last - first < 1000
    ? undefined
    : kubernetesAge(first, last);
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
  const span = spanText(event);
  const times = event.count > 1
    ? ` (x${count(event.count)}${span === undefined ? "" : ` over ${span}`})`
    : "";
  return visible(
    `${kubernetesAge(event.last, now)} ${event.type} ${event.reason}${object}${times}: ${
      shortened(event.message, maxMessage)
    }`,
  );
}
