/** What exit codes mean. */
import type { Ending } from "./pod_status.ts";

const meanings: Readonly<Record<number, string>> = {
  0: "it ended by itself, without an error",
  1: "the program reported an error",
  2: "the program reported a misuse, or panicked",
  126: "the command can't be executed: no permission, or no executable for this platform",
  127: "the command was not found in the image",
  128: "the container could not be started",
  129: "SIGHUP",
  130: "SIGINT: interrupted",
  132: "SIGILL: an instruction this CPU lacks",
  134: "SIGABRT: the program aborted itself",
  135: "SIGBUS",
  136: "SIGFPE",
  137: "SIGKILL: killed, for memory or because it did not stop in time",
  139: "SIGSEGV: segmentation fault",
  141: "SIGPIPE",
  143: "SIGTERM: it was asked to stop",
  255: "the program reported an error",
};

/** What the end of a run means, in a clause; `OOMKilled` says more than its exit code. */
export function endingMeaning({ reason, exitCode, signal }: Ending): string | undefined {
  if (reason === "OOMKilled") return "killed by the kernel as it used more memory than its limit allows";
  if (signal !== undefined) return meanings[128 + signal] ?? `signal ${signal}`;
  return meanings[exitCode] ?? (exitCode > 128 && exitCode < 160 ? `signal ${exitCode - 128}` : undefined);
}
