/** A pod in a list: what `kubectl get pods -o wide` shows of it, how its last run ended, and its images. */
import * as z from "zod";
import { compare } from "../common/compare.ts";
import { withOthers } from "../common/listing.ts";
import { filled } from "../common/structured.ts";
import { shortened } from "../common/shortened.ts";
import { visible } from "../common/visible.ts";
import { listField, nameOf, namespaceOf, textField, timeField } from "./fields.ts";
import { humanDuration, kubernetesAge } from "./kubernetes_age.ts";
import { type Ending, type PodStatus, podStatus, restartsText } from "./pod_status.ts";

/** A pod in a list. Times are milliseconds since 1970. */
export interface PodSummary extends PodStatus {
  readonly namespace: string;
  readonly name: string;
  readonly created: number | undefined;
  readonly node: string | undefined;
  readonly ip: string | undefined;
  readonly images: readonly string[];
}

/** Reads a v1 Pod. */
export function readPod(pod: unknown, now: number): PodSummary {
  const containers = [...listField(pod, "spec", "initContainers"), ...listField(pod, "spec", "containers")];
  return {
    ...podStatus(pod, now),
    // An apiserver that is none gives names that no pod can have.
    namespace: visible(namespaceOf(pod)),
    name: visible(nameOf(pod)),
    created: timeField(pod, "metadata", "creationTimestamp"),
    node: textField(pod, "spec", "nodeName"),
    ip: textField(pod, "status", "podIPs", 0, "ip") ?? textField(pod, "status", "podIP"),
    images: [...new Set(containers.map((container) => textField(container, "image") ?? ""))],
  };
}

/** The sick first, those that fail before those that wait; then by name. */
export function bySickness(a: PodSummary, b: PodSummary): number {
  return Number(a.healthy) - Number(b.healthy) || rank(a) - rank(b) ||
    (a.healthy ? 0 : b.restarts - a.restarts) || compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

function rank({ status, healthy }: PodSummary): number {
  if (healthy) return 0;
  if (/^(?:Pending|ContainerCreating|PodInitializing|Init:\d+\/\d+|SchedulingGated)$/.test(status)) return 2;
  return /^(?:Running|NotReady)$/.test(status) ? 1 : 0;
}

/** `OOMKilled (137)`, `Error (1)`, `signal 9`; an exit code of 0 is not spelt out. */
export function endingText({ reason, exitCode, signal }: Ending): string {
  if (signal !== undefined) return reason === "" ? `signal ${signal}` : `${reason} (signal ${signal})`;
  if (exitCode === 0) return reason === "" ? "exit 0" : reason;
  return reason === "" ? `exit ${exitCode}` : `${reason} (${exitCode})`;
}

/** A pod in structured content, without its namespace. */
export const podShape = z.object({
  name: z.string(),
  status: z.string().describe("As kubectl's STATUS"),
  healthy: z.boolean(),
  ready: z.string().describe("Ready containers/containers"),
  restarts: z.number(),
  last_restart: z.string().optional().describe("Age"),
  last_ended: z.object({
    container: z.string(),
    reason: z.string(),
    exit_code: z.number(),
    signal: z.number().optional(),
    age: z.string(),
  }).optional().describe("How the last run that is over ended"),
  message: z.string().optional(),
  age: z.string(),
  ip: z.string().optional(),
  node: z.string().optional(),
  images: z.array(z.string()),
  more_images: z.number().optional().describe("How many are not named"),
});

/** Images of a pod in a list, and characters of one. */
const maxImages = 8;
const maxImage = 200;
/** Characters of a message in a list. */
const maxMessage = 300;

/** A pod as {@linkcode podShape}. */
export function podAnswer(pod: PodSummary, now: number): z.output<typeof podShape> {
  const { lastEnding: ending, images } = pod;
  return {
    name: pod.name,
    status: pod.status,
    healthy: pod.healthy,
    ready: `${pod.readyContainers}/${pod.containers}`,
    restarts: pod.restarts,
    ...filled({
      last_restart: pod.lastRestart === undefined ? undefined : kubernetesAge(pod.lastRestart, now),
      last_ended: ending && {
        container: ending.container,
        reason: ending.reason,
        exit_code: ending.exitCode,
        ...filled({ signal: ending.signal }),
        age: kubernetesAge(ending.finished, now),
      },
      message: podMessage(pod),
    }),
    age: kubernetesAge(pod.created, now),
    ...filled({ ip: pod.ip, node: pod.node }),
    images: images.slice(0, maxImages).map(shortImage),
    ...(images.length > maxImages ? { more_images: images.length - maxImages } : {}),
  };
}

/** What the pod says of itself, as short as a list takes it. */
export function podMessage({ message }: PodSummary): string | undefined {
  return message === undefined ? undefined : shortened(message, maxMessage);
}

/** Cells of a table: kubectl's columns, then how the last run ended, then the images. */
export function podCells(pod: PodSummary, now: number): readonly string[] {
  const { lastEnding: ending } = pod;
  const last = ending === undefined
    ? "-"
    : `${endingText(ending)}${
      ending.finished === undefined ? "" : ` ${humanDuration(now - ending.finished)} ago`
    }`;
  return [
    pod.name,
    `${pod.readyContainers}/${pod.containers}`,
    pod.status,
    restartsText(pod, now),
    kubernetesAge(pod.created, now),
    pod.ip ?? "<none>",
    pod.node ?? "<none>",
    last,
    imagesText(pod.images),
  ];
}

/** The names of {@linkcode podCells}. */
export const podColumns = ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "LAST ENDED", "IMAGES"]
  .map((name) => ({ name, align: "left" as const }));

/** An image whose digest is cut to what tells it apart: `app:v1@sha256:0123456789ab…`. */
function shortImage(image: string): string {
  const short = image.replace(/(@sha256:[0-9a-f]{12})[0-9a-f]{52}$/, "$1…");
  return shortened(short, maxImage);
}

function imagesText(images: readonly string[]): string {
  return withOthers(images.slice(0, maxImages).map(shortImage), images.length - maxImages);
}
