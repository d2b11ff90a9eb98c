/** A deployment in an answer: its shape, and the lines that say why it is not rolled out. */
import * as z from "zod";
import { filled } from "../common/structured.ts";
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
  namespace: z.string().optional().describe("Where the answer is of several"),
  name: z.string(),
  verdict: z.enum(rolloutVerdicts).describe("degraded: rolled out before, pods missing now"),
  explanation: z.string().optional().describe("Of every other verdict than complete"),
  desired: z.number(),
  ready: z.number(),
  updated: z.number(),
  available: z.number(),
  age: z.string(),
  images: z.array(z.string()),
  pods: z.number().optional().describe("How many it has, where they were looked at"),
  sick_pods: z.number().optional().describe("How many of them are unhealthy"),
  held_up_by: z.array(z.object({
    pod: z.string(),
    status: z.string(),
    restarts: z.number(),
    last_ended: z.string().optional(),
    message: z.string().optional(),
  })).optional().describe(`Its unhealthy pods, ${maxPods} at most`),
  replica_sets: z.array(z.object({
    name: z.string(),
    current: z.boolean(),
    revision: z.string().optional(),
    desired: z.number(),
    ready: z.number(),
    age: z.string(),
    images: z.array(z.string()).optional().describe("Of old ones"),
  })).optional().describe("The current one, and old ones with pods"),
  older_sets: z.number().optional().describe("Replica sets without pods"),
  unseen: z.string().optional(),
});

/** A deployment as {@linkcode deploymentShape}; `namespaced` where it is one of several namespaces. */
export function deploymentAnswer(
  { rollout, composition }: Deployment,
  now: number,
  { namespaced }: { readonly namespaced: boolean },
): z.output<typeof deploymentShape> {
  const { verdict, explanation } = rollout;
  return {
    ...(namespaced ? { namespace: rollout.namespace } : {}),
    name: rollout.name,
    verdict,
    ...(verdict === "complete" ? {} : { explanation }),
    desired: rollout.desired,
    ready: rollout.ready,
    updated: rollout.updated,
    available: rollout.available,
    age: kubernetesAge(rollout.created, now),
    images: [...rollout.images],
    ...(composition === undefined ? {} : compositionAnswer(composition, now)),
  };
}

/** What could not be seen is left out, and `unseen` says why. */
function compositionAnswer({ sets, history, sick, pods, unseen }: Composition, now: number) {
  return {
    ...(pods === undefined ? {} : { pods, sick_pods: sick.length }),
    ...filled({
      held_up_by: sick.slice(0, maxPods).map(({ name, status, restarts, ended, message }) => ({
        pod: name,
        status,
        restarts,
        ...filled({ last_ended: ended, message }),
      })),
      replica_sets: sets.map(({ name, current, revision, desired, ready, created, images }) => ({
        name,
        current,
        ...filled({ revision }),
        desired,
        ready,
        age: kubernetesAge(created, now),
        ...(current ? {} : { images: [...images] }),
      })),
      older_sets: history === 0 ? undefined : history,
      unseen,
    }),
  };
}

/** Whether unhealthy pods of it are left out. */
export function leavesPodsOut({ composition }: Deployment): boolean {
  return composition !== undefined && composition.sick.length > maxPods;
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
