/** What the operating system says when a process, or the whole machine, may open no more files: `man 2 open`. */

/** Whether something could not be opened for want of file handles. Some errors have the system's words and no code. */
export function isOutOfHandles(error: unknown): boolean {
  return error instanceof Error &&
    ("code" in error && /^E[MN]FILE$/.test(String(error.code)) || /too many open files/i.test(error.message));
}
