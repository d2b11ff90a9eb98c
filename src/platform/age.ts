/** Ages in a report. */
import { humanDuration } from "../kubernetes/kubernetes_age.ts";

/** Milliseconds as kubectl has them; a time that is still to come, by a clock that is ahead of ours, is now. */
export function age(milliseconds: number): string {
  return humanDuration(Math.max(0, milliseconds));
}
