/** A deployment in an answer: its shape, and the lines that say why it is not rolled out. */
import * as z from "zod";
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { kubernetesAge } from "./kubernetes_age.ts";
import type { Composition } from "./replica_sets.ts";
import { type Rollout, rolloutVerdicts } from "./rollout.ts";

/** A deployment, and what it is made of where that was looked at. */
export interface Deployment {
  readonly rollout: Rollout;
  readonly composition: Composition | undefined;
}

/** Sick pods told of one deployment. */
const maxPods = 5;

/** The shape in structured content. */
export const deploymentShape = z.object({
  namespace: z.string(),
  name: z.string(),
  verdict: z.enum(rolloutVerdicts).describe("degraded: rolled out before, pods missing now"),
  explanation: z.string(),
  desired: z.number(),
  ready: z.number(),
  updated: z.number(),
  available: z.number(),
  age: z.string(),
  images: z.array(z.string()),
  replica_sets: z.array(z.object({
    name: z.string(),
    current: z.boolean(),
    revision: z.string().nullable(),
    desired: z.number(),
    ready: z.number(),
    images: z.array(z.string()),
    age: z.string(),
  })).optional().describe("The current one, and old ones with pods"),
  held_up_by: z.array(z.object({
    pod: z.string(),
    status: z.string(),
    restarts: z.number(),
    last_ended: z.string().nullable(),
    message: z.string().nullable(),
  })).optional().describe(`Unhealthy pods, ${maxPods} at most`),
  sick_pods: z.number().optional().describe("How many pods are unhealthy"),
  unseen: z.string().optional(),
});

/** A deployment as {@linkcode deploymentShape}. */
export function deploymentAnswer(
  { rollout, composition }: Deployment,
  now: number,
): z.output<typeof deploymentShape> {
  const { created, revision: _, pods: __, ...counts } = rollout;
  const answer = { ...counts, images: [...rollout.images], age: kubernetesAge(created, now) };
  if (composition === undefined) return answer;
  return {
    ...answer,
    replica_sets: composition.sets.map(({ created, pods: _, ...set }) => ({
      ...set,
      revision: set.revision ?? null,
      images: [...set.images],
      age: kubernetesAge(created, now),
    })),
    held_up_by: composition.sick.slice(0, maxPods).map(({ name, message, ended, ...pod }) => ({
      pod: name,
      ...pod,
      last_ended: ended ?? null,
      message: message ?? null,
    })),
    sick_pods: composition.sick.length,
    ...(composition.unseen === undefined ? {} : { unseen: composition.unseen }),
  };
}

/** Replica sets and the pods that hold it up, a line each. */
export function compositionLines({ rollout, composition }: Deployment, now: number): readonly string[] {
  if (composition === undefined) return [];
  const lines: string[] = [];
  for (const set of composition.sets) {
    const images = set.current ? "" : `, ${set.images.join(", ")}`;
    lines.push(
      `${set.current ? "current" : "old"} replica set ${set.name}: ${set.ready} of ${
        plural(set.desired, "pod")
      } ready, ${kubernetesAge(set.created, now)} old${
        set.revision === undefined ? "" : `, revision ${set.revision}`
      }${images}`,
    );
  }
  if (composition.history > 0) lines.push(`${plural(composition.history, "older replica set")} without pods`);
  for (const pod of composition.sick.slice(0, maxPods)) {
    const past = [
      ...(pod.restarts > 0 ? [plural(pod.restarts, "restart")] : []),
      ...(pod.ended === undefined ? [] : [`last ended ${pod.ended}`]),
    ].join(", ");
    lines.push(
      `pod ${pod.name}: ${pod.status}${past === "" ? "" : ` (${past})`}${
        pod.message === undefined ? "" : `: ${pod.message}`
      }`,
    );
  }
  if (composition.sick.length > maxPods) {
    lines.push(`and ${plural(composition.sick.length - maxPods, "more unhealthy pod")} (get_pods)`);
  }
  if (composition.pods === 0 && rollout.desired > 0 && composition.unseen === undefined) {
    lines.push("it has no pod at all");
  }
  if (composition.unseen !== undefined) lines.push(`not seen: ${composition.unseen}`);
  return lines.map((line) => visible(line));
}
