/** What the runtime says by itself goes into the log like all else, and ends no program: on stderr it would be no JSON line. */
import process from "node:process";
import { describeError, type Logger } from "./log.ts";

/** Logs errors that nobody caught, and the runtime's warnings. */
export function surviveDefects(log: Logger): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("an unhandled rejection", { error: describeError(event.reason, true) });
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    log.error("an uncaught error", { error: describeError(event.error, true) });
  });
  // The one that is there writes them to stderr as they are.
  process.removeAllListeners("warning");
  process.on("warning", (warning) => log.warn("the runtime warns", { warning: describeError(warning) }));
}
